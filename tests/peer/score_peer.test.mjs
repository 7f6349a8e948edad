// Our next-token probabilities against llama.cpp's, both measured from the f32 reference, over
// synthetic files of every type. One test for each file.
//
// NOTSO_PEER_FILES=full runs the model's real shape instead of the tiny ones: it writes 1.9 GB into
// the temporary folder (and as much of packed weights) and removes them again.
import assert from "node:assert/strict";
import {execFileSync, spawn} from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {after, before, test} from "node:test";

import {getLlama} from "node-llama-cpp";

import {compareScores, kernelTables, ourScores, peerScores, someTokens} from "./lib/scores.mjs";

const kTokens = 64;
const kFullBytes = 6e9;  // the file, its packed weights, and room to breathe
const kContext = 4096;
const kResidentBytesMax = 2.6e9;
const notso = process.env.NOTSO;
const full = process.env.NOTSO_PEER_FILES === "full";
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "notso-peer-"));
let llama;

before(async () => {
  llama = await getLlama({build: "never", gpu: false, logLevel: "disabled", progressLogs: false});
});
after(async () => {
  await llama.dispose();
  fs.rmSync(folder, {recursive: true});
});

// Writes a file with `flags`; how far llama.cpp and each of our kernel tables are from the
// reference on it.
async function measure(t, flags, vocabulary) {
  const modelPath = path.join(folder, "model.gguf");
  execFileSync(notso, ["synth", modelPath, ...flags], {stdio: "ignore"});
  const tokens = someTokens(kTokens, vocabulary);
  const reference = await ourScores(modelPath, tokens, "reference", folder);
  assert.equal(reference[0].length, vocabulary, "the whole vocabulary");
  const peer = compareScores(reference, await peerScores(llama, modelPath, tokens));
  const ours = new Map();
  // At full size the scalar table, which is for machines without any other, takes too long.
  const tables = kernelTables(modelPath).filter((table) => !full || table !== "scalar");
  for (const table of tables) {
    ours.set(table, compareScores(reference, await ourScores(modelPath, tokens, table, folder)));
  }
  for (const [name, {divergence, rms}] of [["llama.cpp", peer], ...ours]) {
    t.diagnostic(`${flags.join(" ")}: ${name} diverges ${divergence.toExponential(3)} nats ` +
      `from the reference, rms error ${rms.toExponential(2)}`);
  }
  for (const [name, {wrongTops}] of [["llama.cpp", peer], ...ours]) {
    assert.deepEqual(wrongTops, [], `${name}: the best token where the margin exceeds the noise`);
  }
  return {peer, ours};
}

// The divergence of every table is at most `factor` times llama.cpp's, or at most `floor`.
function assertCloseAsPeer({peer, ours}, factor, floor) {
  for (const [table, {divergence}] of ours) {
    assert.ok(divergence <= Math.max(peer.divergence * factor, floor),
      `${table} diverges ${divergence}, llama.cpp ${peer.divergence}`);
  }
}

for (const seed of full ? [] : ["1", "2", "3"]) {
  test(`Q4_K_M, seed ${seed}: we diverge no more than llama.cpp`, async (t) => {
    assertCloseAsPeer(await measure(t, ["--seed", seed], 2048), 1, 0);
  });
}

test("Q4_K_M with YaRN: we diverge no more than llama.cpp", {skip: full}, async (t) => {
  assertCloseAsPeer(await measure(t, ["--seed", "5", "--yarn", "2"], 2048), 1, 0);
});

// Other types: both round activations, so neither is always nearer. A wrong layout or scale would
// diverge a thousand times more. For float files the keys and values in 16 bits are all that is
// left.
for (const type of full ? [] : ["Q5_K_M", "Q6_K", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"]) {
  test(`${type}: we and llama.cpp are equally near the reference`, async (t) => {
    const measured = await measure(t, ["--seed", "4", "--type", type], 2048);
    assertCloseAsPeer(measured, 1.5, 0);
    assert.ok(measured.peer.divergence < 2e-4);
  });
}

for (const type of full ? [] : ["F16", "BF16", "F32"]) {
  test(`${type}: we and llama.cpp are equally near the reference`, async (t) => {
    const measured = await measure(t, ["--seed", "4", "--type", type], 2048);
    assertCloseAsPeer(measured, 1, 2e-6);
    assert.ok(measured.peer.divergence < 5e-6);
  });
}

function lacksSpace(t) {
  const {bavail, bsize} = fs.statfsSync(folder);
  if (bavail * bsize >= kFullBytes) return false;
  t.skip(`SKIPPED: needs ${kFullBytes / 1e9} GB in ${os.tmpdir()}`);
  return true;
}

test("the full-size model: we diverge no more than llama.cpp", {skip: !full}, async (t) => {
  if (lacksSpace(t)) return;
  assertCloseAsPeer(await measure(t, ["--size", "full", "--seed", "1"], 128256), 1, 0);
});

// Runs generate to its end; the most memory that it had at once.
async function peakBytes(modelPath, textPath) {
  const args = ["generate", "-m", modelPath, "--file", textPath, "--ctx", `${kContext}`,
    "-n", "16", "--ignore-end", "--quiet"];
  const child = spawn(notso, args, {stdio: "ignore", env: {...process.env, NOTSO_HOME: folder}});
  let peak = 0;
  const timer = setInterval(() => {
    try {
      const status = fs.readFileSync(`/proc/${child.pid}/status`, "utf8");
      peak = Math.max(peak, Number(/VmHWM:\s*(\d+) kB/.exec(status)?.[1] ?? 0) * 1024);
    } catch {}  // it has just ended
  }, 50);
  const code = await new Promise((resolve) => child.on("close", resolve));
  clearInterval(timer);
  assert.equal(code, 0);
  return peak;
}

test("the full-size model: 4096 tokens stay below 2.6 GB", {skip: !full}, async (t) => {
  if (lacksSpace(t)) return;
  const modelPath = path.join(folder, "model.gguf");
  if (!fs.existsSync(modelPath)) execFileSync(notso, ["synth", modelPath, "--size", "full"]);
  const textPath = path.join(folder, "text");
  fs.writeFileSync(textPath, "1234567890 ".repeat(8));
  const counted = execFileSync(notso, ["tokenize", "-m", modelPath, "--file", textPath],
    {encoding: "utf8"}).split(/\s+/).filter(Boolean).length;
  const repeats = Math.floor((kContext - 32) / counted) * 8;
  fs.writeFileSync(textPath, "1234567890 ".repeat(repeats));
  const peak = await peakBytes(modelPath, textPath);
  t.diagnostic(`peak resident memory ${(peak / 1e9).toFixed(3)} GB`);
  assert.ok(peak > 1e9 && peak < kResidentBytesMax, `${peak} bytes`);
});
