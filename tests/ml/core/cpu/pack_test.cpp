// Packing loses nothing: panels hold exactly the weights of the file, and zeros around them.
#include "ml/core/cpu/pack.h"

#include <cstring>
#include <gtest/gtest.h>

#include "ml/core/cpu/kernel_fixtures.h"

namespace notso {
namespace {

class Packing : public ::testing::TestWithParam<DType> {};

constexpr std::int64_t kRows = 37;

TEST_P(Packing, GivesEveryWeightBackAsDequantisingTheFileDoes) {
  const TestMatrix matrix = random_matrix(GetParam(), kRows, odd_columns(GetParam()), 1);
  const std::vector<float> expected = matrix.weights();
  std::vector<float> row(static_cast<std::size_t>(matrix.columns));
  for (std::int64_t r = 0; r < kRows; ++r) {
    unpack_row(matrix.view(), r, row);
    const float* from = expected.data() + r * matrix.columns;
    EXPECT_EQ(std::memcmp(row.data(), from, row.size() * sizeof(float)), 0) << "row " << r;
  }
}

TEST_P(Packing, FillsRowsAndColumnsThatAreNotThereWithZeros) {
  const TestMatrix matrix = random_matrix(GetParam(), kRows, odd_columns(GetParam()), 2);
  std::vector<float> row(512);
  for (std::int64_t r = 0; r < 48; ++r) {
    unpack_row(matrix.view(), r, row);
    const auto first = r < kRows ? static_cast<std::size_t>(matrix.columns) : 0;
    for (std::size_t c = first; c < row.size(); ++c) ASSERT_EQ(row[c], 0.0F) << r << "," << c;
  }
}

TEST_P(Packing, OverwritesWhateverWasInTheStrip) {
  const TestMatrix matrix = random_matrix(GetParam(), kRows, odd_columns(GetParam()), 3);
  std::vector<std::byte> dirty(matrix.packed.size(), std::byte{0xa5});
  const std::size_t strip_bytes = 2 * matrix.view().panel_bytes;
  ASSERT_EQ(strip_count(matrix.rows), 2);
  for (std::int64_t i = 0; i < 2; ++i) {
    pack_strip(matrix.type, matrix.source, matrix.rows, matrix.columns, i,
               dirty.data() + static_cast<std::size_t>(i) * strip_bytes);
  }
  EXPECT_EQ(dirty, matrix.packed);
}

TEST_P(Packing, TakesTheBytesThatTheFormatSays) {
  const std::size_t block = panel_format(GetParam()).block_bytes();
  EXPECT_EQ(packed_bytes(GetParam(), 1, 256), block);
  EXPECT_EQ(packed_bytes(GetParam(), 16, 512), 2 * block);
  EXPECT_EQ(packed_bytes(GetParam(), 17, 512), 4 * block);
}

INSTANTIATE_TEST_SUITE_P(Types, Packing, ::testing::ValuesIn(all_types()),
                         [](const auto& test) { return test_name(dtype_info(test.param).name); });

}  // namespace
}  // namespace notso
