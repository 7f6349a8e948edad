// Rate limits, on a clock of the test's own.
#include "service/access/rate_limit.h"

#include <gtest/gtest.h>
#include <string>

namespace notso {
namespace {

using Seconds = std::chrono::duration<double>;

// A moment, in seconds from an arbitrary start.
RateLimiter::Time at(double seconds) {
  return RateLimiter::Time() +
         std::chrono::duration_cast<RateLimiter::Time::duration>(Seconds(1000 + seconds));
}

TEST(RateLimit, ABurstPassesAndThenTheRateHolds) {
  RateLimiter limiter({.per_second = 10, .burst = 20}, 100);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(limiter.take("a", 1, at(0)), 0) << i;
  EXPECT_NEAR(limiter.take("a", 1, at(0)), 0.1, 1e-9);
  EXPECT_NEAR(limiter.take("a", 1, at(0.05)), 0.05, 1e-9);
  EXPECT_EQ(limiter.take("a", 1, at(0.1001)), 0);
  EXPECT_GT(limiter.take("a", 1, at(0.1001)), 0);
}

TEST(RateLimit, ARefusalCostsNothing) {
  RateLimiter limiter({.per_second = 1, .burst = 1}, 100);
  EXPECT_EQ(limiter.take("a", 1, at(0)), 0);
  for (int i = 0; i < 1000; ++i) EXPECT_GT(limiter.take("a", 1, at(0.5)), 0);
  EXPECT_EQ(limiter.take("a", 1, at(1.001)), 0);
}

TEST(RateLimit, ClientsDoNotShare) {
  RateLimiter limiter({.per_second = 1, .burst = 1}, 100);
  EXPECT_EQ(limiter.take("a", 1, at(0)), 0);
  EXPECT_GT(limiter.take("a", 1, at(0)), 0);
  EXPECT_EQ(limiter.take("b", 1, at(0)), 0);
}

TEST(RateLimit, ALongPauseSavesUpNoMoreThanTheBurst) {
  RateLimiter limiter({.per_second = 10, .burst = 3}, 100);
  EXPECT_EQ(limiter.take("a", 1, at(0)), 0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limiter.take("a", 1, at(1e6)), 0);
  EXPECT_GT(limiter.take("a", 1, at(1e6)), 0);
}

TEST(RateLimit, ARateOfZeroIsNoLimit) {
  RateLimiter limiter({.per_second = 0, .burst = 1}, 100);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(limiter.take("a", 1, at(0)), 0);
  limiter.charge("a", 1e9, at(0));
  EXPECT_EQ(limiter.debt_seconds("a", at(0)), 0);
  EXPECT_EQ(limiter.size(), 0U);
}

TEST(RateLimit, WhatIsKnownAfterwardsLeavesADebtThatIsPaidByTime) {
  RateLimiter limiter({.per_second = 2, .burst = 10}, 100);
  limiter.charge("a", 30, at(0));
  EXPECT_NEAR(limiter.debt_seconds("a", at(0)), 10, 1e-9);
  EXPECT_NEAR(limiter.debt_seconds("a", at(4)), 6, 1e-9);
  EXPECT_EQ(limiter.debt_seconds("a", at(10)), 0);
  EXPECT_EQ(limiter.debt_seconds("b", at(0)), 0);
}

TEST(RateLimit, AClockThatStepsBackGivesNothingAway) {
  RateLimiter limiter({.per_second = 1, .burst = 1}, 100);
  EXPECT_EQ(limiter.take("a", 1, at(100)), 0);
  EXPECT_GT(limiter.take("a", 1, at(0)), 0);
  EXPECT_GT(limiter.take("a", 1, at(100)), 0);
}

TEST(RateLimit, TheTableIsBoundedAndForgetsTheLongestUnseen) {
  RateLimiter limiter({.per_second = 1, .burst = 1}, 3);
  for (const char* client : {"a", "b", "c"}) EXPECT_EQ(limiter.take(client, 1, at(0)), 0);
  EXPECT_GT(limiter.take("a", 1, at(0)), 0);
  EXPECT_EQ(limiter.take("d", 1, at(0)), 0);
  EXPECT_EQ(limiter.size(), 3U);
  EXPECT_GT(limiter.take("a", 1, at(0)), 0);
  EXPECT_EQ(limiter.take("b", 1, at(0)), 0);
  for (int i = 0; i < 10'000; ++i) (void)limiter.take(std::to_string(i), 1, at(0));
  EXPECT_EQ(limiter.size(), 3U);
}

}  // namespace
}  // namespace notso
