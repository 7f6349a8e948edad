// The layouts that the CPU kernels read: weights in panels, activations in tiles. One layout serves
// every instruction set, so a packed file does not depend on the machine that wrote it.
//
// A panel is 16 rows of a matrix. Along the columns it is cut into blocks of 256 and these into
// groups of 32. The unit is the quad: 4 neighbouring columns of all 16 rows, row by row, 64 bytes
// when a weight is a byte. One dot-product instruction multiplies a quad with 4 activations of one
// token and adds to 16 row sums. Columns are padded with zero weights to a multiple of 256, rows to
// a multiple of 16.
//
// Two neighbouring panels make a strip (the last panel may be one alone), and a strip is stored in
// the very order in which a product of both its panels reads it: for each block the panels'
// headers, then group by group and line by line first one panel's line, then the other's. So a
// product reads memory strictly forwards, line after line, which is what the processor's prefetcher
// keeps up with: any other order of the same lines costs up to half the speed.
//
//   nibbles (4 lines of 64 bytes): line i holds quad 2 i in its low and quad 2 i + 1 in its high
//       nibbles.
//   fifths (1 line): the fifth bits; those of quad b are bit b of each byte.
//   sixths (2 lines): the upper two bits, a line for each 16 columns; quad b of those is bits 2 b,
//       2 b + 1.
//   halves: 16 half-precision numbers, one a row.
//
//          header of a block                        group of 32 columns
//   Q4_K   3 scale lines, d halves, dmin halves     nibbles
//   Q5_K   as Q4_K                                  fifths, nibbles
//   Q6_K   4 lines of int8 scales, d halves         sixths, nibbles
//   Q4_0   8 d halves (one a group)                 nibbles
//   Q4_1   8 d halves, 8 m halves                   nibbles
//   Q5_0   8 d halves                               fifths, nibbles
//   Q5_1   8 d halves, 8 m halves                   fifths, nibbles
//   Q8_0   8 d halves                               8 quads of bytes q + 128
//   F16, BF16, F32   nothing                        32 columns of 16 numbers; a column is a line
//
// The 6-bit scales s0..s7 and mins m0..m7 of a row of a Q4_K block are the same 12 bytes as in the
// file, in an order that unpacks into pairs of 16-bit numbers: three lines of 16 dwords, a dword a
// row. Bytes 0..3 of line 0 hold s0 s2 s1 s3 in bits 0-5 and bits 4-5 of s4 s6 s5 s7 in bits 6-7;
// line 1 the same of m; line 2 the lower nibbles of s4 s6 s5 s7 in bits 0-3 and of m4 m6 m5 m7 in
// bits 4-7. A line of Q6_K's group scales holds s0 s2 s1 s3 of its four.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ml/core/quant/dtype.h"

namespace notso {

inline constexpr int kPanelRows = 16;
inline constexpr int kBlockColumns = 256;
inline constexpr int kQuadBytes = 64;

inline constexpr int kBlockGroups = 8;

// The sizes of a type's headers and groups, in bytes, and what is where inside them.
struct PanelFormat {
  DType type;
  std::size_t header_bytes;
  std::size_t d;     // in the header: d halves; of a K type with mins, the dmin halves follow
  std::size_t mins;  // in the header: m halves of Q4_1, Q5_1
  std::size_t group_lines;
  std::size_t line_bytes;
  std::size_t high_lines;  // at the start of a group: fifths or sixths

  [[nodiscard]] constexpr std::size_t block_bytes() const {
    return header_bytes + kBlockGroups * group_lines * line_bytes;
  }
};

// The panel format of a type.
[[nodiscard]] const PanelFormat& panel_format(DType type);

// A packed matrix.
struct PanelView {
  DType type = DType::kF32;
  const std::byte* data = nullptr;
  std::size_t panel_bytes = 0;  // of one panel, all blocks
  std::int32_t blocks = 0;      // along the columns
  std::int64_t rows = 0;        // real rows; the last panel may hold fewer than 16
};

// Where a panel's first block is. Line i of group j of block b is at groups + i * line_step +
// j * group_step + b * block_step.
struct PanelPlace {
  const std::byte* header;
  const std::byte* groups;
  std::size_t line_step;
  std::size_t group_step;
  std::size_t block_step;
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
