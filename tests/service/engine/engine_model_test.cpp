// The engine over a real model, tiny and with random weights: answers in a crowd, with drafts and
// from a warm cache, are those of the plain loop that runs one conversation at a time.
#include <cstdlib>
#include <filesystem>
#include <future>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "ml/core/cpu/cpu_backend.h"
#include "ml/smollm3/synth.h"
#include "service/chat/answer.h"
#include "service/engine/engine.h"
#include "service/engine/smollm3_step_model.h"

namespace notso {
namespace {

using ::testing::HasSubstr;

// A tiny model with its file.
struct TinyModel {
  std::shared_ptr<const GgufFile> file;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<smollm3::Model> model;
};

TinyModel load_tiny(const smollm3::ModelOptions& options) {
  std::string folder = (std::filesystem::temp_directory_path() / "notso-engine-XXXXXX").string();
  NOTSO_CHECK(::mkdtemp(folder.data()) != nullptr);
  const std::string path = folder + "/tiny.gguf";
  SynthOptions synth;
  synth.mix = SynthMix::kQ8_0;
  synth.seed = 4;
  NOTSO_CHECK(write_synthetic_model(path, synth));
  TinyModel tiny;
  auto file = GgufFile::open(path);
  std::filesystem::remove_all(folder);
  CpuOptions cpu;
  cpu.threads = 1;
  auto backend = make_cpu_backend(cpu);
  NOTSO_CHECK(file && backend);
  tiny.file = *file;
  tiny.tokenizer = *Tokenizer::from_gguf(*tiny.file);
  tiny.backend = std::move(*backend);
  tiny.model = std::move(*smollm3::Model::load(tiny.file, *tiny.backend, options));
  return tiny;
}

// Drives an answer's state.
class StatePolicy : public TokenPolicy {
 public:
  StatePolicy(std::unique_ptr<AnswerState> state, std::promise<std::vector<TokenId>> tokens)
      : state_(std::move(state)), tokens_(std::move(tokens)) {}

  void queued(std::int32_t, double) override {}
  void prompt_progress(std::int32_t, std::int32_t) override {}
  [[nodiscard]] bool is_forced() const override { return state_->is_forced(); }
  [[nodiscard]] Result<std::int32_t> next(std::span<const float> logits,
                                          Sampler& sampler) override {
    return state_->next(logits, sampler);
  }
  bool accept(std::int32_t token) override { return state_->accept(token, events_); }
  void ended(const RequestReport&) override {
    tokens_.set_value({state_->tokens().begin(), state_->tokens().end()});
  }

 private:
  std::unique_ptr<AnswerState> state_;
  std::promise<std::vector<TokenId>> tokens_;
  std::vector<ChatEvent> events_;
};

class EngineModelTest : public ::testing::Test {
 protected:
  EngineModelTest() : vocabulary_(tiny_.tokenizer, step_model_->vocab_size()) {}

  void start(const EngineOptions& options) {
    engine_ = std::move(*Engine::start(*step_model_, options));
  }

  std::future<std::vector<TokenId>> submit(const std::vector<TokenId>& prompt,
                                           const AnswerOptions& options) {
    auto state = AnswerState::make(vocabulary_, options, prompt, step_model_->context());
    std::promise<std::vector<TokenId>> promise;
    auto tokens = promise.get_future();
    EngineRequest request;
    request.prompt = prompt;
    request.policy = std::make_unique<StatePolicy>(std::move(*state), std::move(promise));
    NOTSO_CHECK(engine_->submit(std::move(request)));
    return tokens;
  }

  // What the plain loop answers.
  std::vector<TokenId> alone(const std::vector<TokenId>& prompt, const AnswerOptions& options) {
    TinyModel tiny = load_tiny({.context = 512, .max_outputs = 1});
    const auto answerer = std::move(*Answerer::make(*tiny.model, tiny.tokenizer));
    std::vector<TokenId> tokens;
    const auto done = answerer->answer(prompt, options,
                                       {[&](std::span<const ChatEvent> events) {
                                          for (const ChatEvent& event : events) {
                                            const auto* finished = std::get_if<Finished>(&event);
                                            if (finished != nullptr)
                                              tokens = finished->message.tokens;
                                          }
                                        },
                                        {}});
    NOTSO_CHECK(done);
    return tokens;
  }

  // Several conversations that begin alike; half of them are sampled, half are greedy.
  void expect_answers_as_alone(int count) {
    std::vector<std::vector<TokenId>> prompts;
    std::vector<AnswerOptions> options;
    std::vector<std::future<std::vector<TokenId>>> answers;
    for (int i = 0; i < count; ++i) {
      std::string text = "<|im_start|>user\n";
      for (int word = 0; word < 40; ++word) text += " the same words " + std::to_string(word % 7);
      text += std::to_string(i / 2) + "<|im_end|>\n<|im_start|>assistant\n";
      prompts.push_back(tiny_.tokenizer->encode(text, true));
      AnswerOptions answer;
      answer.sampling.temperature = i % 2 == 0 ? 0.0F : 1.2F;
      answer.sampling.seed = static_cast<std::uint64_t>(i);
      answer.max_tokens = 60;
      answer.thinking_budget = 20;
      options.push_back(answer);
      answers.push_back(submit(prompts.back(), answer));
    }
    for (std::size_t i = 0; i < answers.size(); ++i) {
      EXPECT_EQ(answers[i].get(), alone(prompts[i], options[i])) << "request " << i;
    }
  }

  TinyModel tiny_ = load_tiny({.context = 512, .max_rows = 48, .max_outputs = 16});
  std::unique_ptr<SmolLm3StepModel> step_model_ =
      SmolLm3StepModel::make(*tiny_.model, *tiny_.file, *tiny_.backend).value();
  AnswerVocabulary vocabulary_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineModelTest, AnswersInACrowdAreThoseOfThePlainLoop) {
  EngineOptions options;
  options.kv_bytes_max = 64 * step_model_->page_bytes();
  start(options);
  expect_answers_as_alone(6);
  EXPECT_GT(engine_->stats().draft_tokens, 0U);
}

TEST_F(EngineModelTest, AnswersWithFewPagesAreThoseOfThePlainLoop) {
  EngineOptions options;
  options.kv_bytes_max = 9 * step_model_->page_bytes();
  options.drafts = false;
  start(options);
  expect_answers_as_alone(4);
}

TEST_F(EngineModelTest, TheIdentityNamesWhatPagesDependOn) {
  const std::string identity = step_model_->identity();
  EXPECT_THAT(identity, HasSubstr("smollm3"));
  EXPECT_THAT(identity, HasSubstr("kernels="));
  EXPECT_THAT(identity, HasSubstr("kv=f16"));
  const TinyModel other = load_tiny({.context = 512, .kv_type = KvType::kQ8_0});
  const auto other_steps =
      SmolLm3StepModel::make(*other.model, *other.file, *other.backend).value();
  EXPECT_NE(other_steps->identity(), identity);
}

}  // namespace
}  // namespace notso
