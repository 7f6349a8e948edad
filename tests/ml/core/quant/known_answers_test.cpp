// Blocks that ggml has decoded and values that it has quantised (make_known_answers.py asked it).
#include <bit>
#include <cstdint>
#include <gtest/gtest.h>
#include <span>
#include <string>
#include <vector>

#include "ml/core/quant/quantize.h"

namespace notso {
namespace {

struct KnownAnswer {
  DType type;
  double quantised_error;           // ggml's, summed over noise(16384)
  std::vector<std::uint8_t> block;  // one block
  std::vector<std::uint32_t> bits;  // its floats
};

std::vector<KnownAnswer> known_answers() {
  return {
#include "known_answers.inc"
  };
}

// The values that make_known_answers.py quantises.
std::vector<float> noise(std::size_t count) {
  std::uint32_t state = 12345;
  std::vector<float> out(count);
  for (float& value : out) {
    std::int64_t total = 0;
    for (int i = 0; i < 4; ++i) {
      state = state * 1664525u + 1013904223u;
      total += state >> 16;
    }
    value = static_cast<float>(total - 131070) * 0x1p-20f;
  }
  return out;
}

class KnownAnswersTest : public ::testing::TestWithParam<KnownAnswer> {};

TEST_P(KnownAnswersTest, ABlockDecodesToGgmlsFloatsBitForBit) {
  const KnownAnswer& known = GetParam();
  ASSERT_EQ(known.block.size(), dtype_info(known.type).block_bytes);
  std::vector<float> out(known.bits.size());
  dequantize(known.type, std::as_bytes(std::span(known.block)), out);
  for (std::size_t i = 0; i < out.size(); ++i) {
    EXPECT_EQ(std::bit_cast<std::uint32_t>(out[i]), known.bits[i]) << "weight " << i;
  }
}

TEST_P(KnownAnswersTest, QuantisingLosesNoMoreThanGgmlByFivePercent) {
  const KnownAnswer& known = GetParam();
  const std::vector<float> values = noise(64 * 256);
  std::vector<std::byte> blocks(dtype_bytes(known.type, values.size()));
  quantize(known.type, values, blocks);
  std::vector<float> back(values.size());
  dequantize(known.type, blocks, back);
  double error = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double miss = static_cast<double>(back[i]) - static_cast<double>(values[i]);
    error += miss * miss;
  }
  EXPECT_LE(error, 1.05 * known.quantised_error);
  RecordProperty("error_of_ggmls", std::to_string(error / known.quantised_error));
}

INSTANTIATE_TEST_SUITE_P(EveryBlockType, KnownAnswersTest, ::testing::ValuesIn(known_answers()),
                         [](const ::testing::TestParamInfo<KnownAnswer>& param) {
                           return std::string(dtype_info(param.param.type).name);
                         });

}  // namespace
}  // namespace notso
