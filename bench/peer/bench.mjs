// Runs both engines in turns on one file and prints the table; `bench/peer/run` sets things up.

import {existsSync, readFileSync, statSync, statfsSync, writeFileSync} from "node:fs";
import path from "node:path";
import {parseArgs} from "node:util";

import * as engines from "./engines.mjs";
import {markdown, notes, summary} from "./report.mjs";

const kHelp = `usage: bench/peer/run [--model FILE] [--quick] [--rounds N] [--rows ROW,ROW,...]
                      [--threads N] [--drop-caches] [--json FILE]

  --model FILE     a SmolLM3 GGUF file; else one of its size with random weights, written once
  --quick          one round of prefill512 and decode with 16 tokens instead of 64
  --rounds N       rounds, of which the medians count (5)
  --rows LIST      only these rows of the table:
                   ROWS
  --threads N      threads of both engines (one for each physical core)
  --drop-caches    empty the system's page cache before the first starts; needs root
  --json FILE      also write all samples there, after every round
`;
const kDepth = 4096;
const kMemoryContext = 4096;
const kSpeedUnit = "tokens/s";

// The rows of the table. Rows of the same group come from the same two processes a round.
function tableRows(generate) {
  const speed = (name, title, group, depth, prompt) => ({
    name, title, group, depth, prompt, unit: kSpeedUnit, samples: [],
    limit: prompt === undefined ? "read bandwidth" : "int8 peak",
  });
  const decode = `decode, ${generate} tokens`;
  const other = (name, title, unit) => ({name, title, unit, group: name, samples: []});
  return [
    speed("prefill512", "prefill 512", "short", 0, 512),
    speed("prefill2048", "prefill 2048", "short", 0, 2048),
    speed("decode", decode, "short", 0),
    speed("prefill512-deep", `prefill 512 at depth ${kDepth}`, "deep", kDepth, 512),
    speed("decode-deep", `${decode}, at depth ${kDepth}`, "deep", kDepth),
    speed("avx2-prefill512", "AVX2 only: prefill 512", "avx2", 0, 512),
    speed("avx2-decode", `AVX2 only: ${decode}`, "avx2", 0),
    other("start-cold", "first start, weights are packed", "s"),
    other("start-warm", "second start", "s"),
    other("memory", `resident memory, ${kMemoryContext} tokens of context`, "GB"),
  ];
}

function fail(message) {
  throw Object.assign(new Error(message), {expected: true});
}

function wholeNumber(name, text, fallback) {
  if (text === undefined) return fallback;
  if (!/^[1-9]\d{0,3}$/.test(text)) fail(`--${name} takes a whole number from 1, not '${text}'`);
  return Number(text);
}

function readOptions(args) {
  const text = {type: "string"};
  const flag = {type: "boolean", default: false};
  let values;
  try {
    ({values} = parseArgs({args, options: {
      model: text, rounds: text, rows: text, threads: text, json: text, quick: flag,
      "drop-caches": flag, help: {...flag, short: "h"}}}));
  } catch (error) {
    fail(`${error.message.split(". ")[0]}; see --help`);
  }
  const generate = values.quick ? 16 : 64;
  const rows = tableRows(generate);
  const names = rows.map(({name}) => name);
  const wanted = values.rows?.split(",") ?? (values.quick ? ["prefill512", "decode"] : names);
  for (const name of wanted) {
    if (!names.includes(name)) fail(`there is no row '${name}'; rows are ${names.join(", ")}`);
  }
  return {
    help: values.help, model: values.model, json: values.json, generate,
    dropCaches: values["drop-caches"], rows: rows.filter(({name}) => wanted.includes(name)),
    rounds: wholeNumber("rounds", values.rounds, values.quick ? 1 : 5),
    threads: wholeNumber("threads", values.threads, engines.physicalCores()), names,
  };
}

function say(text) {
  process.stderr.write(`bench/peer: ${text}\n`);
}

// Room for the model (if it is to be written), its packed weights, and what llama.cpp repacks.
function checkRoom(model) {
  const gigabytes = (bytes) => (bytes / 1e9).toFixed(1);
  const modelBytes = model === undefined ? 2e9 : statSync(model).size;
  const written = existsSync(path.join(engines.kWorkFolder, "synthetic-full.gguf"));
  const diskBytes = (model === undefined && !written ? modelBytes : 0)
    + (engines.hasPackedWeights() ? 0 : modelBytes) + 1e9;
  const disk = statfsSync(path.dirname(path.dirname(engines.kWorkFolder)));
  const free = disk.bavail * disk.bsize;
  if (free < diskBytes) {
    fail(`${engines.kWorkFolder} needs ${gigabytes(diskBytes)} GB of disk for the model and its `
      + `packed weights, but ${gigabytes(free)} GB are free`);
  }
  const available = Number(readFileSync("/proc/meminfo", "utf8").match(/MemAvailable:\s+(\d+)/)[1]);
  if (available * 1024 < 2 * modelBytes + 1e9) {
    fail(`llama.cpp needs ${gigabytes(2 * modelBytes + 1e9)} GB of memory for this model, but only `
      + `${gigabytes(available * 1024)} GB are available; the figures would mean little`);
  }
}

function dropCaches() {
  try {
    writeFileSync("/proc/sys/vm/drop_caches", "1");
  } catch (error) {
    fail(`--drop-caches: ${error.message}; only root may empty the page cache`);
  }
}

// Both engines do one job, in the given order; `before` prepares the start of either.
async function inTurns(job, order) {
  const results = {};
  for (const engine of order) {
    if (job.before !== undefined) await job.before(engine);
    results[engine] = engine === "notso" ? await engines.runNotso(job.notso)
      : await engines.runLlama(job.llama);
  }
  return results;
}

function speedJob(options, group, rows) {
  const prompts = rows.map(({prompt}) => prompt).filter((prompt) => prompt !== undefined);
  const generate = rows.some(({prompt}) => prompt === undefined) ? options.generate : 0;
  const {depth} = rows[0];
  const job = {kind: "speed", model: options.model, threads: options.threads, depth, prompts,
    generate, context: depth + Math.max(...prompts, generate + 2, 64) + 64};
  const avx2 = group === "avx2";
  return {notso: {...job, table: avx2 ? "avx2" : undefined},
    llama: {...job, libraries: avx2 ? options.haswell : undefined}};
}

function makeJob(options, group, rows) {
  if (["short", "deep", "avx2"].includes(group)) return speedJob(options, group, rows);
  const both = (job) => ({notso: job, llama: job});
  const common = {model: options.model, threads: options.threads, context: kMemoryContext};
  if (group === "memory") return both({...common, kind: "memory", tokens: kMemoryContext - 96});
  const start = {...common, kind: "start"};
  if (group === "start-warm") {
    const before = (engine) => engine === "notso" ? engines.runNotso(start) : undefined;
    return {...both(start), before};
  }
  const before = (engine) => {
    if (engine === "notso") engines.removePackedWeights();
    if (options.dropCaches) dropCaches();
  };
  return {...both(start), before};
}

function samplesOf(row, {notso, llama}) {
  if (row.unit === "s") return {notso: notso.seconds, llama: llama.seconds};
  if (row.unit === "GB") return {notso: notso.bytes, llama: llama.bytes};
  if (row.prompt === undefined) {
    return {notso: notso.rates.decode, llama: llama.rates.decode, percent: notso.percents.decode};
  }
  return {notso: notso.rates.prefill[row.prompt], llama: llama.rates.prefill[row.prompt],
    percent: notso.percents.prefill[row.prompt]};
}

async function runRound(options, round, facts) {
  const groups = byGroup(options.rows);
  for (const [group, rows] of groups) {
    if (group === "memory" && round > 1) continue;  // does not vary
    say(`round ${round} of ${options.rounds}: ${rows.map(({title}) => title).join("; ")}`);
    const order = round % 2 === 1 ? ["notso", "llama"] : ["llama", "notso"];
    const results = await inTurns(makeJob(options, group, rows), order);
    if (group !== "avx2") {
      facts.machine ??= results.notso.machine;
      facts.library = results.llama.library;
    } else {
      facts.avx2Library = results.llama.library;
    }
    for (const row of rows) {
      const sample = samplesOf(row, results);
      row.samples.push(sample);
      const shown = (value) => row.unit === "GB" ? (value / 1e9).toFixed(2) : value.toFixed(2);
      say(`  ${row.name}: notso ${shown(sample.notso)}, llama.cpp ${shown(sample.llama)} `
        + row.unit);
    }
  }
}

function byGroup(rows) {
  const groups = new Map();
  for (const row of rows) groups.set(row.group, [...(groups.get(row.group) ?? []), row]);
  return groups;
}

function printResults(options, facts, done) {
  if (options.rows.every(({samples}) => samples.length === 0)) return;
  const library = facts.library === undefined ? "" : `, its ${facts.library} library`;
  const avx2 = facts.avx2Library === undefined ? "" : `, its ${facts.avx2Library} library for AVX2`;
  console.log(`\n${markdown(options.rows)}\n`);
  console.log(notes({
    machine: facts.machine, versions: engines.llamaVersion(), threads: options.threads,
    rounds: done, columns: library + avx2,
    warmCache: options.dropCaches ? "the page cache was emptied before first starts"
      : "the file was in the page cache throughout",
  }));
}

function writeJson(options, facts) {
  if (options.json === undefined) return;
  writeFileSync(options.json, JSON.stringify({
    model: path.basename(options.model), threads: options.threads, peer: engines.llamaVersion(),
    ...facts, rows: options.rows.map((row) => ({...summary(row), samples: row.samples})),
  }, null, 1) + "\n");
}

// A row that this machine or its llama.cpp cannot give is left out, aloud.
function leaveOutAvx2(options) {
  if (!options.rows.some(({group}) => group === "avx2")) return;
  options.haswell = engines.librariesWithOnly("haswell");
  if (options.haswell !== undefined) return;
  say("the AVX2 rows are left out: this llama.cpp has no haswell library");
  options.rows = options.rows.filter(({group}) => group !== "avx2");
}

async function main() {
  const options = readOptions(process.argv.slice(2));
  if (options.help) {
    console.log(kHelp.replace("ROWS", options.names.join(", ").replace(/(.{60}\S*) /, "$1\n"
      + " ".repeat(19))));
    return;
  }
  if (options.model !== undefined && !existsSync(options.model)) {
    fail(`there is no file '${options.model}'; check --model`);
  }
  checkRoom(options.model);
  leaveOutAvx2(options);
  if (options.model === undefined) say("the model with random weights, 1.9 GB, is written once");
  options.model = path.resolve(options.model ?? await engines.syntheticModel());
  const facts = {};
  let done = 0;
  process.on("SIGINT", () => {
    engines.cleanUp();
    printResults(options, facts, done);
    say("interrupted; the table holds what was measured");
    process.exit(130);
  });
  for (let round = 1; round <= options.rounds; ++round) {
    await runRound(options, round, facts);
    done = round;
    writeJson(options, facts);
  }
  printResults(options, facts, done);
}

process.on("exit", engines.cleanUp);
process.on("SIGTERM", () => process.exit(143));
try {
  await main();
} catch (error) {
  process.stderr.write(`bench/peer: ${error.message}\n`);
  process.exitCode = error.expected ? 2 : 1;
}
