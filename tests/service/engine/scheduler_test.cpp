#include "service/engine/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace notso {
namespace {

using ::testing::ElementsAre;

// A machine where a step takes 50 ms, and 10 ms more for each row beyond the fourth.
StepCost usual_cost() {
  StepCost cost;
  for (std::int32_t rows = 1; rows <= 256; ++rows) {
    cost.add(rows, 0.05 + 0.01 * std::max(rows - 4, 0));
  }
  return cost;
}

StepCandidate answer() { return {.answering = true, .pending = 1}; }
StepCandidate prompt(std::int32_t pending, std::uint64_t served = 0) {
  return {.answering = false, .pending = pending, .served = served};
}
StepCandidate background(StepCandidate candidate) {
  candidate.background = true;
  return candidate;
}

class SchedulerTest : public ::testing::Test {
 protected:
  // Rows by candidate.
  std::vector<std::int32_t> rows_of(const std::vector<StepCandidate>& candidates) {
    std::vector<std::int32_t> rows(candidates.size());
    for (const StepShare& share : scheduler_.plan(candidates, cost_)) {
      EXPECT_EQ(rows[share.candidate], 0);
      rows[share.candidate] = share.rows + share.drafts;
    }
    return rows;
  }

  StepCost cost_ = usual_cost();
  Scheduler scheduler_{StepLimits{.rows_max = 256, .outputs_max = 64}};
};

TEST_F(SchedulerTest, EveryAnswerGetsItsNextTokenInEveryStep) {
  EXPECT_THAT(rows_of({answer(), prompt(4000), answer()}), ElementsAre(1, ::testing::Gt(0), 1));
}

TEST_F(SchedulerTest, APromptBesideAnAnswerSlowsTheStepByTheFactorAtMost) {
  const auto rows = rows_of({answer(), prompt(4000)});
  EXPECT_LE(cost_.seconds(rows[0] + rows[1]), 2.3 * cost_.seconds(1));
  EXPECT_GT(rows[1], 5);
}

TEST_F(SchedulerTest, APromptBesideAnswersLeavesNoTileOpen) {
  for (std::size_t answers = 1; answers <= 9; ++answers) {
    std::vector<StepCandidate> candidates(answers, answer());
    candidates.push_back(prompt(4000));
    const auto rows = rows_of(candidates);
    EXPECT_EQ((static_cast<std::int32_t>(answers) + rows.back()) % 4, 0) << answers;
  }
}

TEST_F(SchedulerTest, APromptBesideAnswersGoesOnHoweverMuchARowCosts) {
  cost_ = StepCost();
  for (std::int32_t rows = 1; rows <= 256; ++rows) cost_.add(rows, 0.05 * rows * rows);
  for (std::size_t answers = 1; answers <= 9; ++answers) {
    std::vector<StepCandidate> candidates(answers, answer());
    candidates.push_back(prompt(4000));
    EXPECT_GE(rows_of(candidates).back(), 2) << answers;
  }
}

TEST_F(SchedulerTest, APromptAloneFillsTheStepUpToItsTimeLimit) {
  const auto rows = rows_of({prompt(4000)});
  EXPECT_NEAR(cost_.seconds(rows[0]), 1.0, 0.02);
}

TEST_F(SchedulerTest, ThePromptOfTheSessionThatHadLeastGoesFirst) {
  EXPECT_THAT(rows_of({prompt(4000, 500), prompt(4000, 20)}), ElementsAre(0, ::testing::Gt(50)));
}

TEST_F(SchedulerTest, AmongEqualsTheShortestPromptGoesFirstAndTheOthersGetTheRest) {
  const auto rows = rows_of({prompt(4000), prompt(30)});
  EXPECT_EQ(rows[1], 30);
  EXPECT_GT(rows[0], 30);
}

TEST_F(SchedulerTest, BackgroundWorkStandsBackWhileAnInteractivePromptIsRead) {
  EXPECT_THAT(rows_of({background(prompt(100)), background(answer()), prompt(4000)}),
              ElementsAre(0, 0, ::testing::Gt(0)));
}

TEST_F(SchedulerTest, BackgroundWorkBesideAnswersHardlySlowsThem) {
  const auto rows = rows_of({answer(), background(prompt(100))});
  EXPECT_GT(rows[1], 0);
  EXPECT_LE(cost_.seconds(rows[0] + rows[1]), 1.2 * cost_.seconds(1) + 1e-9);
}

TEST_F(SchedulerTest, BackgroundWorkAloneKeepsItsStepsShort) {
  const auto rows = rows_of({background(prompt(4000))});
  EXPECT_NEAR(cost_.seconds(rows[0]), 0.3, 0.02);
}

TEST_F(SchedulerTest, BackgroundWorkGetsARowNowAndThenWhereEveryRowCosts) {
  cost_ = StepCost();
  for (std::int32_t rows = 1; rows <= 256; ++rows) cost_.add(rows, 0.05 * rows);
  int steps_with_rows = 0;
  for (int i = 0; i < 64; ++i) steps_with_rows += rows_of({answer(), background(prompt(100))})[1];
  EXPECT_EQ(steps_with_rows, 4);
}

TEST_F(SchedulerTest, GuessesAreGrantedToALoneAnswerAndNotBesideAPrompt) {
  StepCandidate guessing = answer();
  guessing.drafts = {.count = 8, .chance = 0.9};
  EXPECT_THAT(rows_of({guessing}), ElementsAre(::testing::Ge(4)));
  EXPECT_THAT(rows_of({guessing, prompt(100)}), ElementsAre(1, ::testing::Gt(0)));
}

TEST_F(SchedulerTest, TheBoundsOfAStepAreKept) {
  Scheduler narrow(StepLimits{.rows_max = 8, .outputs_max = 6});
  std::vector<StepCandidate> candidates(7, answer());
  candidates.push_back(prompt(100));
  std::int32_t rows = 0;
  const auto shares = narrow.plan(candidates, cost_);
  for (const StepShare& share : shares) rows += share.rows + share.drafts;
  EXPECT_LE(shares.size(), 6U);
  EXPECT_LE(rows, 8);
}

TEST_F(SchedulerTest, AnswersThatDoNotFitTakeTurns) {
  Scheduler narrow(StepLimits{.rows_max = 4, .outputs_max = 4});
  std::vector<StepCandidate> candidates(6, answer());
  for (std::uint64_t step = 1; step <= 3; ++step) {
    for (const StepShare& share : narrow.plan(candidates, cost_)) {
      candidates[share.candidate].last_step = step;
    }
  }
  for (const StepCandidate& candidate : candidates) EXPECT_GE(candidate.last_step, 2U);
}

TEST_F(SchedulerTest, ALongRunOfForcedTokensIsReadLikeAPrompt) {
  StepCandidate forced = answer();
  forced.pending = 500;
  const auto rows = rows_of({answer(), forced});
  EXPECT_EQ(rows[0], 1);
  EXPECT_LE(cost_.seconds(rows[0] + rows[1]), 2.3 * cost_.seconds(1));
}

TEST(QueueOrder, InteractiveRequestsComeBeforeBackgroundOnes) {
  const std::vector<QueueCandidate> waiting = {{true, "a", 0, 1}, {false, "b", 5, 2}};
  EXPECT_THAT(queue_order(waiting), ElementsAre(1, 0));
}

TEST(QueueOrder, SessionsTakeTurns) {
  const std::vector<QueueCandidate> waiting = {
      {false, "a", 0, 1}, {false, "a", 0, 2}, {false, "a", 0, 3}, {false, "b", 0, 4}};
  EXPECT_THAT(queue_order(waiting), ElementsAre(0, 3, 1, 2));
}

TEST(QueueOrder, WhatASessionHasRunningCountsAsItsTurns) {
  const std::vector<QueueCandidate> waiting = {{false, "a", 2, 1}, {false, "b", 0, 2}};
  EXPECT_THAT(queue_order(waiting), ElementsAre(1, 0));
}

TEST(StepCost, BetweenMeasuredCountsItIsTheLine) {
  StepCost cost;
  cost.add(2, 0.1);
  cost.add(6, 0.3);
  EXPECT_DOUBLE_EQ(cost.seconds(4), 0.2);
}

TEST(StepCost, WhatIsNotMeasuredIsNeverTakenForCheaperThanItsShare) {
  StepCost cost;
  EXPECT_EQ(cost.seconds(1), 0);
  cost.add(4, 0.1);
  EXPECT_DOUBLE_EQ(cost.seconds(8), 0.2);
  EXPECT_DOUBLE_EQ(cost.seconds(2), 0.05);
  EXPECT_TRUE(cost.is_known(4));
  EXPECT_FALSE(cost.is_known(3));
}

TEST(StepCost, TheMostRowsWithinALimit) {
  const StepCost cost = usual_cost();
  EXPECT_EQ(cost.rows_within(0.125, 256), 11);
  EXPECT_EQ(cost.rows_within(0.01, 256), 0);
  EXPECT_EQ(cost.rows_within(10, 256), 256);
}

TEST(StepCost, APauseOfTheMachineDoesNotSpoilIt) {
  StepCost cost;
  for (int i = 0; i < 10; ++i) cost.add(1, 0.05);
  cost.add(1, 100);
  EXPECT_LT(cost.seconds(1), 0.07);
}

TEST(StepCost, ASlowerMachineIsNoticedInStepsThatDoNotRun) {
  StepCost cost;
  cost.add(1, 0.05);
  for (int i = 0; i < 200; ++i) cost.add(12, i == 0 ? 0.1 : 0.2);
  EXPECT_NEAR(cost.seconds(12), 0.2, 0.01);
  EXPECT_GT(cost.seconds(1), 0.055);
  EXPECT_LT(cost.seconds(1), 0.075);
}

}  // namespace
}  // namespace notso
