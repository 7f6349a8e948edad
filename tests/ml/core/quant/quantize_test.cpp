// Every type there and back: error bounds on random data, and the corners.
#include "ml/core/quant/quantize.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace notso {
namespace {

struct Bound {
  DType type;
  double relative_rms_max;  // of the error, to that of normal values
};

class QuantizeTest : public ::testing::TestWithParam<Bound> {};

std::vector<float> there_and_back(DType type, const std::vector<float>& values) {
  std::vector<std::byte> blocks(dtype_bytes(type, values.size()));
  quantize(type, values, blocks);
  std::vector<float> out(values.size());
  dequantize(type, blocks, out);
  return out;
}

double rms(const std::vector<float>& values) {
  double sum = 0;
  for (const float x : values) sum += static_cast<double>(x) * static_cast<double>(x);
  return std::sqrt(sum / static_cast<double>(values.size()));
}

TEST_P(QuantizeTest, ErrorOfNormalValuesStaysInItsBound) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0.0f, 0.02f);
  std::vector<float> values(64 * 256);
  for (float& x : values) x = normal(random);
  std::vector<float> miss = there_and_back(GetParam().type, values);
  for (std::size_t i = 0; i < values.size(); ++i) miss[i] -= values[i];
  EXPECT_LE(rms(miss), GetParam().relative_rms_max * rms(values));
}

TEST_P(QuantizeTest, ZerosStayZeros) {
  for (const float x : there_and_back(GetParam().type, std::vector<float>(256, 0.0f))) {
    EXPECT_EQ(x, 0.0f);
  }
}

TEST_P(QuantizeTest, AConstantIsKeptToOnePercent) {
  for (const float constant : {0.25f, -0.25f, 3.0f}) {
    for (const float x : there_and_back(GetParam().type, std::vector<float>(256, constant))) {
      EXPECT_NEAR(x, constant, std::fabs(constant) * 0.01f);
    }
  }
}

TEST_P(QuantizeTest, DecodedValuesComeBackNearlyUnchanged) {
  std::mt19937 random(9);
  std::normal_distribution<float> normal;
  std::vector<float> values(16 * 256);
  for (float& x : values) x = normal(random);
  const std::vector<float> once = there_and_back(GetParam().type, values);
  std::vector<float> miss = there_and_back(GetParam().type, once);
  for (std::size_t i = 0; i < once.size(); ++i) miss[i] -= once[i];
  EXPECT_LE(rms(miss), 0.5 * GetParam().relative_rms_max * rms(once) + 1e-12);
}

TEST_P(QuantizeTest, OddValuesDoNoHarm) {
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> values(256, 1.0f);
  values[3] = std::numeric_limits<float>::quiet_NaN();
  values[40] = infinity;
  values[90] = -infinity;
  values[130] = std::numeric_limits<float>::max();
  values[170] = std::numeric_limits<float>::denorm_min();
  EXPECT_EQ(there_and_back(GetParam().type, values).size(), values.size());
}

INSTANTIATE_TEST_SUITE_P(EveryType, QuantizeTest,
                         ::testing::Values(Bound{DType::kF32, 0.0}, Bound{DType::kF16, 0.0004},
                                           Bound{DType::kBF16, 0.003}, Bound{DType::kQ8_0, 0.006},
                                           Bound{DType::kQ4_0, 0.10}, Bound{DType::kQ4_1, 0.09},
                                           Bound{DType::kQ5_0, 0.05}, Bound{DType::kQ5_1, 0.045},
                                           Bound{DType::kQ4_K, 0.078}, Bound{DType::kQ5_K, 0.040},
                                           Bound{DType::kQ6_K, 0.022}),
                         [](const ::testing::TestParamInfo<Bound>& param) {
                           return std::string(dtype_info(param.param.type).name);
                         });

TEST(DType, NamesAlsoTheTypesThatAreNotRead) {
  EXPECT_EQ(dtype_raw_name(10), "Q2_K");
  EXPECT_EQ(dtype_raw_name(17), "IQ2_XS");
  EXPECT_EQ(dtype_raw_name(39), "MXFP4");
  EXPECT_EQ(dtype_raw_name(99), "unknown");
  EXPECT_FALSE(dtype_from_raw(10));
  EXPECT_EQ(dtype_from_raw(12), DType::kQ4_K);
}

TEST(DType, RawNamesAgreeWithTheNamesOfTheTypesThatAreRead) {
  for (std::uint32_t raw = 0; raw < 64; ++raw) {
    if (const auto type = dtype_from_raw(raw)) {
      EXPECT_EQ(dtype_info(*type).name, dtype_raw_name(raw));
    }
  }
}

}  // namespace
}  // namespace notso
