// SmolLM3's weights by name, resident on a backend.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "ml/core/backend.h"
#include "ml/core/gguf/gguf.h"
#include "ml/smollm3/config.h"

namespace notso::smollm3 {

// One transformer layer. Shapes are [rows = outputs][columns = inputs].
struct Layer {
  std::unique_ptr<Matrix> attention_norm;  // [hidden]
  std::unique_ptr<Matrix> query;           // [heads * head_dim][hidden]
  std::unique_ptr<Matrix> key;             // [kv_heads * head_dim][hidden]
  std::unique_ptr<Matrix> value;           // [kv_heads * head_dim][hidden]
  std::unique_ptr<Matrix> output;          // [hidden][heads * head_dim]
  std::unique_ptr<Matrix> ffn_norm;        // [hidden]
  std::unique_ptr<Matrix> gate;            // [ffn][hidden]
  std::unique_ptr<Matrix> up;              // [ffn][hidden]
  std::unique_ptr<Matrix> down;            // [hidden][ffn]
};

// The whole model.
struct Weights {
  std::unique_ptr<Matrix> embedding;  // [vocab][hidden]
  std::vector<Layer> layers;
  std::unique_ptr<Matrix> output_norm;  // [hidden]
  std::unique_ptr<Matrix> untied_head;  // [vocab][hidden]; null when the embedding is the head

  [[nodiscard]] const Matrix& head() const { return untied_head ? *untied_head : *embedding; }
};

// Checks that `file` has exactly SmolLM3's tensors in the shapes that `config` asks for, and makes
// them resident.
[[nodiscard]] Result<Weights> load_weights(const std::shared_ptr<const GgufFile>& file,
                                           const Config& config, Backend& backend,
                                           const LoadProgress& progress);

}  // namespace notso::smollm3
