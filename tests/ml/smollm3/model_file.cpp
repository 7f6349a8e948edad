#include "ml/smollm3/model_file.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "ml/core/gguf/writer.h"
#include "ml/smollm3/synth_blocks.h"

namespace notso::smollm3 {

ModelFile::ModelFile(const ModelShape& shape) : seed_(shape.seed) {
  const std::uint32_t queries = shape.heads * shape.head_dim;
  const std::uint32_t keys = shape.kv_heads * shape.head_dim;
  set("general.architecture", "smollm3");
  set("smollm3.block_count", shape.layers);
  set("smollm3.context_length", 4096u);
  set("smollm3.embedding_length", shape.hidden);
  set("smollm3.feed_forward_length", shape.ffn);
  set("smollm3.attention.head_count", shape.heads);
  set("smollm3.attention.head_count_kv", shape.kv_heads);
  set("smollm3.attention.layer_norm_rms_epsilon", 1e-6f);
  set("smollm3.rope.freq_base", 10'000.0f);
  set("smollm3.rope.dimension_count", shape.head_dim);
  if (queries != shape.hidden) set("smollm3.attention.key_length", shape.head_dim);

  const auto norm = [&](const std::string& name) {
    add_tensor({name, DType::kF32, {shape.hidden}, 1.0f, 0.2f});
  };
  // Sharp attention and large updates of the residual: a wrong angle is then a wrong answer.
  const auto matrix = [&](const std::string& name, DType type, std::uint32_t columns,
                          std::uint32_t rows, float gain) {
    add_tensor({name, type, {columns, rows}, 0.0f, gain / std::sqrt(static_cast<float>(columns))});
  };
  add_tensor({"token_embd.weight", shape.type, {shape.hidden, shape.vocab}, 0.0f, 0.2f});
  for (std::uint32_t i = 0; i < shape.layers; ++i) {
    const std::string block = "blk." + std::to_string(i) + ".";
    norm(block + "attn_norm.weight");
    matrix(block + "attn_q.weight", shape.type, shape.hidden, queries, 1.5f);
    matrix(block + "attn_k.weight", shape.type, shape.hidden, keys, 1.5f);
    matrix(block + "attn_v.weight", shape.value_type, shape.hidden, keys, 1.0f);
    matrix(block + "attn_output.weight", shape.type, queries, shape.hidden, 0.3f);
    norm(block + "ffn_norm.weight");
    matrix(block + "ffn_gate.weight", shape.type, shape.hidden, shape.ffn, 1.0f);
    matrix(block + "ffn_up.weight", shape.type, shape.hidden, shape.ffn, 1.0f);
    matrix(block + "ffn_down.weight", shape.value_type, shape.ffn, shape.hidden, 0.3f);
  }
  norm("output_norm.weight");
  if (shape.untied) matrix("output.weight", shape.type, shape.hidden, shape.vocab, 1.0f);
}

void ModelFile::set(const std::string& key, Value value) {
  drop(key);
  pairs_.emplace_back(key, std::move(value));
}

void ModelFile::drop(const std::string& key) {
  std::erase_if(pairs_, [&](const auto& pair) { return pair.first == key; });
}

ModelFile::Tensor& ModelFile::tensor(const std::string& name) {
  for (Tensor& tensor : tensors_) {
    if (tensor.name == name) return tensor;
  }
  throw std::runtime_error("the test model has no tensor " + name);
}

void ModelFile::drop_tensor(const std::string& name) {
  std::erase_if(tensors_, [&](const Tensor& tensor) { return tensor.name == name; });
}

void ModelFile::use_yarn() {
  set("smollm3.context_length", 512u);
  set("smollm3.rope.scaling.type", "yarn");
  set("smollm3.rope.scaling.factor", 8.0f);
  set("smollm3.rope.scaling.original_context_length", 64u);
  set("smollm3.rope.scaling.yarn_beta_fast", 4.0f);
}

const std::string& ModelFile::write(const std::string& path) const {
  GgufWriter writer;
  for (const auto& [key, value] : pairs_) {
    if (const auto* text = std::get_if<std::string>(&value)) {
      writer.add_string(key, *text);
    } else if (const auto* number = std::get_if<float>(&value)) {
      writer.add_number<float>(key, *number);
    } else {
      writer.add_number<std::uint32_t>(key, std::get<std::uint32_t>(value));
    }
  }
  std::uint64_t count = 0;
  for (const Tensor& tensor : tensors_) {
    const std::uint64_t key = RandomStream(RandomStream(seed_).next() + ++count).next() << 32;
    writer.add_tensor(tensor.name, tensor.type, tensor.shape,
                      [=](std::uint64_t first_block, std::span<std::byte> out) {
                        draw_blocks(tensor.type, key, tensor.mean, tensor.deviation, first_block,
                                    out);
                      });
  }
  if (const Status written = writer.write(path); !written) {
    throw std::runtime_error(written.error().message);
  }
  return path;
}

}  // namespace notso::smollm3
