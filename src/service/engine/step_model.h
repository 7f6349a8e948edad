// The model as the engine sees it: a step of rows goes in, logits come out. Policy (who runs when,
// which pages whom belong) is written and tested against this alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "ml/core/backend.h"

namespace notso {

// One step's rows.
struct StepInput {
  std::span<const std::int32_t> tokens;  // [rows]
  StepRows rows;
  std::span<const std::int32_t> output_rows;  // rising indices of the rows whose logits are wanted
};

// A model that runs steps. One thread at a time calls run.
class StepModel {
 public:
  virtual ~StepModel() = default;

  [[nodiscard]] virtual std::size_t vocab_size() const = 0;
  // The longest sequence, and the most rows and outputs of one step.
  [[nodiscard]] virtual std::int32_t context() const = 0;
  [[nodiscard]] virtual std::int32_t max_rows() const = 0;
  [[nodiscard]] virtual std::int32_t max_outputs() const = 0;
  // Bytes of one page of kKvPageTokens positions.
  [[nodiscard]] virtual std::size_t page_bytes() const = 0;
  // Names everything that the contents of a page depend on besides the tokens: weights, kernels, KV
  // type and layout. Pages of another identity must never be read.
  [[nodiscard]] virtual std::string identity() const = 0;

  // Runs one step: writes the rows' keys and values into their pages, and the output rows' logits
  // into logits[output_rows.size() * vocab_size()].
  virtual void run(const StepInput& input, std::span<float> logits) = 0;
};

}  // namespace notso
