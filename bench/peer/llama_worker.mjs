// One process of llama.cpp (through node-llama-cpp): does one job, given as JSON in the only
// argument, and prints its results as one line of JSON.
//
//   {kind: "speed", depth, prompts, generate}   -> {rates: {prefill: {tokens: rate}, decode}}
//   {kind: "start"}                             -> {seconds}: loading, context, one token
//   {kind: "memory", tokens}                    -> {bytes}: the most that was resident
//
// All jobs name model, threads, context, and package: the node_modules folder. With `libraries`,
// a folder that holds a copy of the package with llama.cpp's libraries, that one is used instead.

import {readFileSync} from "node:fs";
import * as nodeModule from "node:module";
import {pathToFileURL} from "node:url";

const kWarmUpTokens = 32;
const job = JSON.parse(process.argv[2]);

// A line such as "VmHWM:  123 kB" of this process's status, in bytes.
function statusBytes(name) {
  const status = readFileSync("/proc/self/status", "utf8");
  return Number(status.match(new RegExp(`^${name}:\\s+(\\d+)`, "m"))[1]) * 1024;
}

// The library that ggml chose for this processor, such as "zen4".
function cpuLibrary() {
  const found = readFileSync("/proc/self/maps", "utf8").match(/libggml-cpu-?([\w.]*)\.so/);
  return found === null ? "unknown" : found[1] || "generic";
}

// ggml tries all libggml-cpu-*.so beside its addon and keeps the one that uses most of the
// processor, so a copy of the package with a single one decides which.
function redirectLibraries(folder) {
  if (nodeModule.registerHooks === undefined) {
    throw new Error("choosing llama.cpp's library needs Node.js 22.15 or later");
  }
  const url = pathToFileURL(`${folder}/dist/index.js`).href;
  nodeModule.registerHooks({
    resolve: (name, context, next) => name.startsWith("@node-llama-cpp/linux-")
      ? {url, shortCircuit: true} : next(name, context),
  });
}

function secondsSince(start) {
  return (performance.now() - start) / 1000;
}

async function load() {
  const {getLlama} = await import(pathToFileURL(`${job.package}/node-llama-cpp/dist/index.js`));
  const before = statusBytes("VmRSS");
  const start = performance.now();
  const llama = await getLlama(
    {build: "never", gpu: false, maxThreads: job.threads, logLevel: "error", progressLogs: false});
  const model = await llama.loadModel({modelPath: job.model, gpuLayers: 0});
  const context = await model.createContext({
    contextSize: job.context, batchSize: 512, threads: job.threads, flashAttention: true});
  return {before, start, model, sequence: context.getSequence()};
}

// Evaluates one token and then takes `count` more, always the likeliest; the seconds of those.
async function decodeSeconds(sequence, count) {
  let taken = 0;
  let start = 0;
  for await (const _ of sequence.evaluate([5], {temperature: 0})) {
    if (taken === 0) start = performance.now();
    if (++taken > count) break;
  }
  if (taken <= count) throw new Error(`llama.cpp stopped after ${taken} tokens`);
  return secondsSince(start);
}

async function cutTo(sequence, depth) {
  await sequence.eraseContextTokenRanges([{start: depth, end: sequence.nextTokenIndex}]);
  if (sequence.nextTokenIndex !== depth) throw new Error("llama.cpp did not forget the last test");
}

async function speed({model, sequence}) {
  let vocabulary = 0;
  for (const _ of model.iterateAllTokens()) ++vocabulary;
  const tokens = (count) => Array.from({length: count}, (_, i) => (i * 7919 + 13) % vocabulary);
  await sequence.evaluateWithoutGeneratingNewTokens(tokens(kWarmUpTokens));
  await decodeSeconds(sequence, 1);
  await sequence.clearHistory();
  if (job.depth > 0) await sequence.evaluateWithoutGeneratingNewTokens(tokens(job.depth));
  const rates = {prefill: {}};
  for (const count of job.prompts) {
    const prompt = tokens(count);
    const start = performance.now();
    await sequence.evaluateWithoutGeneratingNewTokens(prompt);
    rates.prefill[count] = count / secondsSince(start);
    await cutTo(sequence, job.depth);
  }
  if (job.generate > 0) {
    rates.decode = job.generate / await decodeSeconds(sequence, job.generate);
  }
  return {rates};
}

async function start({start: begun, sequence}) {
  await decodeSeconds(sequence, 0);
  return {seconds: secondsSince(begun)};
}

async function memory({before, sequence}) {
  await sequence.evaluateWithoutGeneratingNewTokens(Array(job.tokens).fill(5));
  return {bytes: statusBytes("VmHWM") - before};
}

if (job.libraries !== undefined) redirectLibraries(job.libraries);
const kinds = {speed, start, memory};
const result = await kinds[job.kind](await load());
console.log(JSON.stringify({...result, library: cpuLibrary()}));
process.exit(0);
