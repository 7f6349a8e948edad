// Next-token distributions of our program and of llama.cpp for the same tokens, and how far apart
// two of them are. A distribution is a Float64Array of log probabilities by token id.
import assert from "node:assert/strict";
import {spawn, spawnSync} from "node:child_process";
import readline from "node:readline";

const kAllTokens = 200_000;

// Token ids that are the same in every run, below `vocabulary`.
export function someTokens(count, vocabulary) {
  return Array.from({length: count}, (_, i) => (i * 7919 + 13) % (vocabulary - 64));
}

// The kernel tables that this machine can run: the message about an unknown one lists them.
export function kernelTables(modelPath) {
  const {stderr} = spawnSync(process.env.NOTSO, ["score", "-m", modelPath, "--tokens", "1"],
    {encoding: "utf8", env: {...process.env, NOTSO_CPU: "unknown"}});
  return /it has: (.*), reference/.exec(stderr)[1].split(", ");
}

// Every position's distribution from `notso score`. `table` is NOTSO_CPU's value.
export async function ourScores(modelPath, tokens, table, home, flags = []) {
  const args = ["score", "-m", modelPath, "--tokens", tokens.join(","), "--top", kAllTokens,
    ...flags];
  const child = spawn(process.env.NOTSO, args.map(String), {
    env: {...process.env, NOTSO_CPU: table, NOTSO_HOME: home},
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => {
    child.on("close", (code, signal) => resolve(signal ?? code));
  });
  const scores = [];
  for await (const line of readline.createInterface({input: child.stdout})) {
    if (!line.endsWith("}")) break;  // the program died: its exit code says more than half a line
    const {top} = JSON.parse(line);
    if (top === undefined) continue;
    const distribution = new Float64Array(top.length).fill(NaN);
    for (const [token, logprob] of top) distribution[token] = logprob;
    scores.push(distribution);
  }
  assert.equal(await ended, 0, `notso score with NOTSO_CPU=${table}`);
  assert.equal(scores.length, tokens.length);
  return scores;
}

// The same from llama.cpp, from its logits.
export async function peerScores(llama, modelPath, tokens) {
  const model = await llama.loadModel({modelPath, gpuLayers: 0});
  const context = await model.createContext(
    {contextSize: 512, batchSize: 512, threads: 2, flashAttention: false});
  const input = tokens.map((token) => [token, {generateNext: {logits: true}}]);
  const results = await context.getSequence().controlledEvaluate(input);
  const scores = results.map(({next}) => logSoftmax(next.logits));
  await context.dispose();
  await model.dispose();
  return scores;
}

function logSoftmax(logits) {
  const scores = new Float64Array(logits.size).fill(NaN);
  let top = -Infinity;
  for (const [token, logit] of logits) {
    scores[token] = logit;
    top = Math.max(top, logit);
  }
  let sum = 0;
  for (const score of scores) sum += Math.exp(score - top);
  const offset = top + Math.log(sum);
  return scores.map((score) => score - offset);
}

function indexOfMax(values) {
  let best = 0;
  for (let i = 1; i < values.length; ++i) if (values[i] > values[best]) best = i;
  return best;
}

// How `other` differs from `reference`: the mean Kullback-Leibler divergence over the positions,
// the root mean square error of a log probability, and the positions where the best token is
// another although the reference puts it ahead by more than four of those errors.
export function compareScores(reference, other) {
  let divergence = 0;
  let squares = 0;
  let count = 0;
  reference.forEach((truth, i) => {
    assert.equal(other[i].length, truth.length, "a probability for every token");
    for (let token = 0; token < truth.length; ++token) {
      const error = truth[token] - other[i][token];
      divergence += Math.exp(truth[token]) * error;
      squares += error * error;
    }
    count += truth.length;
  });
  const rms = Math.sqrt(squares / count);
  const wrongTops = reference.map((truth, i) => {
    const best = indexOfMax(truth);
    const theirs = indexOfMax(other[i]);
    return {position: i, margin: truth[best] - truth[theirs]};
  }).filter(({margin}) => margin > 4 * rms);
  return {divergence: divergence / reference.length, rms, wrongTops};
}
