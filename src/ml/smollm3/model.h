// SmolLM3 ready to run: configuration, weights, and the forward pass over a step of rows from many
// sequences.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "ml/core/backend.h"
#include "ml/smollm3/activations.h"
#include "ml/smollm3/config.h"
#include "ml/smollm3/kv_layout.h"
#include "ml/smollm3/weights.h"

namespace notso::smollm3 {

// How to set a model up.
struct ModelOptions {
  std::int32_t context = 4096;    // longest sequence; YaRN is switched on where the model needs it
  std::int32_t max_rows = 512;    // most rows in one step
  std::int32_t max_outputs = 64;  // most rows whose logits one step gives
  KvType kv_type = KvType::kF16;
};

// One step's input. Tokens are inside the vocabulary; rows are in the order of step.sequences.
struct Batch {
  std::span<const std::int32_t> tokens;  // [rows]
  StepRows step;
  std::span<const std::int32_t> output_rows;  // rising indices of the rows whose logits are wanted
};

// A loaded model. One thread at a time may call forward.
class Model {
 public:
  // Loads from an opened file onto `backend`, which must outlive the model.
  static Result<std::unique_ptr<Model>> load(const std::shared_ptr<const GgufFile>& file,
                                             Backend& backend, const ModelOptions& options,
                                             const LoadProgress& progress = {});

  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] const ModelOptions& options() const { return options_; }
  [[nodiscard]] const KvLayout& kv_layout() const { return kv_layout_; }

  // Runs one step: appends the rows' keys and values to their sequences' pages and gives the logits
  // of the output rows, logits[output_rows.size() * vocab]. Does not allocate.
  void forward(const Batch& batch, std::span<float> logits);

 private:
  Model(const Config& config, Weights weights, Backend& backend, const ModelOptions& options,
        Buffers buffers);

  void run_layer(std::int32_t index, const StepRows& step, Rows x);
  void run_last_layer(const Batch& batch, Rows x, Rows out);
  void run_attention(const Layer& layer, std::int32_t index, const StepRows& step, Rows queries,
                     Rows x);
  void run_ffn(const Layer& layer, Rows x);
  void append(std::int32_t index, const StepRows& step, Rows keys, Rows values);

  Config config_;
  Weights weights_;
  Backend& backend_;
  ModelOptions options_;
  KvLayout kv_layout_;
  Rope rope_;
  Buffers buffers_;
};

}  // namespace notso::smollm3
