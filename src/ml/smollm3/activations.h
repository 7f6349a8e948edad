// The forward pass's intermediate results, allocated once.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "ml/core/backend.h"
#include "ml/smollm3/config.h"

namespace notso::smollm3 {

// Memory for steps of up to max_rows rows, max_outputs of them with logits.
struct Buffers {
  std::unique_ptr<Buffer> x;                   // [max_rows][hidden], the residual stream
  std::unique_ptr<Buffer> qkv;                 // [max_rows][(heads + 2 kv_heads) * head_dim]
  std::unique_ptr<Buffer> outputs;             // [max_outputs][hidden], rows that go on to the head
  std::unique_ptr<Buffer> logits;              // [max_outputs][vocab]
  std::unique_ptr<Activations> hidden;         // [max_rows][hidden], normalised
  std::unique_ptr<Activations> attended;       // [max_rows][heads * head_dim]
  std::unique_ptr<Activations> ffn;            // [max_rows][ffn]
  std::vector<SequenceRows> output_sequences;  // [max_outputs], one row each

  // Takes all of it from the backend.
  static Result<Buffers> make(const Config& config, Backend& backend, std::int32_t max_rows,
                              std::int32_t max_outputs);
};

}  // namespace notso::smollm3
