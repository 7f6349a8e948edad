// Answers for one conversation at a time: reads the prompt, samples, tells what happens. Keys and
// values stay between answers, so a prompt that begins like what was read before is read only from
// where it differs. Results do not depend on that: the same prompt and seed give the same tokens.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "ml/smollm3/model.h"
#include "service/chat/answer_state.h"
#include "service/chat/stream_buffer.h"

namespace notso {

// The bounds of one answer. Both times run from when the prompt is read; they are looked at between
// tokens, end the answer gracefully and keep what there is.
struct AnswererOptions {
  std::int32_t prompt_chunk = 128;  // prompt tokens between two looks at the cancel flag
  double token_s_max = 30;          // without a new token
  double answer_s_max = 600;
  SecondsClock clock = steady_clock();
};

// What an answer reports to, on the thread that runs it.
struct AnswerSinks {
  // The events of each token, also when there are none; the last one of the last call is Finished.
  std::function<void(std::span<const ChatEvent>)> events;
  // How many tokens of the prompt are read, those from earlier included. May be empty.
  std::function<void(std::int32_t done, std::int32_t total)> prompt_progress;
};

// The generation loop over one sequence. Use it from one thread at a time.
class Answerer {
 public:
  // Room for one sequence of model.options().context tokens. `model` must outlive the answerer.
  static Result<std::unique_ptr<Answerer>> make(smollm3::Model& model,
                                                std::shared_ptr<const Tokenizer> tokenizer,
                                                AnswererOptions options = {});

  // Runs one answer. Fails without any event where the options or the size of the prompt do not
  // allow it to start; what happens later is told by Finished. Setting `cancel`, from any thread or
  // a signal handler, ends it after the step at hand.
  Status answer(std::span<const TokenId> prompt, const AnswerOptions& options,
                const AnswerSinks& sinks, const std::atomic<bool>* cancel = nullptr);

  // The tokens whose keys and values are kept.
  [[nodiscard]] std::span<const TokenId> resident() const { return resident_; }

 private:
  // How one run stands.
  struct Run {
    AnswerState& state;
    const AnswerSinks& sinks;
    const std::atomic<bool>* cancel;
    double begin_s = 0;  // of the run
    double read_s = 0;   // when the prompt was read
    double first_s = 0;  // when the first token came
    double last_s = 0;   // when the last one came
    std::int32_t cached = 0;
  };

  Answerer(smollm3::Model& model, std::shared_ptr<const Tokenizer> tokenizer,
           smollm3::SequencePages pages, AnswererOptions options);

  bool read_prompt(std::span<const TokenId> prompt, Run& run);
  Result<FinishReason> generate(Run& run);
  void read(std::span<const TokenId> tokens, bool want_logits);
  void report_end(Run& run, const Result<FinishReason>& end);

  smollm3::Model& model_;
  AnswererOptions options_;
  AnswerVocabulary vocabulary_;
  smollm3::SequencePages pages_;
  Sampler sampler_;
  std::vector<float> logits_;      // [vocab] of the last token read
  std::vector<TokenId> resident_;  // its length is the position of the next token
};

}  // namespace notso
