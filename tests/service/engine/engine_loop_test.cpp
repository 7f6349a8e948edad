// The loop step by step, on a made-up clock: who gets what when, and that pages come back.
#include "service/engine/engine_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <optional>

#include "service/engine/loop_fixture.h"

namespace notso {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(LoopTest, ARequestGetsTheTokensOfTheModel) {
  const auto outcome = add({.prompt_size = 100, .script = {.tokens_max = 30}});
  run_to_end();
  EXPECT_EQ(outcome->tokens, alone({.prompt_size = 100, .script = {.tokens_max = 30}}));
  EXPECT_EQ(outcome->report.end, RequestEnd::kDone);
  EXPECT_EQ(outcome->report.prompt_tokens, 100);
  EXPECT_EQ(outcome->report.sampled_tokens, 30);
  EXPECT_EQ(outcome->ends, 1);
}

TEST_F(LoopTest, ProgressOfThePromptIsToldUpToItsEnd) {
  const auto outcome = add({.prompt_size = 200});
  run_to_end();
  ASSERT_FALSE(outcome->progress.empty());
  EXPECT_TRUE(std::is_sorted(outcome->progress.begin(), outcome->progress.end()));
  EXPECT_EQ(outcome->progress.back(), 200);
}

TEST_F(LoopTest, ThePromptOfASecondRequestComesFromTheCache) {
  add({.prompt_size = 300});
  run_to_end();
  const auto outcome = add({.prompt_size = 300});
  run_to_end();
  EXPECT_EQ(outcome->report.cached_tokens, 299);
  EXPECT_EQ(outcome->tokens, alone({.prompt_size = 300}));
}

TEST_F(LoopTest, AnotherScopeFindsNothing) {
  add({.prompt_size = 300, .scope = "a"});
  run_to_end();
  const auto outcome = add({.prompt_size = 300, .scope = "b"});
  run_to_end();
  EXPECT_EQ(outcome->report.cached_tokens, 0);
}

TEST_F(LoopTest, WithoutThePrefixCacheNothingIsFoundOrKept) {
  options_.prefix_cache = false;
  start();
  add({.prompt_size = 300});
  run_to_end();
  EXPECT_EQ(loop_->stats().pages_cached, 0U);
  const auto outcome = add({.prompt_size = 300});
  run_to_end();
  EXPECT_EQ(outcome->report.cached_tokens, 0);
}

TEST_F(LoopTest, RequestsThatComeTogetherReadTheirCommonPromptOnce) {
  std::vector<std::shared_ptr<Outcome>> outcomes;
  for (int i = 0; i < 4; ++i) {
    outcomes.push_back(add({.prompt_size = 500, .script = {.tokens_max = 5}}));
  }
  run_to_end();
  EXPECT_LT(model_.rows, 500 + 4 * 5 + 3 * 64);
  for (const auto& outcome : outcomes) EXPECT_EQ(outcome->tokens, outcomes[0]->tokens);
}

TEST_F(LoopTest, RequestsOfOtherScopesDoNotWaitForEachOther) {
  const auto one = add({.prompt_size = 500, .scope = "a"});
  const auto other = add({.prompt_size = 500, .scope = "b"});
  for (int i = 0; i < 3; ++i) loop_->step();
  EXPECT_GT(one->progress.back(), 0);
  EXPECT_GT(other->progress.back(), 0);
}

TEST_F(LoopTest, APinnedPromptStaysWarmWhateverComesAfterIt) {
  options_.kv_bytes_max = 24 * FakeModel::kPageBytes;
  start();
  EngineRequest system;
  system.prompt = made_up_prompt(200, 1);
  system.priority = Priority::kBackground;
  system.pin = true;
  loop_->add(++last_id_, std::move(system), 0);
  run_to_end();
  for (std::uint64_t seed = 2; seed < 12; ++seed) {
    add({.prompt_size = 600, .seed = seed});
    run_to_end();
  }
  EXPECT_GT(loop_->stats().pages_evicted, 0U);
  const auto newcomer = add({.prompt_size = 260, .seed = 1});
  run_to_end();
  EXPECT_EQ(newcomer->report.cached_tokens, 200);
}

TEST_F(LoopTest, ARequestWithoutAPolicyOnlyFillsTheCache) {
  EngineRequest warm;
  warm.prompt = made_up_prompt(200, 1);
  warm.priority = Priority::kBackground;
  loop_->add(++last_id_, std::move(warm), 0);
  run_to_end();
  const auto outcome = add({.prompt_size = 220});
  run_to_end();
  EXPECT_GE(outcome->report.cached_tokens, 192);
}

TEST_F(LoopTest, ACancelledReadingLeavesWhatItRead) {
  EngineRequest warm;
  warm.prompt = made_up_prompt(900, 1);
  warm.priority = Priority::kBackground;
  loop_->add(++last_id_, std::move(warm), 0);
  for (int i = 0; i < 4; ++i) loop_->step();
  loop_->cancel(last_id_);
  EXPECT_FALSE(loop_->step());
  const auto outcome = add({.prompt_size = 900});
  run_to_end();
  EXPECT_GT(outcome->report.cached_tokens, 0);
}

TEST_F(LoopTest, ForcedTokensAreReadSeveralAtOnce) {
  const Ask ask{.prompt_size = 50, .script = {.tokens_max = 40, .forced_every = 2}};
  const auto outcome = add(ask);
  run_to_end();
  EXPECT_EQ(outcome->tokens, alone(ask));
  EXPECT_LT(model_.steps, 25);
}

TEST_F(LoopTest, TheContextEndsAnAnswer) {
  const Ask ask{.prompt_size = 1000, .script = {.tokens_max = 500}};
  const auto outcome = add(ask);
  run_to_end();
  EXPECT_EQ(outcome->report.end, RequestEnd::kLength);
  EXPECT_THAT(outcome->tokens, SizeIs(24));
  EXPECT_EQ(outcome->tokens, alone(ask));
}

TEST_F(LoopTest, WhatCannotRunIsRefusedWithTheNumbers) {
  EngineRequest request;
  EXPECT_FALSE(loop_->check(request));
  request.prompt.assign(1025, 1);
  EXPECT_THAT(loop_->check(request).error().message, AllOf(HasSubstr("1025"), HasSubstr("1024")));
  request.prompt = {1, 61};
  EXPECT_THAT(loop_->check(request).error().message, HasSubstr("61"));
  options_.kv_bytes_max = 4 * FakeModel::kPageBytes;
  start();
  request.prompt.assign(300, 1);
  EXPECT_EQ(loop_->check(request).error().code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(loop_->check(request).error().message, AllOf(HasSubstr("300"), HasSubstr("256")));
}

TEST_F(LoopTest, WhileALongPromptIsReadAnotherAnswerKeepsItsPace) {
  options_.drafts = false;
  start();
  const auto answer = add({.prompt_size = 20, .script = {.tokens_max = 90}});
  for (int i = 0; i < 20; ++i) loop_->step();
  add({.prompt_size = 900, .seed = 7, .script = {.tokens_max = 1}});
  run_to_end();
  const auto gaps = gaps_of(*answer);
  const double normal = gaps[10];
  EXPECT_THAT(gaps, ::testing::Each(::testing::Lt(3 * normal)));
  EXPECT_GT(*std::max_element(gaps.begin(), gaps.end()), 1.5 * normal);
}

TEST_F(LoopTest, AShortPromptDoesNotWaitForALongOne) {
  const auto lengthy = add({.prompt_size = 1000, .seed = 7});
  loop_->step();
  const auto brief = add({.prompt_size = 20, .seed = 8, .script = {.tokens_max = 1}});
  while (brief->ends == 0) loop_->step();
  EXPECT_EQ(lengthy->progress.back() < 300, true) << lengthy->progress.back();
  run_to_end();
}

TEST_F(LoopTest, SessionsShareTheModelHoweverManyRequestsEachHas) {
  std::vector<std::shared_ptr<Outcome>> many;
  for (std::uint64_t i = 0; i < 6; ++i) {
    many.push_back(add({.prompt_size = 400, .seed = 10 + i, .session = "greedy"}));
  }
  loop_->step();
  const auto one = add({.prompt_size = 400, .seed = 99, .session = "modest"});
  while (one->progress.empty() || one->progress.back() < 400) loop_->step();
  int read = 0;
  for (const auto& outcome : many) read += outcome->progress.empty() ? 0 : outcome->progress.back();
  EXPECT_LT(read, 800);
  run_to_end();
}

TEST_F(LoopTest, ThoseInTheQueueHearTheirPlaces) {
  options_.running_max = 1;
  start();
  const auto first = add({.prompt_size = 30, .seed = 1});
  const auto second = add({.prompt_size = 30, .seed = 2});
  const auto third = add({.prompt_size = 30, .seed = 3});
  run_to_end();
  EXPECT_THAT(first->positions, IsEmpty());
  EXPECT_THAT(second->positions, ElementsAre(0));
  EXPECT_THAT(third->positions, ElementsAre(1, 0));
  EXPECT_GT(third->report.queue_s, second->report.queue_s);
}

TEST_F(LoopTest, AnInteractiveRequestTakesTheBackgroundsPlace) {
  options_.running_max = 1;
  start();
  const Ask behind{.prompt_size = 300, .seed = 1, .priority = Priority::kBackground};
  const auto background = add(behind);
  for (int i = 0; i < 5; ++i) loop_->step();
  const auto interactive = add({.prompt_size = 30, .seed = 2, .script = {.tokens_max = 3}});
  while (interactive->ends == 0) loop_->step();
  EXPECT_EQ(background->ends, 0);
  run_to_end();
  EXPECT_EQ(background->tokens, alone(behind));
}

TEST_F(LoopTest, WithFewPagesRequestsTakeTurnsAndAllEndRight) {
  options_.kv_bytes_max = 8 * FakeModel::kPageBytes;
  start();
  std::vector<std::shared_ptr<Outcome>> outcomes;
  const auto ask = [](std::uint64_t seed) {
    return Ask{.prompt_size = 150, .seed = seed, .script = {.tokens_max = 150}};
  };
  for (std::uint64_t i = 0; i < 6; ++i) outcomes.push_back(add(ask(i)));
  run_to_end();
  for (std::uint64_t i = 0; i < 6; ++i) {
    EXPECT_EQ(outcomes[i]->tokens, alone(ask(i)));
    EXPECT_EQ(outcomes[i]->report.end, RequestEnd::kDone);
  }
  EXPECT_LE(loop_->stats().pages_cached, 8U);
}

TEST_F(LoopTest, WhatOutgrowsAllPagesEndsWithWhatItHas) {
  options_.kv_bytes_max = 4 * FakeModel::kPageBytes;
  start();
  const Ask ask{.prompt_size = 200, .script = {.tokens_max = 200}};
  const auto outcome = add(ask);
  run_to_end();
  EXPECT_EQ(outcome->report.end, RequestEnd::kLength);
  EXPECT_EQ(outcome->report.error.message, "");
  const auto whole = alone(ask);
  ASSERT_THAT(outcome->tokens, SizeIs(4 * kKvPageTokens - 200 + 1));
  EXPECT_TRUE(std::equal(outcome->tokens.begin(), outcome->tokens.end(), whole.begin()));
}

TEST_F(LoopTest, DraftsSaveStepsAndChangeNothing) {
  const Ask ask{.prompt_size = 200, .script = {.tokens_max = 800}};
  options_.drafts = false;
  start();
  add(ask);
  run_to_end();
  const auto steps_without = model_.steps;
  options_.drafts = true;
  start();
  const auto outcome = add(ask);
  run_to_end();
  EXPECT_EQ(outcome->tokens, alone(ask));
  EXPECT_LT(model_.steps - steps_without, steps_without * 2 / 3);
  EXPECT_GT(outcome->report.accepted_tokens, 50);
}

TEST_F(LoopTest, DraftsChangeNothingInSampledTextWithPenalties) {
  const Ask ask{.prompt_size = 100,
                .script = {.tokens_max = 200,
                           .temperature = 0.8F,
                           .repetition_penalty = 1.1F,
                           .seed = 5,
                           .forced_every = 11}};
  const auto outcome = add(ask);
  run_to_end();
  EXPECT_EQ(outcome->tokens, alone(ask));
  EXPECT_GT(outcome->report.draft_tokens, 0);
}

TEST_F(LoopTest, ARequestCanDoWithoutDrafts) {
  const auto outcome = add({.prompt_size = 200, .script = {.tokens_max = 200}, .drafts = false});
  run_to_end();
  EXPECT_EQ(outcome->report.draft_tokens, 0);
}

TEST_F(LoopTest, CountsAddUp) {
  add({.prompt_size = 100, .script = {.tokens_max = 10}});
  const auto cancelled = add({.prompt_size = 100, .seed = 5, .script = {.tokens_max = 500}});
  for (int i = 0; i < 30; ++i) loop_->step();
  loop_->cancel(last_id_);
  run_to_end();
  const EngineStats stats = loop_->stats();
  EXPECT_EQ(stats.done, 1U);
  EXPECT_EQ(stats.cancelled, 1U);
  EXPECT_EQ(stats.sampled_tokens, 10 + cancelled->tokens.size());
  EXPECT_EQ(stats.prompt_tokens, 200U);
  EXPECT_EQ(stats.first_token_s.total, 2U);
  EXPECT_EQ(stats.between_tokens_s.total, stats.sampled_tokens - 2);
  EXPECT_EQ(stats.steps, static_cast<std::uint64_t>(model_.steps));
  EXPECT_EQ(stats.step_rows, static_cast<std::uint64_t>(model_.rows));
  EXPECT_EQ(stats.pages_used, 0U);
}

}  // namespace
}  // namespace notso
