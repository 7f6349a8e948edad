// Small SmolLM3 files of any shape, whose metadata and tensors a test can bend before it writes
// them. Smaller than what `notso synth` makes, and with attention that looks far around.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "ml/core/quant/dtype.h"

namespace notso::smollm3 {

// The shape of a test model. Columns of a matrix must fit the blocks of its type.
struct ModelShape {
  std::uint32_t layers = 5;  // layer 3 has no RoPE, the last one has
  std::uint32_t hidden = 256;
  std::uint32_t heads = 4;
  std::uint32_t kv_heads = 2;
  std::uint32_t head_dim = 64;
  std::uint32_t ffn = 512;
  std::uint32_t vocab = 100;  // not a multiple of a panel's rows
  DType type = DType::kQ4_K;
  DType value_type = DType::kQ6_K;
  bool untied = false;
  std::uint64_t seed = 1;
};

// A file's contents, to be changed and written.
class ModelFile {
 public:
  using Value = std::variant<std::uint32_t, float, std::string>;
  struct Tensor {
    std::string name;
    DType type;
    std::vector<std::uint64_t> shape;  // GGUF order: columns first
    float mean;
    float deviation;
  };

  explicit ModelFile(const ModelShape& shape);

  // Adds or replaces a metadata value; removes one.
  void set(const std::string& key, Value value);
  void drop(const std::string& key);
  // The tensor `name`, which must be there; removes one; adds one.
  Tensor& tensor(const std::string& name);
  void drop_tensor(const std::string& name);
  void add_tensor(Tensor added) { tensors_.push_back(std::move(added)); }

  // Makes YaRN keys that matter at short positions: factor 8 beyond 64 positions.
  void use_yarn();

  // Writes the file; returns the path. The same contents and seed give the same bytes.
  const std::string& write(const std::string& path) const;

 private:
  std::uint64_t seed_;
  std::vector<std::pair<std::string, Value>> pairs_;
  std::vector<Tensor> tensors_;
};

}  // namespace notso::smollm3
