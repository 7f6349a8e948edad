// Writes GGUF files that hold a vocabulary and no tensors: enough for llama.cpp to tokenize.
import fs from "node:fs";

const kTypes = {u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9};

function string(text) {
  const bytes = Buffer.from(text);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([size, bytes]);
}

function number(type, value) {
  const bytes = Buffer.alloc(type === "bool" ? 1 : 4);
  if (type === "f32") bytes.writeFloatLE(value);
  else if (type === "bool") bytes.writeUInt8(value ? 1 : 0);
  else if (type === "i32") bytes.writeInt32LE(value);
  else bytes.writeUInt32LE(value);
  return bytes;
}

function typed(type, value) {
  if (!Array.isArray(value)) return type === "string" ? string(value) : number(type, value);
  const head = Buffer.alloc(12);
  head.writeUInt32LE(kTypes[type]);
  head.writeBigUInt64LE(BigInt(value.length), 4);
  return Buffer.concat([head, ...value.map((item) => typed(type, item))]);
}

function pair(key, type, value) {
  const kind = Array.isArray(value) ? kTypes.array : kTypes[type];
  return Buffer.concat([string(key), number("u32", kind), typed(type, value)]);
}

// `vocabulary`: {tokens, types, merges, bos, eos}; `pre`: the name of the pre-tokeniser.
export function writeVocabularyGguf(path, vocabulary, pre) {
  const model = "smollm3";
  const pairs = [
    pair("general.architecture", "string", model),
    pair(`${model}.block_count`, "u32", 4),
    pair(`${model}.context_length`, "u32", 65536),
    pair(`${model}.embedding_length`, "u32", 64),
    pair(`${model}.feed_forward_length`, "u32", 128),
    pair(`${model}.attention.head_count`, "u32", 4),
    pair(`${model}.attention.head_count_kv`, "u32", 2),
    pair(`${model}.attention.layer_norm_rms_epsilon`, "f32", 1e-6),
    pair(`${model}.rope.freq_base`, "f32", 5e6),
    pair(`${model}.rope.dimension_count`, "u32", 16),
    pair(`${model}.vocab_size`, "u32", vocabulary.tokens.length),
    pair("tokenizer.ggml.model", "string", "gpt2"),
    pair("tokenizer.ggml.pre", "string", pre),
    pair("tokenizer.ggml.tokens", "string", vocabulary.tokens),
    pair("tokenizer.ggml.token_type", "i32", vocabulary.types),
    pair("tokenizer.ggml.merges", "string", vocabulary.merges),
    pair("tokenizer.ggml.bos_token_id", "u32", vocabulary.bos),
    pair("tokenizer.ggml.eos_token_id", "u32", vocabulary.eos),
    pair("tokenizer.ggml.add_bos_token", "bool", false),
  ];
  const head = Buffer.alloc(24);
  head.write("GGUF");
  head.writeUInt32LE(3, 4);
  head.writeBigUInt64LE(0n, 8);
  head.writeBigUInt64LE(BigInt(pairs.length), 16);
  fs.writeFileSync(path, Buffer.concat([head, ...pairs]));
}
