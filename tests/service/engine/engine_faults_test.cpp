// What goes wrong stays with the request that it happens to, and no page stays behind.
#include <cstring>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdexcept>

#include "service/engine/loop_fixture.h"

namespace notso {
namespace {

using ::testing::HasSubstr;

class FaultTest : public LoopTest {
 protected:
  // Another request beside the one that fails, which must not notice.
  void add_bystander() { bystander_ = add(bystander_ask_); }

  void expect_bystander_is_right() {
    EXPECT_EQ(bystander_->tokens, alone(bystander_ask_));
    EXPECT_EQ(bystander_->report.end, RequestEnd::kDone);
    EXPECT_EQ(loop_->stats().pages_used, 0U);
  }

  const Ask bystander_ask_{.prompt_size = 150, .seed = 77, .script = {.tokens_max = 60}};
  std::shared_ptr<Outcome> bystander_;
};

TEST_F(FaultTest, LogitsThatAreNotFiniteEndTheRequestWithWhatItHas) {
  add_bystander();
  const Ask ask{.prompt_size = 40, .script = {.tokens_max = 60, .forced_every = 9}};
  const auto whole = alone(ask);
  const std::size_t poisoned = 30;
  const auto before = made_up_prompt(150, 77);
  const auto outcome = add(ask);
  model_.before_step = [&](const StepInput&) {
    if (outcome->tokens.size() >= poisoned) model_.poison = outcome->tokens.back();
  };
  run_to_end();
  EXPECT_EQ(outcome->report.end, RequestEnd::kError);
  EXPECT_THAT(outcome->report.error.message, HasSubstr("not finite"));
  EXPECT_GE(outcome->tokens.size(), poisoned);
  EXPECT_TRUE(std::equal(outcome->tokens.begin(), outcome->tokens.end(), whole.begin()));
  EXPECT_EQ(loop_->stats().failed, bystander_->report.end == RequestEnd::kError ? 2U : 1U);
}

// A fault in the first page, which is findable before anybody sees what the prompt leads to.
TEST_F(FaultTest, WhatLedToNoNumbersIsComputedAgainForTheNext) {
  constexpr std::int32_t kNoToken = -7;
  model_.poison = kNoToken;
  model_.before_step = [&, is_sound = true](const StepInput& input) mutable {
    const SequenceRows& rows = input.rows.sequences[0];
    if (rows.first_position < 2 * kKvPageTokens || !std::exchange(is_sound, false)) return;
    std::memcpy(rows.pages[0], &kNoToken, sizeof(kNoToken));
  };
  const Ask ask{.prompt_size = 200};
  const auto spoiled = add(ask);
  run_to_end();
  ASSERT_EQ(spoiled->report.end, RequestEnd::kError);
  EXPECT_EQ(loop_->stats().pages_cached, 0U);
  const auto again = add(ask);
  run_to_end();
  EXPECT_EQ(again->report.cached_tokens, 0);
  EXPECT_EQ(again->tokens, alone(ask));
}

TEST_F(FaultTest, APolicyThatThrowsEndsItsRequestAlone) {
  add_bystander();
  on_token_ = [](std::size_t count) {
    if (count == 7) throw std::runtime_error("the sink is gone");
  };
  const auto outcome = add({.prompt_size = 80});
  run_to_end();
  EXPECT_EQ(outcome->report.end, RequestEnd::kError);
  EXPECT_THAT(outcome->report.error.message, HasSubstr("the sink is gone"));
  EXPECT_EQ(outcome->ends, 1);
  expect_bystander_is_right();
}

TEST_F(FaultTest, APolicyWithoutMemoryEndsItsRequestAlone) {
  add_bystander();
  on_token_ = [](std::size_t) { throw std::bad_alloc(); };
  const auto outcome = add({.prompt_size = 80});
  run_to_end();
  EXPECT_EQ(outcome->report.error.code, ErrorCode::kResourceExhausted);
  expect_bystander_is_right();
}

TEST_F(FaultTest, AModelThatThrowsFailsTheStepAndNotTheEngine) {
  bool fails = true;
  model_.before_step = [&](const StepInput&) {
    if (std::exchange(fails, false)) throw std::runtime_error("the device is lost");
  };
  const auto outcome = add({.prompt_size = 80});
  run_to_end();
  EXPECT_EQ(outcome->report.end, RequestEnd::kError);
  EXPECT_THAT(outcome->report.error.message, HasSubstr("the device is lost"));
  add_bystander();
  run_to_end();
  expect_bystander_is_right();
}

TEST_F(FaultTest, AStepWithoutMemoryIsTriedAgainWithoutTheCaches) {
  add({.prompt_size = 300, .seed = 5});
  run_to_end();
  ASSERT_GT(loop_->stats().pages_cached, 0U);
  std::size_t cached_after = 1000;
  model_.before_step = [&, failures = 1](const StepInput&) mutable {
    if (failures-- > 0) throw std::bad_alloc();
    if (cached_after == 1000) cached_after = loop_->stats().pages_cached;
  };
  add_bystander();
  run_to_end();
  EXPECT_EQ(cached_after, 0U);
  expect_bystander_is_right();
}

TEST_F(FaultTest, WhereMemoryStaysShortTheNewestRequestIsRefused) {
  add_bystander();
  const auto newest = add({.prompt_size = 80});
  model_.before_step = [&](const StepInput& input) {
    if (input.rows.sequences.size() > 1) throw std::bad_alloc();
  };
  run_to_end();
  EXPECT_EQ(newest->report.end, RequestEnd::kError);
  EXPECT_EQ(newest->report.error.code, ErrorCode::kResourceExhausted);
  expect_bystander_is_right();
}

TEST_F(FaultTest, AnAnswerThatTakesTooLongEndsInTime) {
  options_.answer_s_max = 2;
  start();
  const auto outcome = add({.prompt_size = 80, .script = {.tokens_max = 500}});
  run_to_end();
  EXPECT_EQ(outcome->report.end, RequestEnd::kTimeout);
  EXPECT_EQ(outcome->report.error.code, ErrorCode::kDeadlineExceeded);
  EXPECT_THAT(outcome->report.error.message, HasSubstr("within 2 s"));
  EXPECT_NEAR(outcome->times_s.back() - outcome->times_s.front(), 2, 0.2);
  EXPECT_EQ(loop_->stats().timed_out, 1U);
  EXPECT_EQ(loop_->stats().pages_used, 0U);
}

TEST_F(FaultTest, AStepThatTakesTooLongEndsTheAnswer) {
  token_s_max_ = 0.01;
  const auto outcome = add({.prompt_size = 80, .script = {.tokens_max = 500}});
  run_to_end();
  EXPECT_EQ(outcome->report.end, RequestEnd::kTimeout);
  EXPECT_THAT(outcome->report.error.message, HasSubstr("no new token"));
  EXPECT_EQ(outcome->tokens.size(), 1U);
}

TEST_F(FaultTest, WhoeverWaitsTooLongInTheQueueIsToldSo) {
  options_.running_max = 1;
  options_.queue_s_max = 1;
  start();
  add_bystander();
  const auto outcome = add({.prompt_size = 80});
  run_to_end();
  EXPECT_EQ(outcome->report.end, RequestEnd::kTimeout);
  EXPECT_THAT(outcome->report.error.message, HasSubstr("turn"));
  EXPECT_TRUE(outcome->tokens.empty());
  expect_bystander_is_right();
}

TEST_F(FaultTest, BackgroundWorkThatStandsBackIsNotTimedOut) {
  options_.token_s_max = 1;
  options_.answer_s_max = 15;
  start();
  const Ask ask{.prompt_size = 30, .script = {.tokens_max = 60}, .priority = Priority::kBackground};
  const auto background = add(ask);
  for (int i = 0; i < 10; ++i) loop_->step();
  const auto interactive = add({.prompt_size = 1000, .seed = 9, .script = {.tokens_max = 1}});
  run_to_end();
  EXPECT_GT(interactive->report.prompt_s, 2);
  EXPECT_EQ(background->report.end, RequestEnd::kDone) << background->report.error.message;
}

// A cancel in each phase: the pages are free in the same step, and the others do not notice.
class CancelTest : public FaultTest {
 protected:
  void cancel_and_check(const std::shared_ptr<Outcome>& outcome) {
    const RequestId id = last_id_;
    loop_->cancel(id);
    EXPECT_EQ(outcome->ends, 1);
    EXPECT_EQ(outcome->report.end, RequestEnd::kCancelled);
    EXPECT_EQ(loop_->running(), 0);
    EXPECT_EQ(loop_->stats().pages_used, 0U);
    EXPECT_FALSE(loop_->step());
    loop_->cancel(id);
    EXPECT_EQ(outcome->ends, 1);
  }
};

TEST_F(CancelTest, BeforeItsFirstStep) { cancel_and_check(add({})); }

TEST_F(CancelTest, InTheQueue) {
  options_.running_max = 1;
  start();
  add_bystander();
  for (int i = 0; i < 5; ++i) loop_->step();
  const auto outcome = add({});
  loop_->step();
  ASSERT_EQ(loop_->waiting(), 1);
  loop_->cancel(last_id_);
  EXPECT_EQ(outcome->ends, 1);
  EXPECT_EQ(loop_->waiting(), 0);
  run_to_end();
  expect_bystander_is_right();
}

TEST_F(CancelTest, InTheMiddleOfItsPrompt) {
  const auto outcome = add({.prompt_size = 900});
  for (int i = 0; i < 3; ++i) loop_->step();
  ASSERT_LT(outcome->progress.back(), 900);
  ASSERT_GT(loop_->stats().pages_used, 0U);
  cancel_and_check(outcome);
}

TEST_F(CancelTest, InTheMiddleOfItsAnswer) {
  const auto outcome = add({.prompt_size = 50, .script = {.tokens_max = 500}});
  while (outcome->tokens.size() < 20) loop_->step();
  cancel_and_check(outcome);
}

TEST_F(CancelTest, WhileGuessesAreChecked) {
  const auto outcome = add({.prompt_size = 50, .script = {.tokens_max = 900}});
  while (loop_->stats().draft_tokens < 100) loop_->step();
  cancel_and_check(outcome);
}

TEST_F(CancelTest, WhileForcedTokensArePending) {
  const auto outcome = add({.prompt_size = 50, .script = {.tokens_max = 500, .forced_every = 1}});
  while (outcome->tokens.size() < 8) loop_->step();
  cancel_and_check(outcome);
}

TEST_F(CancelTest, WhileItFollowsAnotherReader) {
  add_bystander();
  loop_->step();
  const auto outcome = add({.prompt_size = 150, .seed = 77});
  loop_->step();
  ASSERT_TRUE(outcome->tokens.empty());
  loop_->cancel(last_id_);
  run_to_end();
  expect_bystander_is_right();
}

TEST_F(CancelTest, AfterItGaveItsPagesBack) {
  options_.running_max = 1;
  start();
  const auto outcome = add({.prompt_size = 300, .priority = Priority::kBackground});
  const RequestId background = last_id_;
  for (int i = 0; i < 5; ++i) loop_->step();
  add_bystander();
  loop_->step();
  ASSERT_EQ(loop_->waiting(), 1);
  loop_->cancel(background);
  EXPECT_EQ(outcome->ends, 1);
  run_to_end();
  expect_bystander_is_right();
}

TEST_F(CancelTest, ALeaderThatIsCancelledLeavesItsFollowersRight) {
  const auto leader = add({.prompt_size = 600});
  loop_->step();
  const RequestId id = last_id_;
  const Ask ask{.prompt_size = 620};
  const auto follower = add(ask);
  loop_->step();
  loop_->cancel(id);
  run_to_end();
  EXPECT_EQ(leader->report.end, RequestEnd::kCancelled);
  EXPECT_EQ(follower->tokens, alone(ask));
}

}  // namespace
}  // namespace notso
