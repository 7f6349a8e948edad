// Half and bfloat16 conversions, against the compiler's own where it has one.
#include <bit>
#include <cmath>
#include <cstdint>
#include <gtest/gtest.h>
#include <limits>

#include "ml/core/quant/quantize.h"

namespace notso {
namespace {

// What a half means, by its definition.
double half_by_definition(Half value) {
  const int exponent = (value >> 10) & 31;
  const int fraction = value & 1023;
  const double sign = (value & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == 31) return fraction == 0 ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

TEST(Half, EveryHalfHasItsDefinedValue) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto value = static_cast<Half>(bits);
    const double expected = half_by_definition(value);
    const float actual = half_to_float(value);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(actual)) << bits;
    } else {
      EXPECT_EQ(static_cast<double>(actual), expected) << bits;
      EXPECT_EQ(std::signbit(actual), std::signbit(expected)) << bits;
    }
  }
}

TEST(Half, EveryHalfSurvivesTheWayThroughFloat) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto value = static_cast<Half>(bits);
    const float wide = half_to_float(value);
    if (std::isnan(wide)) {
      EXPECT_TRUE(std::isnan(half_to_float(float_to_half(wide))));
    } else {
      EXPECT_EQ(float_to_half(wide), value);
    }
  }
}

TEST(Half, RoundsToTheNearestWithTiesToEven) {
  for (std::uint32_t bits = 0; bits < 0x7bff; ++bits) {
    const auto low = static_cast<Half>(bits);
    const auto high = static_cast<Half>(bits + 1);
    const float a = half_to_float(low);
    const float middle = a + (half_to_float(high) - a) / 2;
    EXPECT_EQ(float_to_half(middle), bits % 2 == 0 ? low : high);
    EXPECT_EQ(float_to_half(std::nextafterf(middle, 0.0f)), low);
    EXPECT_EQ(float_to_half(std::nextafterf(middle, INFINITY)), high);
  }
}

TEST(Half, WhatIsTooLargeBecomesInfinity) {
  EXPECT_EQ(float_to_half(65519.99f), 0x7bff);
  EXPECT_EQ(float_to_half(65520.0f), 0x7c00);
  EXPECT_EQ(float_to_half(-1e30f), 0xfc00);
  EXPECT_EQ(float_to_half(std::numeric_limits<float>::infinity()), 0x7c00);
}

TEST(Bf16, KeepsTheUpperBitsAndRoundsToEven) {
  EXPECT_EQ(bf16_to_float(0x3f80), 1.0f);
  EXPECT_EQ(bf16_to_float(0xc000), -2.0f);
  EXPECT_EQ(float_to_bf16(1.0f), 0x3f80);
  EXPECT_EQ(float_to_bf16(std::bit_cast<float>(0x3f808000u)), 0x3f80);
  EXPECT_EQ(float_to_bf16(std::bit_cast<float>(0x3f808001u)), 0x3f81);
  EXPECT_EQ(float_to_bf16(std::bit_cast<float>(0x3f818000u)), 0x3f82);
  EXPECT_EQ(float_to_bf16(std::numeric_limits<float>::max()), 0x7f80);
}

TEST(Bf16, ANanStaysANan) {
  EXPECT_TRUE(std::isnan(bf16_to_float(float_to_bf16(std::bit_cast<float>(0x7f800001u)))));
  EXPECT_TRUE(std::isnan(bf16_to_float(float_to_bf16(std::bit_cast<float>(0xffffffffu)))));
}

}  // namespace
}  // namespace notso
