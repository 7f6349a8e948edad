// A model without weights, for testing the engine's policy. What it writes into pages are the
// tokens, and what it answers is a hash over all tokens and positions that it finds in the pages
// again: a page that is missing, stale, somebody else's or written in part changes every answer
// that comes after it.
//
// Its time is made up: each step moves a clock by what a step of so many rows costs.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "service/engine/engine.h"
#include "service/engine/step_model.h"

namespace notso {

// The model's shape and habits.
struct FakeModelOptions {
  std::int32_t context = 1024;
  std::int32_t max_rows = 64;
  std::int32_t max_outputs = 32;
  // Seconds of a step: nearly flat for a few rows, then in proportion.
  std::function<double(std::int32_t rows)> cost = [](std::int32_t rows) {
    return rows <= 4 ? 0.05 + 0.002 * rows : 0.018 + 0.01 * rows;
  };
};

class FakeModel : public StepModel {
 public:
  static constexpr std::size_t kVocab = 61;
  static constexpr std::size_t kPageBytes = kKvPageTokens * 2 * sizeof(std::int32_t);

  explicit FakeModel(FakeModelOptions options = {}) : options_(std::move(options)) {}

  [[nodiscard]] std::size_t vocab_size() const override { return kVocab; }
  [[nodiscard]] std::int32_t context() const override { return options_.context; }
  [[nodiscard]] std::int32_t max_rows() const override { return options_.max_rows; }
  [[nodiscard]] std::int32_t max_outputs() const override { return options_.max_outputs; }
  [[nodiscard]] std::size_t page_bytes() const override { return kPageBytes; }
  [[nodiscard]] std::string identity() const override { return "fake"; }
  void run(const StepInput& input, std::span<float> logits) override;

  // What the made-up clock shows. For EngineOptions::clock.
  [[nodiscard]] std::function<double()> clock();

  // Moves the clock, if it is not there yet: nothing happens meanwhile.
  void advance_to(double now_s) { *now_s_ = std::max(now_s_->load(), now_s); }

  // Called in every step, before it runs; may throw, or change what follows.
  std::function<void(const StepInput&)> before_step;
  // A sequence that holds this token has logits that are not numbers.
  std::optional<std::int32_t> poison;

  // Counts.
  std::int64_t steps = 0;
  std::int64_t rows = 0;
  std::int32_t most_rows = 0;

 private:
  void answer(const SequenceRows& sequence, std::int32_t position, std::span<float> logits) const;

  FakeModelOptions options_;
  std::shared_ptr<std::atomic<double>> now_s_ = std::make_shared<std::atomic<double>>(0.0);
};

// How a test's request wants its tokens.
struct Script {
  std::int32_t tokens_max = 20;
  float temperature = 0;
  float repetition_penalty = 1;
  std::uint64_t seed = 0;
  std::int32_t forced_every = 0;  // after so many tokens, three are forced; 0: never
};

// What became of a request; the engine's thread writes, the test reads after ended.
struct Outcome {
  std::vector<std::int32_t> tokens;
  std::vector<std::int32_t> positions;  // in the queue
  std::vector<std::int32_t> progress;
  std::vector<double> times_s;  // of the tokens, on the model's clock
  int ends = 0;
  RequestReport report;
};

// Draws by a script and writes into an outcome.
class ScriptPolicy : public TokenPolicy {
 public:
  ScriptPolicy(const Script& script, std::span<const std::int32_t> prompt,
               std::shared_ptr<Outcome> outcome, std::function<double()> clock = {});

  void queued(std::int32_t position, double wait_s) override;
  void prompt_progress(std::int32_t done, std::int32_t total) override;
  [[nodiscard]] bool is_forced() const override;
  [[nodiscard]] Result<std::int32_t> next(std::span<const float> logits, Sampler& sampler) override;
  bool accept(std::int32_t token) override;
  void ended(const RequestReport& report) override;

  // Called with each token; may throw.
  std::function<void(std::size_t count)> on_token;
  // Called at the end, after the outcome is complete.
  std::function<void()> on_end;

 private:
  Script script_;
  SamplingParams params_;
  TokenHistory history_;
  std::size_t prompt_size_;
  std::shared_ptr<Outcome> outcome_;
  std::function<double()> clock_;
};

// The tokens that a request gets from the model without any engine.
[[nodiscard]] std::vector<std::int32_t> tokens_alone(const FakeModelOptions& options,
                                                     std::span<const std::int32_t> prompt,
                                                     const Script& script);

// A prompt of made-up tokens: the same seed gives the same beginning.
[[nodiscard]] std::vector<std::int32_t> made_up_prompt(std::size_t size, std::uint64_t seed);

}  // namespace notso
