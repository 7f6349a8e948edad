// The layouts that the CPU kernels read: weights in panels, activations in tiles. One layout serves
// every instruction set, so a packed file does not depend on the machine that wrote it.
//
// A panel is 16 rows of a matrix. Along the columns it is cut into blocks of 256 and these into
// groups of 32. The unit is the quad: 4 neighbouring columns of all 16 rows, row by row, 64 bytes
// when a weight is a byte. One dot-product instruction multiplies a quad with 4 activations of one
// token and adds to 16 row sums. Columns are padded with zero weights to a multiple of 256, rows to
// a multiple of 16.
//
// A block is a row of pieces, in the very order in which a product reads them. Two neighbouring
// panels make a strip (the last panel may be one alone), whose pieces alternate: first one panel's,
// then the other's. So a product of both panels reads memory strictly forwards, line after line,
// which is what the processor's prefetcher keeps up with: any other order of the same lines costs
// up to half the speed.
//
//   nibbles (4 lines of 64 bytes): line i holds quad 2 i in its low and quad 2 i + 1 in its high
//       nibbles.
//   fifths (1 line): the fifth bits; those of quad b are bit b of each byte.
//   sixths (2 lines): the upper two bits, each line before the two of nibbles that it belongs to;
//       quad b of its 16 columns is bits 2 b, 2 b + 1.
//   halves: 16 half-precision numbers, one a row.
//
//   Q4_K   scales, both; 8 groups of nibbles; mins, d halves and dmin halves as one line
//   Q5_K   the same with groups of fifths, nibbles
//   Q6_K   4 times: a line of int8 scales, 2 groups of sixths and nibbles; then d halves
//   Q4_0   8 groups of nibbles, d halves
//   Q4_1   8 groups of nibbles, d halves, m halves
//   Q5_0   8 groups of fifths, nibbles, d halves
//   Q5_1   8 groups of fifths, nibbles, d halves, m halves
//   Q8_0   8 groups of 8 quads of bytes q + 128, d halves
//   F16, BF16, F32   256 columns of 16 numbers; a column is a line
//
// The 6-bit scales s0..s7 and mins m0..m7 of a row of a Q4_K block are the same 12 bytes as in the
// file, in an order that unpacks into pairs of 16-bit numbers: three lines of 16 dwords, a dword a
// row. Bytes 0..3 of `scales` hold s0 s2 s1 s3 in bits 0-5 and bits 4-5 of s4 s6 s5 s7 in bits 6-7;
// `mins` holds the same of m; `both` the lower nibbles of s4 s6 s5 s7 in bits 0-3 and of m4 m6 m5
// m7 in bits 4-7. A line of Q6_K's scales holds s0 s2 s1 s3 of its four groups of 16.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ml/core/quant/dtype.h"

namespace notso {

inline constexpr int kPanelRows = 16;
inline constexpr int kBlockColumns = 256;
inline constexpr int kQuadBytes = 64;

inline constexpr int kBlockGroups = 8;

inline constexpr std::size_t kHalvesBytes = kPanelRows * 2;

// What is where in a block of a panel that is alone, in bytes from the block's beginning.
struct PanelFormat {
  DType type;
  std::size_t line_bytes;
  std::size_t group_lines;
  std::size_t high_lines;   // of those: fifths or sixths
  std::size_t first_group;  // where it begins
  std::size_t group_step;   // from a group to the next
  std::size_t pair_gap;     // what else is between groups 2 i + 1 and 2 i + 2
  std::size_t block_bytes;

  // Where group j begins, and the bytes of its lines.
  [[nodiscard]] constexpr std::size_t group(int j) const {
    const auto number = static_cast<std::size_t>(j);
    return first_group + number * group_step + number / 2 * pair_gap;
  }
  [[nodiscard]] constexpr std::size_t group_bytes() const { return group_lines * line_bytes; }
  // Line i of a group's nibbles, or of its upper bits, counted from the group's first line.
  [[nodiscard]] constexpr std::size_t nibble_line(std::size_t i) const {
    return high_lines == 2 ? 1 + i + i / 2 : high_lines + i;
  }
  [[nodiscard]] constexpr std::size_t high_line(std::size_t i) const { return 3 * i; }
};

// The panel format of a type.
[[nodiscard]] constexpr PanelFormat panel_format(DType type) {
  constexpr std::size_t kLine = kQuadBytes;
  constexpr std::size_t kAll = kBlockGroups;
  const auto small = [&](std::size_t lines, std::size_t high, std::size_t halves) {
    const std::size_t step = lines * kLine + halves * kHalvesBytes;
    return PanelFormat{type, kLine, lines, high, 0, step, 0, kAll * step};
  };
  const auto numbers = [&](std::size_t bytes) {
    const std::size_t line = kPanelRows * bytes;
    return PanelFormat{type, line, 32, 0, 0, 32 * line, 0, kAll * 32 * line};
  };
  switch (type) {
    case DType::kQ4_K:
      return {type, kLine, 4, 0, 2 * kLine, 4 * kLine, 0, (kAll * 4 + 4) * kLine};
    case DType::kQ5_K:
      return {type, kLine, 5, 1, 2 * kLine, 5 * kLine, 0, (kAll * 5 + 4) * kLine};
    case DType::kQ6_K:
      return {type, kLine, 6, 2, kLine, 6 * kLine, kLine, (kAll * 6 + 4) * kLine + kHalvesBytes};
    case DType::kQ4_0:
      return small(4, 0, 1);
    case DType::kQ4_1:
      return small(4, 0, 2);
    case DType::kQ5_0:
      return small(5, 1, 1);
    case DType::kQ5_1:
      return small(5, 1, 2);
    case DType::kQ8_0:
      return small(8, 0, 1);
    case DType::kF16:
    case DType::kBF16:
      return numbers(2);
    case DType::kF32:
      break;
  }
  return numbers(4);
}

// Q4_K's and Q5_K's lines beside the groups, and Q6_K's scales of groups 2 i and 2 i + 1.
inline constexpr std::size_t kScalesAt = 0;
inline constexpr std::size_t kBothAt = kQuadBytes;
constexpr std::size_t k_mins_at(const PanelFormat& format) {
  return format.block_bytes - 2 * kQuadBytes;
}
constexpr std::size_t k_d_at(const PanelFormat& format) { return format.block_bytes - kQuadBytes; }
constexpr std::size_t q6_scales_at(int i) {
  return panel_format(DType::kQ6_K).group(2 * i) - kQuadBytes;
}
inline constexpr std::size_t kQ6DAt = panel_format(DType::kQ6_K).block_bytes - kHalvesBytes;
// The other quantised types' d halves of group j; m halves follow where there are any.
constexpr std::size_t small_d_at(const PanelFormat& format, int j) {
  return format.group(j) + format.group_bytes();
}

// A packed matrix.
struct PanelView {
  DType type = DType::kF32;
  const std::byte* data = nullptr;
  std::size_t panel_bytes = 0;  // of one panel, all blocks
  std::int32_t blocks = 0;      // along the columns
  std::int64_t rows = 0;        // real rows; the last panel may hold fewer than 16
};

// Where a panel is: `strip` is the first block of its strip, `width` panels wide, in which the
// panel is number `within`.
struct PanelPlace {
  const std::byte* strip;
  std::size_t width;
  std::size_t within;
  std::size_t block_step;

  // How far a panel's piece of `size` bytes is from the beginning of its strip's block, if it would
  // be at `offset` of a panel's alone.
  [[nodiscard]] constexpr std::size_t piece(std::size_t offset, std::size_t size) const {
    return width * offset + within * size;
  }
};
[[nodiscard]] PanelPlace panel_place(const PanelView& matrix, std::int64_t panel);

// Activations: tiles of up to four rows (tokens). In a tile of T rows, each array below is [..][T],
// so that a kernel broadcasts neighbouring words for neighbouring tokens; a single row is simply
// contiguous.
//
// A row is quantised in blocks of 256 with one f32 scale a, and each 32 columns with a factor e
// of 1..16: x = a * e * q, q in -127..127. So a group with small values keeps its precision, and
// the products stay integers.
inline constexpr int kTileRows = 4;

// A block whose largest magnitude is below this counts as zeros: its reciprocal scale would
// overflow.
inline constexpr float kSmallestTop = 1e-30F;

// What a tile knows about one block, in words of 4 bytes, each times T rows. Pairs are two int16 in
// a word.
struct TileMeta {
  static constexpr int kScale = 0;        // f32 a
  static constexpr int kFactorPairs = 1;  // [4] e of groups 2 i and 2 i + 1
  static constexpr int kSumPairs = 5;  // [4] (e * sum of q + j % 2) >> 1 of groups j = 2 i, 2 i + 1
  static constexpr int kFactorTwins = 9;   // [8] e of group j, twice
  static constexpr int kOffsets16 = 17;    // [16] int32: -32 times the sum of q over 16 columns
  static constexpr int kNegSums32 = 33;    // [8] int32: minus the sum of q over 32 columns
  static constexpr int kGroupScales = 41;  // [8] f32 a * e
  static constexpr int kGroupSums = 49;    // [8] f32 a * e * sum of q
  static constexpr int kWords = 57;
};

// One tile of prepared activations.
struct TileView {
  const std::int8_t* q = nullptr;      // [blocks][64 quads][rows][4]
  const std::int32_t* meta = nullptr;  // [blocks][TileMeta::kWords][rows]
  const float* values = nullptr;       // [blocks * 256][rows], only where float weights are in use
  std::int32_t rows = 0;
};

// One row's place in a tile that is being filled.
struct TileRow {
  std::int8_t* q = nullptr;
  std::int32_t* meta = nullptr;
  float* values = nullptr;  // may be null
  std::int32_t rows = 0;    // rows of the tile
  std::int32_t row = 0;     // this one
};

}  // namespace notso
