// An engine's loop over the model without weights, driven step by step.
#pragma once

#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "service/engine/engine_loop.h"
#include "service/engine/fake_model.h"

namespace notso {

// A request of a test. Prompts of the same seed begin alike.
struct Ask {
  std::size_t prompt_size = 100;
  std::uint64_t seed = 1;
  Script script = {};
  std::string session = {};
  std::string scope = {};
  Priority priority = Priority::kInteractive;
  bool drafts = true;
};

class LoopTest : public ::testing::Test {
 protected:
  LoopTest() {
    options_.kv_bytes_max = 256 * FakeModel::kPageBytes;
    start();
  }

  // Begins anew with options_.
  void start() {
    options_.clock = model_.clock();
    loop_ = std::move(*EngineLoop::make(model_, options_));
  }

  std::shared_ptr<Outcome> add(const Ask& ask) {
    const auto outcome = std::make_shared<Outcome>();
    EngineRequest request;
    request.prompt = made_up_prompt(ask.prompt_size, ask.seed);
    auto policy =
        std::make_unique<ScriptPolicy>(ask.script, request.prompt, outcome, model_.clock());
    policy->on_token = on_token_;
    request.policy = std::move(policy);
    request.session = ask.session;
    request.cache_scope = ask.scope;
    request.priority = ask.priority;
    request.drafts = ask.drafts;
    request.token_s_max = token_s_max_;
    EXPECT_TRUE(loop_->check(request));
    loop_->add(++last_id_, std::move(request), model_.clock()());
    return outcome;
  }

  void run_to_end() {
    for (int i = 0; i < 100'000; ++i) {
      if (!loop_->step()) return;
    }
    FAIL() << "the loop does not come to an end";
  }

  static std::vector<std::int32_t> alone(const Ask& ask) {
    return tokens_alone({}, made_up_prompt(ask.prompt_size, ask.seed), ask.script);
  }

  static std::vector<double> gaps_of(const Outcome& outcome) {
    std::vector<double> gaps;
    for (std::size_t i = 1; i < outcome.times_s.size(); ++i) {
      gaps.push_back(outcome.times_s[i] - outcome.times_s[i - 1]);
    }
    return gaps;
  }

  FakeModel model_;
  EngineOptions options_;
  std::unique_ptr<EngineLoop> loop_;
  RequestId last_id_ = 0;
  std::function<void(std::size_t)> on_token_;
  std::optional<double> token_s_max_;
};

}  // namespace notso
