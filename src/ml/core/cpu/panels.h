// The layouts that the CPU kernels read: weights in panels, activations in tiles. One layout serves
// every instruction set, so a packed file does not depend on the machine that wrote it.
//
// A panel is 16 rows of a matrix. Along the columns it is cut into blocks of 256; the blocks of a
// panel follow each other, so a product reads memory strictly forwards. Inside a block, the unit is
// the quad: 4 neighbouring columns of all 16 rows, row by row, 64 bytes when a weight is a byte.
// One dot-product instruction multiplies a quad with 4 activations of one token and adds to 16 row
// sums. Columns are padded with zero weights to a multiple of 256, rows to a multiple of 16.
//
//   nibbles (2048 bytes): line i of 64 bytes holds quad 2 i in its low and quad 2 i + 1 in its high
//   nibbles. fifths (512 bytes): line j of 64 bytes holds the fifth bits of columns 32 j .. 32 j +
//   31; quad b of those is bit b. sixths (1024 bytes): line g holds the upper two bits of columns
//   16 g .. 16 g + 15; quad b of those is bits 2 b, 2 b + 1. halves: 16 half-precision numbers, one
//   a row.
//
//   Q4_K: scale lines (3 * 64), d halves, dmin halves, nibbles              2304 bytes
//   Q5_K: as Q4_K, then fifths                                              2816
//   Q6_K: nibbles, sixths, 4 lines of int8 group scales, d halves           3360
//   Q4_0: 8 d halves (one for each 32 columns), nibbles                     2304
//   Q4_1: 8 d halves, 8 m halves, nibbles                                   2560
//   Q5_0: 8 d halves, nibbles, fifths                                       2816
//   Q5_1: 8 d halves, 8 m halves, nibbles, fifths                           3072
//   Q8_0: 8 d halves, 64 quads of bytes q + 128                             4352
//   F16, BF16, F32: 256 columns of 16 numbers                               8192, 8192, 16384
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

// Offsets inside a block, in bytes.
struct PanelFormat {
  DType type;
  std::size_t block_bytes;
  std::size_t scales;   // scale lines (K types), d halves (32-column types)
  std::size_t d;        // d halves of a K type, followed by its dmin halves where it has them
  std::size_t mins;     // m halves of Q4_1, Q5_1
  std::size_t nibbles;  // nibbles, or the bytes of Q8_0
  std::size_t high;     // fifths or sixths
};

// The panel format of a type.
[[nodiscard]] const PanelFormat& panel_format(DType type);

// A packed matrix, or a part of one.
struct PanelView {
  DType type = DType::kF32;
  const std::byte* data = nullptr;  // panel p starts at p * panel_bytes
  std::size_t panel_bytes = 0;
  std::int32_t blocks = 0;  // along the columns
  std::int64_t rows = 0;    // real rows; the last panel may hold fewer than 16
};

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
  static constexpr int kScale = 0;         // f32 a
  static constexpr int kFactorPairs = 1;   // [4] e of groups 2 i and 2 i + 1
  static constexpr int kSumPairs = 5;      // [4] (e * sum of q) >> 1 of groups 2 i and 2 i + 1
  static constexpr int kFactorTwins = 9;   // [8] e of group j, twice
  static constexpr int kNegSums16 = 17;    // [16] int32: minus the sum of q over 16 columns
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
