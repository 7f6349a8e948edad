#include <gtest/gtest.h>

#include "service/engine/draft_gate.h"
#include "service/engine/draft_index.h"

namespace notso {
namespace {

using Tokens = std::vector<std::int32_t>;

Draft find(const Tokens& tokens, std::int32_t most = 8) {
  DraftIndex index;
  index.extend(tokens);
  return index.find(tokens, most);
}

TEST(DraftIndex, WhatFollowedTheSameTokensBeforeIsTheGuess) {
  const Draft draft = find({1, 2, 3, 4, 5, 6, 9, 1, 2, 3}, 2);
  EXPECT_EQ(draft.from, 3);
  EXPECT_EQ(draft.count, 2);
  EXPECT_EQ(draft.match, 3);
}

TEST(DraftIndex, ThereIsNoGuessWithoutARepeat) {
  EXPECT_EQ(find({1, 2, 3, 4, 5, 6, 7, 2, 3}).count, 0);
  EXPECT_EQ(find({}).count, 0);
  EXPECT_EQ(find({1}).count, 0);
}

TEST(DraftIndex, TheLongestMatchWins) {
  const Draft draft = find({7, 1, 2, 3, 40, 8, 1, 2, 3, 50, 7, 1, 2, 3});
  EXPECT_EQ(draft.match, 4);
  EXPECT_EQ(draft.from, 4);
}

TEST(DraftIndex, AmongEqualMatchesTheNewestWins) {
  EXPECT_EQ(find({1, 2, 3, 40, 0, 1, 2, 3, 50, 0, 9, 1, 2, 3}).from, 8);
}

TEST(DraftIndex, AGuessEndsWhereTheTextEnds) {
  const Draft draft = find({1, 1, 1, 1, 1}, 8);
  EXPECT_GE(draft.count, 1);
  EXPECT_LE(draft.from + draft.count, 5);
}

TEST(DraftIndex, GrowingTokenByTokenFindsWhatBuildingAtOnceFinds) {
  Tokens tokens;
  DraftIndex index;
  std::uint32_t state = 1;
  for (int i = 0; i < 5000; ++i) {
    state = state * 1664525U + 1013904223U;
    tokens.push_back(static_cast<std::int32_t>((state >> 16U) % 7));
    index.extend(tokens);
    if (i % 97 != 0) continue;
    const Draft grown = index.find(tokens, 8);
    const Draft whole = find(tokens);
    EXPECT_EQ(grown.from, whole.from);
    EXPECT_EQ(grown.count, whole.count);
  }
  EXPECT_EQ(index.size(), tokens.size());
}

// Rows up to 4 are nearly free, later ones are not.
StepCost usual_cost() {
  StepCost cost;
  for (std::int32_t rows = 1; rows <= 32; ++rows) {
    cost.add(rows, rows <= 4 ? 0.05 + 0.001 * rows : 0.014 + 0.01 * rows);
  }
  return cost;
}

std::int32_t granted(const StepCost& cost, double chance, std::int32_t rows = 1) {
  DraftWish wish{.count = 8, .chance = chance};
  grant_drafts(cost, rows, rows, 64, {&wish, 1});
  return wish.granted;
}

TEST(DraftGate, SureGuessesAreTakenUnsureOnesWhereRowsAreFree) {
  const StepCost cost = usual_cost();
  EXPECT_GE(granted(cost, 0.97), 7);
  EXPECT_EQ(granted(cost, 0.6), 3);
  EXPECT_EQ(granted(cost, 0.01), 0);
}

TEST(DraftGate, WhereEveryRowCostsAsMuchNothingIsGranted) {
  StepCost cost;
  for (std::int32_t rows = 1; rows <= 32; ++rows) cost.add(rows, 0.01 * rows);
  EXPECT_EQ(granted(cost, 0.95, 8), 0);
}

TEST(DraftGate, RowsGoToTheSequenceThatUsesThemBest) {
  DraftWish wishes[] = {{.count = 8, .chance = 0.3}, {.count = 8, .chance = 0.95}};
  grant_drafts(usual_cost(), 2, 2, 64, wishes);
  EXPECT_GT(wishes[1].granted, wishes[0].granted);
}

TEST(DraftGate, UnknownCostsAreTriedAndNothingIsDoneBeforeTheFirstStep) {
  StepCost cost;
  EXPECT_EQ(granted(cost, 0.9), 0);
  cost.add(1, 0.05);
  EXPECT_GT(granted(cost, 0.5), 0);
}

TEST(DraftRecord, ItLearnsByLengthOfTheMatch) {
  DraftRecord record;
  for (int i = 0; i < 20; ++i) record.add(3, 4, 0);
  for (int i = 0; i < 20; ++i) record.add(20, 4, 4);
  EXPECT_LT(record.chance(3), 0.05);
  EXPECT_GT(record.chance(20), 0.95);
}

TEST(DraftRecord, AfterManyRefusalsItWantsATry) {
  DraftRecord record;
  for (int i = 0; i < 47; ++i) record.refuse();
  EXPECT_FALSE(record.wants_probe());
  record.refuse();
  EXPECT_TRUE(record.wants_probe());
  record.add(3, 2, 0);
  EXPECT_FALSE(record.wants_probe());
}

}  // namespace
}  // namespace notso
