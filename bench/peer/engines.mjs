// Starts both engines, each job in a process of its own, and reads what they measured. A job is as
// llama_worker.mjs describes it, plus `table`, a kernel table for NOTSO_CPU.

import {spawn} from "node:child_process";
import {cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync,
  writeFileSync} from "node:fs";
import {tmpdir} from "node:os";
import path from "node:path";
import {fileURLToPath} from "node:url";

const kRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const kNotso = path.join(kRoot, "build/release/notso");
const kPackage = path.join(kRoot, "tests/peer/node_modules");
const kWarmUpTokens = 32;

// What the benchmark keeps: the synthetic model, and packed weights apart from the user's own.
export const kWorkFolder = path.join(kRoot, "build/peer");
const kHome = path.join(kWorkFolder, "home");

const running = new Set();
const temporaries = [];

// Ends all processes and removes the temporary folders.
export function cleanUp() {
  for (const child of running) child.kill("SIGKILL");
  for (const folder of temporaries) rmSync(folder, {recursive: true, force: true});
}

// Runs a program to its end: {stdout, seconds, firstByteSeconds, peakBytes}.
function execute(program, args, {environment = {}, watchMemory = false} = {}) {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const seconds = () => (performance.now() - begun) / 1000;
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"], env: {...process.env, NOTSO_HOME: kHome, ...environment}});
    running.add(child);
    let stdout = "", stderr = "", firstByteSeconds, peakBytes = 0;
    child.stdout.on("data", (data) => {
      firstByteSeconds ??= seconds();
      stdout += data;
    });
    child.stderr.on("data", (data) => { stderr = (stderr + data).slice(-4000); });
    const timer = watchMemory
      ? setInterval(() => { peakBytes = Math.max(peakBytes, peakOf(child.pid)); }, 20) : undefined;
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearInterval(timer);
      running.delete(child);
      const result = {stdout, seconds: seconds(), peakBytes};
      if (code === 0) resolve({...result, firstByteSeconds: firstByteSeconds ?? result.seconds});
      else reject(new Error(`${path.basename(program)} ${args[0]} ended with ${signal ?? code}:\n`
        + stderr.split("\n").slice(-12).join("\n")));
    });
  });
}

// The most memory that was ever resident in a process; it may be gone already.
function peakOf(pid) {
  try {
    const found = readFileSync(`/proc/${pid}/status`, "utf8").match(/^VmHWM:\s+(\d+)/m);
    return found === null ? 0 : Number(found[1]) * 1024;
  } catch {
    return 0;
  }
}

// One of each physical core that this process may use, as both engines count them.
export function physicalCores() {
  const status = readFileSync("/proc/self/status", "utf8");
  const allowed = status.match(/^Cpus_allowed_list:\s+(.*)$/m)[1];
  const cores = new Set();
  for (const range of allowed.split(",")) {
    const [first, last = first] = range.split("-").map(Number);
    for (let cpu = first; cpu <= last; ++cpu) {
      const read = (name) => {
        const file = `/sys/devices/system/cpu/cpu${cpu}/topology/${name}`;
        return existsSync(file) ? readFileSync(file, "utf8").trim() : `cpu${cpu}`;
      };
      cores.add(`${read("physical_package_id")} ${read("core_id")}`);
    }
  }
  return cores.size;
}

// Writes the model of SmolLM3-3B's size with random weights, unless it is there.
export async function syntheticModel() {
  mkdirSync(kWorkFolder, {recursive: true});
  const file = path.join(kWorkFolder, "synthetic-full.gguf");
  if (!existsSync(file)) await execute(kNotso, ["synth", file, "--size", "full", "--seed", "1"]);
  return file;
}

// Whether packed weights of an earlier run are there, which only a cold start removes.
export function hasPackedWeights() {
  const cache = path.join(kHome, "cache");
  return existsSync(cache) && readdirSync(cache).some((name) => name.endsWith(".panels"));
}

export function removePackedWeights() {
  rmSync(path.join(kHome, "cache"), {recursive: true, force: true});
}

const notsoJobs = {
  async speed(job, environment) {
    const prompts = [kWarmUpTokens, ...job.prompts].join(",");
    const args = ["bench", "-m", job.model, "--threads", `${job.threads}`,
      "--depth", `${job.depth}`, "--prompt", prompts, "--gen", `${job.generate || 1}`,
      "--repetitions", "1", "--json"];
    const {machine, results} = JSON.parse((await execute(kNotso, args, {environment})).stdout);
    const rates = {prefill: {}}, percents = {prefill: {}};
    for (const row of results) {
      if (row.test === "prefill") {
        rates.prefill[row.tokens] = row.tokens_per_second;
        percents.prefill[row.tokens] = row.percent_of_limit;
      } else {
        rates.decode = row.tokens_per_second;
        percents.decode = row.percent_of_limit;
      }
    }
    return {rates, percents, machine};
  },

  async start(job, environment) {
    const args = ["generate", "-m", job.model, "--threads", `${job.threads}`, "--prompt", " a",
      "--max-tokens", "1", "--temperature", "0", "--special", "--quiet"];
    return {seconds: (await execute(kNotso, args, {environment})).firstByteSeconds};
  },

  async memory(job, environment) {
    const prompt = path.join(kWorkFolder, "prompt.txt");
    writeFileSync(prompt, " a".repeat(job.tokens));
    const args = ["generate", "-m", job.model, "--threads", `${job.threads}`, "--file", prompt,
      "--ctx", `${job.context}`, "--max-tokens", "1", "--quiet"];
    return {bytes: (await execute(kNotso, args, {environment, watchMemory: true})).peakBytes};
  },
};

// Runs a job on our engine.
export function runNotso(job) {
  return notsoJobs[job.kind](job, job.table === undefined ? {} : {NOTSO_CPU: job.table});
}

// Runs a job on llama.cpp.
export async function runLlama(job) {
  const worker = path.join(kRoot, "bench/peer/llama_worker.mjs");
  const text = JSON.stringify({...job, package: kPackage});
  return JSON.parse((await execute(process.execPath, [worker, text])).stdout);
}

// The version of node-llama-cpp and of the llama.cpp in it.
export function llamaVersion() {
  const {version} = JSON.parse(readFileSync(path.join(kPackage, "node-llama-cpp/package.json")));
  return `llama.cpp of node-llama-cpp ${version}`;
}

// A copy of llama.cpp's libraries with one for the processor only, such as "haswell"; undefined
// where there is no such library.
export function librariesWithOnly(variant) {
  const from = path.join(kPackage, "@node-llama-cpp/linux-x64");
  const only = `libggml-cpu-${variant}.so`;
  if (!existsSync(path.join(from, "bins/linux-x64", only))) return undefined;
  const folder = mkdtempSync(path.join(tmpdir(), "notso-bench-"));
  temporaries.push(folder);
  cpSync(from, folder, {
    recursive: true,
    filter: (file) => {
      const name = path.basename(file);
      return !name.startsWith("libggml-cpu-") || name === only;
    },
  });
  return folder;
}
