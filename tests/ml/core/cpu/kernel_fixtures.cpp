#include "ml/core/cpu/kernel_fixtures.h"

#include <bit>
#include <cctype>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "ml/core/cpu/pack.h"
#include "ml/core/quant/quantize.h"

namespace notso {
namespace {

// Overwrites the numbers of a block with finite ones and, given a `level` of 0 or 255, all levels
// and scales with the end of their range.
template <class Block>
void mend_block(Block& block, std::mt19937& random, int level) {
  std::uniform_real_distribution<float> number(-0.1F, 0.1F);
  if (level >= 0) {
    std::memset(&block, level, sizeof block);
    if constexpr (std::is_same_v<Block, BlockQ6_K>) {
      std::memset(block.scales, level == 0 ? 0x7f : 0x80, sizeof block.scales);
    }
    if constexpr (std::is_same_v<Block, BlockQ8_0>) {
      std::memset(block.q, level == 0 ? 0x80 : 0x7f, sizeof block.q);
    }
    if constexpr (requires { block.dmin; }) std::memset(block.scales, 0xff, sizeof block.scales);
  }
  block.d = float_to_half(number(random));
  if constexpr (requires { block.m; }) block.m = float_to_half(number(random));
  if constexpr (requires { block.dmin; }) block.dmin = float_to_half(number(random));
}

template <class Block>
void mend_all(std::span<std::byte> bytes, std::mt19937& random, int level) {
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(Block)) {
    Block block;
    std::memcpy(&block, &bytes[at], sizeof block);
    mend_block(block, random, level);
    std::memcpy(&bytes[at], &block, sizeof block);
  }
}

void mend(DType type, std::span<std::byte> bytes, std::mt19937& random, int level) {
  switch (type) {
    case DType::kQ4_0:
      return mend_all<BlockQ4_0>(bytes, random, level);
    case DType::kQ4_1:
      return mend_all<BlockQ4_1>(bytes, random, level);
    case DType::kQ5_0:
      return mend_all<BlockQ5_0>(bytes, random, level);
    case DType::kQ5_1:
      return mend_all<BlockQ5_1>(bytes, random, level);
    case DType::kQ8_0:
      return mend_all<BlockQ8_0>(bytes, random, level);
    case DType::kQ4_K:
      return mend_all<BlockQ4_K>(bytes, random, level);
    case DType::kQ5_K:
      return mend_all<BlockQ5_K>(bytes, random, level);
    case DType::kQ6_K:
      return mend_all<BlockQ6_K>(bytes, random, level);
    default:
      break;
  }
  const std::size_t count = bytes.size() / dtype_info(type).block_bytes;
  std::vector<float> numbers(count, level == 0 ? -2.0F : 2.0F);
  std::normal_distribution<float> normal;
  if (level < 0) {
    for (float& x : numbers) x = normal(random);
  }
  quantize(type, numbers, bytes);
}

TestMatrix make_matrix(DType type, std::int64_t rows, std::int64_t columns, unsigned seed,
                       int level) {
  TestMatrix matrix{type, rows, columns, {}, {}};
  std::mt19937 random(seed);
  matrix.source.resize(dtype_bytes(type, static_cast<std::size_t>(rows * columns)));
  for (std::byte& byte : matrix.source) byte = static_cast<std::byte>(random() & 255U);
  mend(type, matrix.source, random, level);
  matrix.packed.resize(packed_bytes(type, rows, columns));
  const std::size_t strip_bytes = packed_bytes(type, kStripPanels * kPanelRows, columns);
  for (std::int64_t i = 0; i < strip_count(rows); ++i) {
    pack_strip(type, matrix.source, rows, columns, i,
               matrix.packed.data() + static_cast<std::size_t>(i) * strip_bytes);
  }
  return matrix;
}

}  // namespace

std::string test_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) out += c;
  }
  return out;
}

std::vector<DType> all_types() {
  std::vector<DType> types;
  for (std::uint32_t raw = 0; raw < 64; ++raw) {
    if (const auto type = dtype_from_raw(raw)) types.push_back(*type);
  }
  return types;
}

const KernelTable& scalar_table() { return *kernel_tables().back(); }

std::vector<float> random_floats(std::size_t count, unsigned seed, float deviation) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0F, deviation);
  std::vector<float> out(count);
  for (float& x : out) x = normal(random);
  return out;
}

Fence::Fence(std::size_t bytes) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t inside = (bytes + page - 1) / page * page;
  map_bytes_ = inside + page;
  void* map = mmap(nullptr, map_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  NOTSO_CHECK(map != MAP_FAILED);
  map_ = static_cast<std::byte*>(map);
  NOTSO_CHECK(mprotect(map_ + inside, page, PROT_NONE) == 0);
  begin_ = map_ + inside - bytes;
}

Fence::~Fence() { munmap(map_, map_bytes_); }

PanelView TestMatrix::view() const {
  const std::int64_t panels = (rows + kPanelRows - 1) / kPanelRows;
  const std::int64_t blocks = (columns + kBlockColumns - 1) / kBlockColumns;
  return {type, packed.data(), packed.size() / static_cast<std::size_t>(panels),
          static_cast<std::int32_t>(blocks), rows};
}

std::vector<float> TestMatrix::weights() const {
  std::vector<float> out(static_cast<std::size_t>(rows * columns));
  dequantize(type, source, out);
  return out;
}

std::int64_t odd_columns(DType type) {
  const std::uint32_t block = dtype_info(type).block_size;
  return block == 256 ? 512 : block == 32 ? 352 : 300;
}

TestMatrix random_matrix(DType type, std::int64_t rows, std::int64_t columns, unsigned seed) {
  return make_matrix(type, rows, columns, seed, -1);
}

TestMatrix extreme_matrix(DType type, std::int64_t rows, std::int64_t columns, bool top) {
  return make_matrix(type, rows, columns, 5, top ? 255 : 0);
}

TestTile::TestTile(std::int32_t row_count, std::int64_t columns)
    : rows(row_count),
      blocks(static_cast<std::int32_t>((columns + kBlockColumns - 1) / kBlockColumns)) {
  const auto cells = static_cast<std::size_t>(rows) * static_cast<std::size_t>(blocks);
  q.resize(cells * kBlockColumns);
  meta.resize(cells * TileMeta::kWords);
  values.resize(cells * kBlockColumns);
}

TestTile TestTile::of(const KernelTable& table, const std::vector<std::span<const float>>& rows) {
  TestTile tile(static_cast<std::int32_t>(rows.size()),
                static_cast<std::int64_t>(rows.front().size()));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    table.quantize(rows[i].data(), static_cast<std::int32_t>(rows[i].size()),
                   tile.row(static_cast<std::int32_t>(i)));
  }
  return tile;
}

TileView TestTile::view() const { return {q.data(), meta.data(), values.data(), rows}; }

TileRow TestTile::row(std::int32_t index) {
  return {q.data(), meta.data(), values.data(), rows, index};
}

std::int32_t TestTile::word(std::int32_t block, int index, std::int32_t row) const {
  return meta[static_cast<std::size_t>((block * TileMeta::kWords + index) * rows + row)];
}

float TestTile::number(std::int32_t block, int index, std::int32_t row) const {
  return std::bit_cast<float>(word(block, index, row));
}

std::int32_t TestTile::byte(std::int64_t column, std::int32_t row) const {
  return q[static_cast<std::size_t>((column / 4 * rows + row) * 4 + column % 4)];
}

std::int32_t TestTile::factor(std::int32_t block, int group, std::int32_t row) const {
  return word(block, TileMeta::kFactorTwins + group, row) & 0xffff;
}

double TestTile::value(std::int64_t column, std::int32_t row) const {
  const auto block = static_cast<std::int32_t>(column / kBlockColumns);
  const int group = static_cast<int>(column % kBlockColumns / 32);
  return static_cast<double>(number(block, TileMeta::kScale, row)) * factor(block, group, row) *
         byte(column, row);
}

}  // namespace notso
