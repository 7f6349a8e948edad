// SmolLM3 as the engine's model.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "ml/core/gguf/gguf.h"
#include "ml/smollm3/model.h"
#include "service/engine/step_model.h"

namespace notso {

// Runs steps on a loaded model.
class SmolLm3StepModel : public StepModel {
 public:
  // `model`, loaded from `file` onto `backend`, must outlive it. Fails when the file can no longer
  // be read.
  static Result<std::unique_ptr<SmolLm3StepModel>> make(smollm3::Model& model, const GgufFile& file,
                                                        const Backend& backend);

  [[nodiscard]] std::size_t vocab_size() const override;
  [[nodiscard]] std::int32_t context() const override;
  [[nodiscard]] std::int32_t max_rows() const override;
  [[nodiscard]] std::int32_t max_outputs() const override;
  [[nodiscard]] std::size_t page_bytes() const override;
  [[nodiscard]] std::string identity() const override { return identity_; }
  void run(const StepInput& input, std::span<float> logits) override;

 private:
  SmolLm3StepModel(smollm3::Model& model, std::string identity)
      : model_(model), identity_(std::move(identity)) {}

  smollm3::Model& model_;
  std::string identity_;
};

}  // namespace notso
