#include "service/engine/engine_stats.h"

#include <gtest/gtest.h>

namespace notso {
namespace {

TEST(Histogram, AValueOnABoundCountsBelowIt) {
  Histogram histogram;
  histogram.add(0.001);
  histogram.add(0.0011);
  histogram.add(1000);
  EXPECT_EQ(histogram.counts.front(), 1U);
  EXPECT_EQ(histogram.counts[1], 1U);
  EXPECT_EQ(histogram.counts.back(), 1U);
  EXPECT_EQ(histogram.total, 3U);
  EXPECT_DOUBLE_EQ(histogram.sum, 1000.0021);
}

TEST(Histogram, QuantilesLieInTheRightBucket) {
  Histogram histogram;
  EXPECT_EQ(histogram.quantile(0.5), 0);
  for (int i = 0; i < 90; ++i) histogram.add(0.02);
  for (int i = 0; i < 10; ++i) histogram.add(2);
  EXPECT_GT(histogram.quantile(0.5), 0.01);
  EXPECT_LE(histogram.quantile(0.5), 0.025);
  EXPECT_GT(histogram.quantile(0.95), 1);
  EXPECT_LE(histogram.quantile(0.95), 2.5);
}

TEST(Histogram, BeyondTheLastBoundTheLastBoundIsTheAnswer) {
  Histogram histogram;
  histogram.add(1e6);
  EXPECT_EQ(histogram.quantile(0.5), 120);
}

}  // namespace
}  // namespace notso
