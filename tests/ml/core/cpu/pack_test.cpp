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
  const std::size_t block = panel_format(GetParam()).block_bytes;
  EXPECT_EQ(packed_bytes(GetParam(), 1, 256), block);
  EXPECT_EQ(packed_bytes(GetParam(), 16, 512), 2 * block);
  EXPECT_EQ(packed_bytes(GetParam(), 17, 512), 4 * block);
}

// The pieces of a block, in the order in which products read them.
std::vector<std::size_t> piece_sizes(DType type) {
  const PanelFormat format = panel_format(type);
  const bool is_k = type == DType::kQ4_K || type == DType::kQ5_K;
  const bool is_float = type == DType::kF16 || type == DType::kBF16 || type == DType::kF32;
  const int halves = type == DType::kQ4_1 || type == DType::kQ5_1 ? 2 : 1;
  std::vector<std::size_t> sizes;
  if (is_k) sizes.insert(sizes.end(), 2, kQuadBytes);
  for (int j = 0; j < kBlockGroups; ++j) {
    if (type == DType::kQ6_K && j % 2 == 0) sizes.push_back(kQuadBytes);
    sizes.insert(sizes.end(), format.group_lines, format.line_bytes);
    if (!is_k && !is_float && type != DType::kQ6_K) sizes.insert(sizes.end(), halves, kHalvesBytes);
  }
  if (is_k) sizes.insert(sizes.end(), 2, kQuadBytes);
  if (type == DType::kQ6_K) sizes.push_back(kHalvesBytes);
  return sizes;
}

// Where the formulas say that the same pieces are.
std::vector<std::size_t> piece_places(DType type) {
  const PanelFormat format = panel_format(type);
  const bool is_k = type == DType::kQ4_K || type == DType::kQ5_K;
  const bool is_float = type == DType::kF16 || type == DType::kBF16 || type == DType::kF32;
  std::vector<std::size_t> places;
  if (is_k) places = {kScalesAt, kBothAt};
  for (int j = 0; j < kBlockGroups; ++j) {
    if (type == DType::kQ6_K && j % 2 == 0) places.push_back(q6_scales_at(j / 2));
    for (std::size_t i = 0; i < format.group_lines; ++i) {
      places.push_back(format.group(j) + i * format.line_bytes);
    }
    if (is_k || is_float || type == DType::kQ6_K) continue;
    places.push_back(small_d_at(format, j));
    if (type == DType::kQ4_1 || type == DType::kQ5_1) places.push_back(places.back() + 32);
  }
  if (is_k) places.insert(places.end(), {k_mins_at(format), k_d_at(format)});
  if (type == DType::kQ6_K) places.push_back(kQ6DAt);
  return places;
}

// The processor's prefetcher follows nothing else: see panels.h.
TEST_P(Packing, PutsABlocksPiecesOneBehindTheOtherAsTheyAreRead) {
  const std::vector<std::size_t> sizes = piece_sizes(GetParam());
  const std::vector<std::size_t> places = piece_places(GetParam());
  ASSERT_EQ(places.size(), sizes.size());
  std::size_t end = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    EXPECT_EQ(places[i], end) << "piece " << i;
    end += sizes[i];
  }
  EXPECT_EQ(panel_format(GetParam()).block_bytes, end);
}

INSTANTIATE_TEST_SUITE_P(Types, Packing, ::testing::ValuesIn(all_types()),
                         [](const auto& test) { return test_name(dtype_info(test.param).name); });

}  // namespace
}  // namespace notso
