// What every table does to single rows: quantising into tiles, normalising, SwiGLU.
#include <array>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>

#include "ml/core/cpu/kernel_fixtures.h"

namespace notso {
namespace {

using Floats = std::vector<float>;

class RowKernels : public ::testing::TestWithParam<const KernelTable*> {
 protected:
  void SetUp() override { NOTSO_NEEDS_TABLE(&table()); }
  [[nodiscard]] static const KernelTable& table() { return *GetParam(); }
};

// Numbers whose groups of 32 are of very different sizes.
Floats uneven_floats(std::size_t count, unsigned seed) {
  Floats x = random_floats(count, seed);
  for (std::size_t i = 0; i < count; ++i) x[i] *= std::exp2(-static_cast<float>(i / 32 * 5 % 17));
  return x;
}

TEST_P(RowKernels, QuantisingStaysWithinHalfAStep) {
  const Floats x = uneven_floats(1000, 1);
  const TestTile tile = TestTile::of(table(), {x});
  for (std::size_t c = 0; c < x.size(); ++c) {
    const auto block = static_cast<std::int32_t>(c / kBlockColumns);
    const double step = static_cast<double>(tile.number(block, TileMeta::kScale, 0)) *
                        tile.factor(block, static_cast<int>(c % kBlockColumns / 32), 0);
    ASSERT_NEAR(tile.value(static_cast<std::int64_t>(c), 0), x[c], step * 0.5001) << c;
  }
}

TEST_P(RowKernels, QuantisingGivesEachGroupTheSmallestFactorThatHoldsIt) {
  const Floats x = uneven_floats(1024, 2);
  const TestTile tile = TestTile::of(table(), {x});
  for (std::int32_t block = 0; block < tile.blocks; ++block) {
    const double a = tile.number(block, TileMeta::kScale, 0);
    for (int j = 0; j < 8; ++j) {
      double top = 0;
      for (int i = 0; i < 32; ++i) {
        const auto c = static_cast<std::size_t>(block * kBlockColumns + j * 32 + i);
        top = std::max(top, std::fabs(static_cast<double>(x[c])));
      }
      const std::int32_t e = tile.factor(block, j, 0);
      ASSERT_GE(e, 1);
      ASSERT_LE(e, 16);
      ASSERT_GE(a * 127 * e, top * 0.999999);
      if (e > 1) {
        ASSERT_LE(a * 127 * (e - 1), top * 1.000001);
      }
    }
  }
}

// The words of one block and row, made from its bytes.
void expect_words_of_bytes(const TestTile& tile, std::int32_t block, std::int32_t row) {
  const double a = tile.number(block, TileMeta::kScale, row);
  for (int j = 0; j < 8; ++j) {
    std::int32_t sums[2] = {0, 0};
    for (int i = 0; i < 32; ++i) {
      const std::int32_t q = tile.byte(block * kBlockColumns + j * 32 + i, row);
      ASSERT_LE(std::abs(q), 127);
      sums[i / 16] += q;
    }
    const std::int32_t e = tile.factor(block, j, row);
    const std::int32_t sum = sums[0] + sums[1];
    const auto half_of = [&](int first) {
      const std::int32_t pair = tile.word(block, first + j / 2, row);
      return j % 2 == 0 ? static_cast<std::int16_t>(pair & 0xffff) : pair >> 16;
    };
    EXPECT_EQ(tile.word(block, TileMeta::kFactorTwins + j, row), e | e << 16);
    EXPECT_EQ(half_of(TileMeta::kFactorPairs), e);
    EXPECT_EQ(half_of(TileMeta::kSumPairs), (e * sum + j % 2) >> 1);
    EXPECT_EQ(tile.word(block, TileMeta::kOffsets16 + 2 * j, row), -32 * sums[0]);
    EXPECT_EQ(tile.word(block, TileMeta::kOffsets16 + 2 * j + 1, row), -32 * sums[1]);
    EXPECT_EQ(tile.word(block, TileMeta::kNegSums32 + j, row), -sum);
    EXPECT_NEAR(tile.number(block, TileMeta::kGroupScales + j, row), a * e, a * e * 1e-6);
    EXPECT_NEAR(tile.number(block, TileMeta::kGroupSums + j, row), a * e * sum,
                a * e * std::abs(sum) * 1e-6);
  }
}

TEST_P(RowKernels, QuantisingKeepsTheMetaWordsConsistentWithTheBytes) {
  const Floats x = uneven_floats(600, 3);
  const Floats y = uneven_floats(600, 4);
  for (const TestTile& tile :
       {TestTile::of(table(), {x}), TestTile::of(table(), {y, x}), TestTile::of(table(), {x, y, x}),
        TestTile::of(table(), {x, x, y, y})}) {
    for (std::int32_t block = 0; block < tile.blocks; ++block) {
      for (std::int32_t row = 0; row < tile.rows; ++row) expect_words_of_bytes(tile, block, row);
    }
  }
}

TEST_P(RowKernels, QuantisingARowIsTheSameInEveryTile) {
  const Floats x = uneven_floats(600, 5);
  const Floats y = uneven_floats(600, 6);
  const TestTile alone = TestTile::of(table(), {x});
  const TestTile shared = TestTile::of(table(), {y, y, x, y});
  for (std::int32_t block = 0; block < alone.blocks; ++block) {
    for (int w = 0; w < TileMeta::kWords; ++w) {
      ASSERT_EQ(alone.word(block, w, 0), shared.word(block, w, 2)) << w;
    }
  }
  for (std::int64_t c = 0; c < 768; ++c) {
    ASSERT_EQ(alone.byte(c, 0), shared.byte(c, 2)) << c;
    ASSERT_EQ(alone.values[static_cast<std::size_t>(c)],
              shared.values[static_cast<std::size_t>(c * 4 + 2)]);
  }
}

TEST_P(RowKernels, QuantisingCopiesTheValuesAndFillsUpWithZeros) {
  const Floats x = uneven_floats(301, 7);
  const TestTile tile = TestTile::of(table(), {x});
  for (std::size_t c = 0; c < 512; ++c) {
    ASSERT_EQ(tile.values[c], c < x.size() ? x[c] : 0.0F) << c;
    if (c >= x.size()) {
      ASSERT_EQ(tile.q[c], 0) << c;
    }
  }
}

TEST_P(RowKernels, QuantisingWorksWithoutAPlaceForTheValues) {
  const Floats x = uneven_floats(512, 8);
  const TestTile with = TestTile::of(table(), {x});
  TestTile without(1, 512);
  TileRow row = without.row(0);
  row.values = nullptr;
  table().quantize(x.data(), 512, row);
  EXPECT_EQ(with.q, without.q);
  EXPECT_EQ(with.meta, without.meta);
}

TEST_P(RowKernels, QuantisingZerosGivesZeros) {
  const Floats zeros(256, 0.0F);
  const TestTile tile = TestTile::of(table(), {zeros});
  EXPECT_EQ(tile.q, std::vector<std::int8_t>(256, 0));
  EXPECT_EQ(tile.number(0, TileMeta::kScale, 0), 0.0F);
  for (int j = 0; j < 8; ++j) EXPECT_EQ(tile.number(0, TileMeta::kGroupScales + j, 0), 0.0F);
}

TEST_P(RowKernels, QuantisingDenormalsGivesNumbersAsSmallAsThey) {
  for (const float size : {1e-45F, 1e-40F, 1.2e-38F, 4e-38F, 1e-34F}) {
    Floats x(256, 0.0F);
    x[3] = size;
    x[40] = -size / 2;
    const TestTile tile = TestTile::of(table(), {x});
    for (std::int64_t c = 0; c < 256; ++c) {
      ASSERT_LE(std::fabs(tile.value(c, 0)), static_cast<double>(size) * 1.001) << size;
      if (x[static_cast<std::size_t>(c)] == 0.0F) {
        ASSERT_EQ(tile.value(c, 0), 0.0) << size;
      }
    }
  }
}

TEST_P(RowKernels, QuantisingHugeNumbersStaysFinite) {
  Floats x(256, 1e30F);
  x[9] = 3e38F;
  const TestTile tile = TestTile::of(table(), {x});
  EXPECT_NEAR(tile.value(9, 0) / static_cast<double>(x[9]), 1.0, 1e-6);
  EXPECT_TRUE(std::isfinite(tile.number(0, TileMeta::kGroupSums, 0)));
}

TEST_P(RowKernels, RmsNormIsNearTheF64Result) {
  for (const std::size_t columns : {1U, 15U, 16U, 17U, 64U, 100U, 2048U, 2051U}) {
    const Floats x = random_floats(columns, 10, 3.0F);
    const Floats weight = random_floats(columns, 11);
    Floats out(columns);
    table().rms_norm(x.data(), weight.data(), 1e-6F, static_cast<std::int32_t>(columns),
                     out.data());
    double sum = 0;
    for (const float v : x) sum += static_cast<double>(v) * static_cast<double>(v);
    const double scale = 1.0 / std::sqrt(sum / static_cast<double>(columns) + 1e-6);
    for (std::size_t i = 0; i < columns; ++i) {
      const double expected = static_cast<double>(x[i]) * scale * static_cast<double>(weight[i]);
      ASSERT_NEAR(out[i], expected, std::fabs(expected) * 2e-6) << i << " of " << columns;
    }
  }
}

TEST_P(RowKernels, RmsNormOfZerosIsZeroAndOfANanIsNan) {
  const Floats weight(70, 1.0F);
  Floats x(70, 0.0F);
  Floats out(70, 1.0F);
  table().rms_norm(x.data(), weight.data(), 1e-6F, 70, out.data());
  for (const float v : out) EXPECT_EQ(v, 0.0F);
  x[69] = std::numeric_limits<float>::quiet_NaN();
  table().rms_norm(x.data(), weight.data(), 1e-6F, 70, out.data());
  for (const float v : out) EXPECT_TRUE(std::isnan(v));
}

TEST_P(RowKernels, SiluMulIsNearTheF64Result) {
  for (std::int32_t count = 1; count <= 70; ++count) {
    Floats gate = random_floats(static_cast<std::size_t>(count), 12, 8.0F);
    const Floats up = random_floats(static_cast<std::size_t>(count), 13);
    const Floats before = gate;
    table().silu_mul(gate.data(), up.data(), count);
    for (std::size_t i = 0; i < gate.size(); ++i) {
      const double g = before[i];
      const double expected = g / (1.0 + std::exp(-g)) * static_cast<double>(up[i]);
      ASSERT_NEAR(gate[i], expected, std::fabs(expected) * 3e-6) << "silu(" << g << ")";
    }
  }
}

TEST_P(RowKernels, SiluMulHoldsAtBothEndsAndKeepsNan) {
  std::array<float, 6> gate = {-1000.0F, -89.0F, 0.0F,
                               89.0F,    1e30F,  std::numeric_limits<float>::quiet_NaN()};
  const std::array<float, 6> up = {1.0F, 1.0F, 1.0F, 1.0F, 2.0F, 1.0F};
  table().silu_mul(gate.data(), up.data(), 6);
  EXPECT_NEAR(gate[0], 0.0, 1e-35);
  EXPECT_NEAR(gate[1], 0.0, 1e-35);
  EXPECT_EQ(gate[2], 0.0F);
  EXPECT_EQ(gate[3], 89.0F);
  EXPECT_EQ(gate[4], 2e30F);
  EXPECT_TRUE(std::isnan(gate[5]));
}

TEST_P(RowKernels, ReadAndWriteNothingBehindTheirArrays) {
  for (const std::int32_t count : {1, 7, 16, 23, 255, 256, 300}) {
    const auto size = static_cast<std::size_t>(count);
    const Fenced<float> x(random_floats(size, 20));
    const Fenced<float> weight(random_floats(size, 21));
    const Fenced<float> out(Floats(size, 0.0F));
    table().rms_norm(x.data(), weight.data(), 1e-6F, count, out.data());
    table().silu_mul(out.data(), weight.data(), count);
    EXPECT_NE(out.data()[size - 1], 0.0F);
    const TestTile plain = TestTile::of(table(), {std::span<const float>(x.data(), size)});
    const Fenced<std::int8_t> q(plain.q);
    const Fenced<std::int32_t> meta(plain.meta);
    const Fenced<float> values(plain.values);
    std::memset(q.data(), 0, plain.q.size());
    table().quantize(x.data(), count, {q.data(), meta.data(), values.data(), 1, 0});
    EXPECT_EQ(std::memcmp(q.data(), plain.q.data(), plain.q.size()), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Tables, RowKernels, ::testing::ValuesIn(kernel_tables()),
                         [](const auto& test) { return test_name(test.param->name); });

}  // namespace
}  // namespace notso
