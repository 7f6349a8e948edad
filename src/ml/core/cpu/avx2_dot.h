// The inner loops of the matrix products with AVX2: half panels of 4-, 5- and 6-bit weights times a
// tile of activations, to 32-bit sums. avx2_matmul.cpp says how and why. Everything here has
// internal linkage: see kernel_table.h.
#pragma once

#include <cstdint>
#include <immintrin.h>

#include "ml/core/cpu/panels.h"

namespace notso::avx2 {
namespace {

// Kernels are one body each: a call in the inner loop would spill every sum.
#define NOTSO_INLINE [[gnu::always_inline]] inline

using Bytes = const std::uint8_t*;

constexpr int kHalfRows = 8;
constexpr int kHalfBytes = 32;  // of a quad, for 8 rows

NOTSO_INLINE __m256i load_half(const void* at) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(at));
}

NOTSO_INLINE __m256i broadcast(const void* word) {
  return _mm256_set1_epi32(*static_cast<const std::int32_t*>(word));
}

NOTSO_INLINE __m256 broadcast_float(const std::int32_t* word) {
  return _mm256_castsi256_ps(_mm256_set1_epi32(*word));
}

// What a kernel works on: H half panels, a tile of T tokens, and H * T row sums of 8 floats. Four
// halves are a whole strip.
template <int H, int T>
struct Job {
  Bytes block;  // of the strip, the one at hand
  std::size_t width;
  std::size_t within;
  std::size_t block_step;
  std::int32_t blocks;
  const std::int8_t* q;
  const std::int32_t* meta;
  const float* values;
  alignas(32) float sums[H][T][kHalfRows];
};

// Where a half's numbers start inside arrays of 16 rows.
constexpr int half_of(int h, int row_bytes) { return h % 2 * kHalfRows * row_bytes; }

// Half h of a piece of 16 rows of `kRowBytes` in the strip's block; see PanelPlace::piece.
template <int kRowBytes, int H, int T>
NOTSO_INLINE Bytes piece_at(const Job<H, T>& job, int h, std::size_t offset) {
  constexpr std::size_t kBytes = kPanelRows * kRowBytes;
  const std::size_t width = H == 4 ? 2 : job.width;
  const std::size_t within = H == 4 ? static_cast<std::size_t>(h / 2) : job.within;
  return job.block + width * offset + within * kBytes + half_of(h, kRowBytes);
}
template <int H, int T>
NOTSO_INLINE Bytes line_at(const Job<H, T>& job, int h, std::size_t offset) {
  return piece_at<4>(job, h, offset);
}
template <int H, int T>
NOTSO_INLINE Bytes halves_at(const Job<H, T>& job, int h, std::size_t offset) {
  return piece_at<2>(job, h, offset);
}

// From one line of a panel to its next.
template <int H, int T>
NOTSO_INLINE std::size_t line_step(const Job<H, T>& job) {
  return (H == 4 ? 2 : job.width) * kQuadBytes;
}

// The upper bits of 5- and 6-bit weights, put back into quad kQuad (0..7) of 32 columns from the
// line of fifths or sixths at `line`.
enum class High { kNone, kFifths, kSixths };

template <High kHigh, int kQuad>
NOTSO_INLINE __m256i add_high(__m256i quad, Bytes line) {
  if constexpr (kHigh == High::kNone) return quad;
  constexpr int kBit = kHigh == High::kFifths ? kQuad : kQuad % 4 * 2;
  const __m256i mask = _mm256_set1_epi8(kHigh == High::kFifths ? 0x10 : 0x30);
  __m256i bits = load_half(line);
  if constexpr (kBit < 4) bits = _mm256_slli_epi16(bits, 4 - kBit);
  if constexpr (kBit > 4) bits = _mm256_srli_epi16(bits, kBit - 4);
  return _mm256_or_si256(quad, _mm256_and_si256(bits, mask));
}

// Keeps a sum in its register: GCC would put the additions off to the end of the group and store
// every product until then.
NOTSO_INLINE void keep(__m256i& sum) { __asm__("" : "+x"(sum)); }

// acc[h][t] = (kStart) or += one quad times the tokens' 4 activations at q, in 16 bits.
template <bool kStart, int H, int T>
NOTSO_INLINE void dot_quad(const __m256i (&quad)[H], const std::int8_t* q, __m256i (&acc)[H][T]) {
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) {
    const __m256i x = broadcast(q + t * 4);
#pragma GCC unroll 4
    for (int h = 0; h < H; ++h) {
      const __m256i product = _mm256_maddubs_epi16(quad[h], x);
      acc[h][t] = kStart ? product : _mm256_add_epi16(acc[h][t], product);
      keep(acc[h][t]);
    }
  }
}

// The two quads of line kLine (0..3) of nibbles of 32 columns, whose lines are `step` bytes apart.
// `lines` points to the first of them all.
template <High kHigh, int kLine, int H>
NOTSO_INLINE void unpack_line(const Bytes (&lines)[H], std::size_t step, __m256i (&even)[H],
                              __m256i (&odd)[H]) {
  constexpr PanelFormat kFormat = panel_format(kHigh == High::kSixths   ? DType::kQ6_K
                                               : kHigh == High::kFifths ? DType::kQ5_K
                                                                        : DType::kQ4_K);
  constexpr std::size_t kNibbles = kFormat.nibble_line(kLine);
  constexpr std::size_t kUpper = kHigh == High::kSixths ? kFormat.high_line(kLine / 2) : 0;
  const __m256i low = _mm256_set1_epi8(15);
#pragma GCC unroll 4
  for (int h = 0; h < H; ++h) {
    const __m256i line = load_half(lines[h] + kNibbles * step);
    const __m256i upper = _mm256_and_si256(_mm256_srli_epi16(line, 4), low);
    even[h] = add_high<kHigh, 2 * kLine>(_mm256_and_si256(line, low), lines[h] + kUpper * step);
    odd[h] = add_high<kHigh, 2 * kLine + 1>(upper, lines[h] + kUpper * step);
  }
}

// acc = (kStart) or += line kLine of 32 columns of 4- or 5-bit weights, in 16 bits.
template <High kHigh, int kLine, bool kStart, int H, int T>
NOTSO_INLINE void dot_line(const Bytes (&lines)[H], std::size_t step, const std::int8_t* q,
                           __m256i (&acc)[H][T]) {
  __m256i even[H];
  __m256i odd[H];
  unpack_line<kHigh, kLine>(lines, step, even, odd);
  dot_quad<kStart>(even, q + 2 * kLine * T * 4, acc);
  dot_quad<false>(odd, q + (2 * kLine + 1) * T * 4, acc);
}

// total[h][t] += line kLine of 32 columns of 6-bit weights times the rows' scales: two quads are
// all that fits in 16 bits.
template <int kLine, int H, int T>
NOTSO_INLINE void dot_line_6(const Bytes (&lines)[H], std::size_t step, const std::int8_t* q,
                             const __m256i (&scales)[H], __m256i (&total)[H][T]) {
  __m256i even[H];
  __m256i odd[H];
  unpack_line<High::kSixths, kLine>(lines, step, even, odd);
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) {
    const __m256i first = broadcast(q + (2 * kLine * T + t) * 4);
    const __m256i second = broadcast(q + ((2 * kLine + 1) * T + t) * 4);
#pragma GCC unroll 4
    for (int h = 0; h < H; ++h) {
      const __m256i sum = _mm256_add_epi16(_mm256_maddubs_epi16(even[h], first),
                                           _mm256_maddubs_epi16(odd[h], second));
      total[h][t] = _mm256_add_epi32(total[h][t], _mm256_madd_epi16(sum, scales[h]));
      keep(total[h][t]);
    }
  }
}

// total[h][t] = (kStart) or += acc times the rows' scales: 16-bit sums to 32-bit ones.
template <bool kStart, int H, int T>
NOTSO_INLINE void widen(const __m256i (&acc)[H][T], const __m256i (&scales)[H],
                        __m256i (&total)[H][T]) {
#pragma GCC unroll 4
  for (int h = 0; h < H; ++h) {
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      const __m256i sum = _mm256_madd_epi16(acc[h][t], scales[h]);
      total[h][t] = kStart ? sum : _mm256_add_epi32(total[h][t], sum);
    }
  }
}

// total = 32 columns of 4- or 5-bit weights times the rows' scales.
template <High kHigh, int H, int T>
NOTSO_INLINE void dot_group(const Bytes (&lines)[H], std::size_t step, const std::int8_t* q,
                            const __m256i (&scales)[H], __m256i (&total)[H][T]) {
  __m256i acc[H][T];
  dot_line<kHigh, 0, true>(lines, step, q, acc);
  dot_line<kHigh, 1, false>(lines, step, q, acc);
  if constexpr (kHigh == High::kNone) {
    dot_line<kHigh, 2, false>(lines, step, q, acc);
    dot_line<kHigh, 3, false>(lines, step, q, acc);
    widen<true>(acc, scales, total);
  } else {
    widen<true>(acc, scales, total);
    dot_line<kHigh, 2, true>(lines, step, q, acc);
    dot_line<kHigh, 3, false>(lines, step, q, acc);
    widen<false>(acc, scales, total);
  }
}

// sums += value * scale.
NOTSO_INLINE void accumulate(float* sums, __m256 value, __m256 scale) {
  _mm256_store_ps(sums, _mm256_fmadd_ps(value, scale, _mm256_load_ps(sums)));
}

// block += total times the tokens' scales of group j.
template <int H, int T>
NOTSO_INLINE void add_group(const __m256i (&total)[H][T], const std::int32_t* meta, int j,
                            float (&block)[H][T][kHalfRows]) {
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) {
    const __m256 scale = broadcast_float(meta + (TileMeta::kGroupScales + j) * T + t);
#pragma GCC unroll 4
    for (int h = 0; h < H; ++h) {
      accumulate(block[h][t], _mm256_cvtepi32_ps(total[h][t]), scale);
    }
  }
}

template <int H, int T>
NOTSO_INLINE void clear(float (&block)[H][T][kHalfRows]) {
#pragma GCC unroll 4
  for (int h = 0; h < H; ++h) {
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) _mm256_store_ps(block[h][t], _mm256_setzero_ps());
  }
}

}  // namespace
}  // namespace notso::avx2
