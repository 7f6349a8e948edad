// The engine with its thread: many threads ask, cancel and look at once.
#include "service/engine/engine.h"

#include <condition_variable>
#include <ctime>
#include <future>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mutex>
#include <random>
#include <thread>

#include "service/engine/fake_model.h"

namespace notso {
namespace {

using ::testing::HasSubstr;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kRequestsEach = 12;
#else
constexpr int kRequestsEach = 60;
#endif

// A submitted request.
struct Submitted {
  Result<RequestId> id = fail(ErrorCode::kInternal, "not submitted");
  std::shared_ptr<Outcome> outcome = std::make_shared<Outcome>();
  std::future<void> ended;
};

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() {
    options_.kv_bytes_max = 64 * FakeModel::kPageBytes;
    options_.clock = model_.clock();
    options_.queue_s_max = options_.token_s_max = options_.answer_s_max = 1e9;
  }

  void start() { engine_ = std::move(*Engine::start(model_, options_)); }

  Submitted submit(std::vector<std::int32_t> prompt, const Script& script = {},
                   std::function<void()> on_end = {}) {
    Submitted submitted;
    const auto promise = std::make_shared<std::promise<void>>();
    submitted.ended = promise->get_future();
    auto policy = std::make_unique<ScriptPolicy>(script, prompt, submitted.outcome);
    policy->on_end = [promise, on_end] {
      if (on_end) on_end();
      promise->set_value();
    };
    EngineRequest request;
    request.prompt = std::move(prompt);
    request.policy = std::move(policy);
    submitted.id = engine_->submit(std::move(request));
    return submitted;
  }

  // Keeps the thread inside a step until let_go() is called; each step takes at least `step`.
  void hold_steps(std::chrono::milliseconds step = std::chrono::milliseconds(1)) {
    model_.before_step = [this, step](const StepInput&) {
      std::unique_lock lock(mutex_);
      is_held_ = true;
      changed_.notify_all();
      changed_.wait(lock, [this] { return may_go_; });
      lock.unlock();
      std::this_thread::sleep_for(step);
    };
  }
  void wait_until_held() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_held_; });
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    may_go_ = true;
    changed_.notify_all();
  }

  FakeModel model_;
  EngineOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_held_ = false;
  bool may_go_ = false;
  std::unique_ptr<Engine> engine_;  // goes first: its thread uses all of the above
};

TEST_F(EngineTest, ManyThreadsAskAndCancelAndEachGetsWhatItGetsAlone) {
  start();
  const auto ask = [this](std::uint32_t seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < kRequestsEach; ++i) {
      const auto prompt = made_up_prompt(1 + random() % 300, random() % 3);
      const Script script{.tokens_max = static_cast<std::int32_t>(1 + random() % 60),
                          .temperature = 0.7F,
                          .seed = random()};
      auto submitted = submit(prompt, script);
      ASSERT_TRUE(submitted.id) << submitted.id.error().message;
      const bool is_cancelled = random() % 5 == 0;
      if (is_cancelled) engine_->cancel(*submitted.id);
      static_cast<void>(engine_->stats());
      submitted.ended.wait();
      const auto whole = tokens_alone({}, prompt, script);
      const auto& tokens = submitted.outcome->tokens;
      ASSERT_LE(tokens.size(), whole.size());
      EXPECT_TRUE(std::equal(tokens.begin(), tokens.end(), whole.begin()));
      EXPECT_TRUE(is_cancelled || tokens.size() == whole.size());
    }
  };
  std::vector<std::thread> threads;
  for (std::uint32_t seed = 1; seed <= 4; ++seed) threads.emplace_back(ask, seed);
  for (std::thread& thread : threads) thread.join();
  const EngineStats stats = engine_->stats();
  EXPECT_EQ(stats.submitted, 4U * kRequestsEach);
}

TEST_F(EngineTest, WhatHasEndedIsCountedBeforeAnybodyHearsOfIt) {
  start();
  EngineStats stats;
  auto asked = submit(made_up_prompt(20, 1), {}, [&] { stats = engine_->stats(); });
  asked.ended.wait();
  EXPECT_EQ(stats.running, 0);
  EXPECT_EQ(stats.done, 1U);
  EXPECT_EQ(stats.prompt_tokens, 20U);
  EXPECT_EQ(stats.sampled_tokens, asked.outcome->tokens.size());
}

TEST_F(EngineTest, AFullQueueRefusesAndSaysSo) {
  options_.running_max = 1;
  options_.queue_max = 2;
  hold_steps();
  start();
  auto running = submit(made_up_prompt(20, 1));
  wait_until_held();
  std::vector<Submitted> waiting;
  for (std::uint64_t i = 0; i < 2; ++i) waiting.push_back(submit(made_up_prompt(20, 2 + i)));
  const auto refused = submit(made_up_prompt(20, 9));
  ASSERT_FALSE(refused.id);
  EXPECT_EQ(refused.id.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(refused.id.error().message, HasSubstr("full"));
  EXPECT_EQ(engine_->stats().refused, 1U);
  let_go();
  running.ended.wait();
  for (const Submitted& submitted : waiting) submitted.ended.wait();
}

TEST_F(EngineTest, BackgroundRequestsTakeNoPlaceInTheQueueFromOthers) {
  options_.running_max = 1;
  options_.queue_max = 1;
  hold_steps();
  start();
  auto running = submit(made_up_prompt(20, 1));
  wait_until_held();
  const auto in_background = [this](std::uint64_t seed, bool pin) {
    EngineRequest request;
    request.prompt = made_up_prompt(20, seed);
    request.priority = Priority::kBackground;
    request.pin = pin;
    return engine_->submit(std::move(request));
  };
  EXPECT_TRUE(in_background(2, false));
  EXPECT_FALSE(in_background(3, false)) << "their own queue is as long as the others'";
  for (std::uint64_t seed = 4; seed < 8; ++seed) EXPECT_TRUE(in_background(seed, true));
  auto waiting = submit(made_up_prompt(20, 9));
  EXPECT_TRUE(waiting.id) << "those in the background took its place";
  EXPECT_EQ(engine_->stats().background_waiting, 5);
  let_go();
  running.ended.wait();
  waiting.ended.wait();
}

TEST_F(EngineTest, WhoeverComesWhenAllPlacesAreTakenIsToldAWait) {
  options_.running_max = 1;
  hold_steps();
  start();
  EXPECT_EQ(engine_->expected_wait_s(), 0);
  std::promise<double> wait;
  auto first = submit(made_up_prompt(20, 1), {.tokens_max = 30},
                      [&] { wait.set_value(engine_->expected_wait_s()); });
  auto second = submit(made_up_prompt(20, 2), {.tokens_max = 30});
  let_go();
  EXPECT_GT(wait.get_future().get(), 0);
  first.ended.wait();
  second.ended.wait();
}

TEST_F(EngineTest, ACancelComesThroughWhileAStepRuns) {
  hold_steps();
  start();
  auto submitted = submit(made_up_prompt(900, 1), {.tokens_max = 500});
  wait_until_held();
  engine_->cancel(*submitted.id);
  let_go();
  submitted.ended.wait();
  EXPECT_EQ(submitted.outcome->report.end, RequestEnd::kCancelled);
  EXPECT_EQ(model_.steps, 1);
}

TEST_F(EngineTest, TheEndOfTheEngineEndsAllRequestsAsCancelled) {
  // The answers would take seconds, so that the end comes before theirs.
  hold_steps(std::chrono::milliseconds(20));
  start();
  auto running = submit(made_up_prompt(100, 1), {.tokens_max = 900});
  wait_until_held();
  auto waiting = submit(made_up_prompt(100, 2), {.tokens_max = 900});
  std::thread ender([this] { engine_.reset(); });
  let_go();
  ender.join();
  EXPECT_EQ(running.outcome->report.end, RequestEnd::kCancelled);
  EXPECT_EQ(waiting.outcome->report.end, RequestEnd::kCancelled);
}

TEST_F(EngineTest, APolicyMayAskForMoreWhenItEnds) {
  start();
  Submitted second;
  std::promise<void> submitted_second;
  auto first = submit(made_up_prompt(50, 1), {}, [&] {
    second = submit(made_up_prompt(60, 1));
    submitted_second.set_value();
  });
  submitted_second.get_future().wait();
  first.ended.wait();
  second.ended.wait();
  EXPECT_EQ(second.outcome->report.end, RequestEnd::kDone);
  EXPECT_GE(second.outcome->report.cached_tokens, 49);
}

TEST_F(EngineTest, WhatIsWrongIsRefusedAtOnce) {
  start();
  EngineRequest request;
  EXPECT_FALSE(engine_->submit(std::move(request)));
  EXPECT_FALSE(submit(std::vector<std::int32_t>(1024, 1)).id);
  EXPECT_EQ(engine_->stats().refused, 2U);
}

TEST_F(EngineTest, DroppedCachesAreGone) {
  start();
  submit(made_up_prompt(300, 1)).ended.wait();
  engine_->drop_caches();
  auto again = submit(made_up_prompt(300, 1));
  again.ended.wait();
  EXPECT_EQ(again.outcome->report.cached_tokens, 0);
}

TEST_F(EngineTest, AnIdleEngineUsesNoProcessor) {
  start();
  submit(made_up_prompt(300, 1)).ended.wait();
  // The answer's last step may still be on its way out.
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const std::clock_t before = std::clock();
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  // A thread that spins would take twice as much.
  EXPECT_LT(std::clock() - before, CLOCKS_PER_SEC / 5);
}

TEST_F(EngineTest, TheDefaultBudgetSuitsTheMachine) {
  EXPECT_GE(default_kv_bytes_max(), std::size_t{64} << 20U);
  options_.kv_bytes_max = 10;
  EXPECT_FALSE(Engine::start(model_, options_));
}

}  // namespace
}  // namespace notso
