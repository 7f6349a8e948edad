// Matrix products with AVX-512 VNNI: one or two panels (16 or 32 rows) times a tile of one to four
// tokens.
//
// The inner loop takes 64 bytes of weights, splits them into two quads with a shift and two masks,
// and feeds each to `vpdpbusd` for every token; the activations are broadcast from memory.
// Products, scales and broadcasts share two execution ports, so what counts is the number of
// multiplying instructions besides the dot products themselves. The sums of two neighbouring groups
// therefore go, halved, into one register as 16-bit pairs, and one `vpdpwssd` applies both groups'
// scales and adds: per 256 columns 64 dot products carry 15 other multiplies. Halving loses one bit
// of a sum of 16 or 17 bits, two hundred times less than the rounding of the activations
// themselves; groups round down and up in turns, because a common pull would add up over 2048
// columns and 36 layers (rounding all down doubled the divergence of the full-size model's logits).
//
// Whatever the tile, a token's sums are made by the same instructions in the same order.

#include <cstdint>
#include <immintrin.h>

#include "ml/core/cpu/avx512.h"

namespace notso::avx512 {
namespace {

using Bytes = const std::uint8_t*;

inline __m512i load_line(Bytes at) { return _mm512_loadu_si512(at); }

inline __m512i broadcast(const void* word) {
  return _mm512_set1_epi32(*static_cast<const std::int32_t*>(word));
}

inline __m512 broadcast_float(const std::int32_t* word) {
  return _mm512_castsi512_ps(_mm512_set1_epi32(*word));
}

inline __m512 load_halves(Bytes at) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
}

// What a kernel works on: P panels, a tile of T tokens, and P * T row sums of 16 floats.
template <int P, int T>
struct Job {
  Bytes headers[P];
  Bytes groups[P];
  std::size_t line_step;
  std::size_t block_step;
  std::int32_t blocks;
  const std::int8_t* q;
  const std::int32_t* meta;
  const float* values;
  alignas(64) float sums[P][T][kPanelRows];
};

template <int P, int T>
inline void start(const Job<P, T>& job, Bytes (&header)[P], Bytes (&groups)[P]) {
  for (int p = 0; p < P; ++p) {
    header[p] = job.headers[p];
    groups[p] = job.groups[p];
  }
}

template <int P, int T>
inline void advance(const Job<P, T>& job, Bytes (&header)[P], Bytes (&groups)[P]) {
  for (int p = 0; p < P; ++p) {
    header[p] += job.block_step;
    groups[p] += job.block_step;
  }
}

// The quads of one line of nibbles, with the upper bits of 5- and 6-bit weights put back. `Line` is
// the line's number inside its 32 columns (0..3).
enum class High { kNone, kFifths, kSixths };

// (line & mask) | quad in one instruction.
inline __m512i merge(__m512i quad, __m512i line, __m512i mask) {
  return _mm512_ternarylogic_epi32(line, mask, quad, 0xEA);
}

// `line` shifted so that bit `from` of each byte becomes bit 4; bits of other bytes may move in, to
// be masked.
template <int kFrom>
inline __m512i to_bit_4(__m512i line) {
  if constexpr (kFrom < 4) {
    return _mm512_slli_epi16(line, 4 - kFrom);
  } else if constexpr (kFrom > 4) {
    return _mm512_srli_epi16(line, kFrom - 4);
  } else {
    return line;
  }
}

template <High kHigh, int kQuad>
inline __m512i add_high(__m512i quad, __m512i line) {
  if constexpr (kHigh == High::kFifths) {
    return merge(quad, to_bit_4<kQuad>(line), _mm512_set1_epi8(0x10));
  } else if constexpr (kHigh == High::kSixths) {
    return merge(quad, to_bit_4<kQuad % 4 * 2>(line), _mm512_set1_epi8(0x30));
  } else {
    return quad;
  }
}

// From one line of a panel to its next: known where both panels of a strip are at work.
template <int P, int T>
inline std::size_t line_step(const Job<P, T>& job) {
  return P == 2 ? 2 * kQuadBytes : job.line_step;
}

// acc[p][t] += line `kLine` of the 32 columns at `nibbles`, times the tokens' 8 activations at q.
template <High kHigh, int kLine, int P, int T>
inline void dot_line(const Bytes (&nibbles)[P], std::size_t step, const __m512i (&high)[P],
                     const std::int8_t* q, __m512i (&acc)[P][T]) {
  const __m512i low = _mm512_set1_epi8(15);
  __m512i even[P];
  __m512i odd[P];
#pragma GCC unroll 2
  for (int p = 0; p < P; ++p) {
    const __m512i line = load_line(nibbles[p] + kLine * step);
    even[p] = add_high<kHigh, 2 * kLine>(_mm512_and_si512(line, low), high[p]);
    odd[p] =
        add_high<kHigh, 2 * kLine + 1>(_mm512_and_si512(_mm512_srli_epi16(line, 4), low), high[p]);
  }
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) {
    const __m512i x = broadcast(q + (kLine * 2 * T + t) * 4);
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) acc[p][t] = _mm512_dpbusd_epi32(acc[p][t], even[p], x);
  }
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) {
    const __m512i x = broadcast(q + ((kLine * 2 + 1) * T + t) * 4);
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) acc[p][t] = _mm512_dpbusd_epi32(acc[p][t], odd[p], x);
  }
}

// acc = all 32 columns of a group.
template <High kHigh, int P, int T>
inline void dot_group(const Bytes (&nibbles)[P], std::size_t step, const __m512i (&high)[P],
                      const std::int8_t* q, __m512i (&acc)[P][T]) {
  dot_line<kHigh, 0, P, T>(nibbles, step, high, q, acc);
  dot_line<kHigh, 1, P, T>(nibbles, step, high, q, acc);
  dot_line<kHigh, 2, P, T>(nibbles, step, high, q, acc);
  dot_line<kHigh, 3, P, T>(nibbles, step, high, q, acc);
}

template <typename Register, int P, int T>
inline void clear(Register (&acc)[P][T]) {
#pragma GCC unroll 2
  for (int p = 0; p < P; ++p) {
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) acc[p][t] = Register{};
  }
}

// What the sums of the first (half 0) or second group of a pair start with, so that losing kShift
// bits does not pull all results the same way: one group rounds down, its neighbour up by as much.
template <int kShift>
constexpr int rounding(int half) {
  return kShift == 1 ? half : 1 + half;
}

template <int kShift, int P, int T>
inline void round_up(int half, __m512i (&acc)[P][T]) {
#pragma GCC unroll 2
  for (int p = 0; p < P; ++p) {
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) acc[p][t] = _mm512_set1_epi32(rounding<kShift>(half));
  }
}

// The sums of two groups, shifted right by kShift to 16 bits, as pairs.
template <int kShift>
inline __m512i pair_up(__m512i first, __m512i second) {
  return _mm512_mask_blend_epi16(0xAAAAAAAAU, _mm512_srai_epi32(first, kShift),
                                 _mm512_slli_epi32(second, 16 - kShift));
}

// sums += (total * d - min_total * dmin) * a.
inline void finish_block(float* sums, __m512 value, __m512 scale) {
  _mm512_store_ps(sums, _mm512_fmadd_ps(value, scale, _mm512_load_ps(sums)));
}

// The scale pairs of groups 2 i and 2 i + 1 (or the min pairs), from the three lines of panels.h.
struct Pairs {
  __m512i of[4];
};

inline Pairs k_scale_pairs(Bytes lines) {
  const __m512i line0 = load_line(lines);
  const __m512i line2 = load_line(lines + 2 * kQuadBytes);
  const __m512i words = _mm512_set1_epi16(0xff);
  const __m512i first = _mm512_and_si512(line0, _mm512_set1_epi8(63));
  const __m512i second =
      _mm512_or_si512(_mm512_and_si512(line2, _mm512_set1_epi8(15)),
                      _mm512_and_si512(_mm512_srli_epi32(line0, 2), _mm512_set1_epi8(0x30)));
  return {{_mm512_and_si512(first, words), _mm512_srli_epi16(first, 8),
           _mm512_and_si512(second, words), _mm512_srli_epi16(second, 8)}};
}

inline Pairs k_min_pairs(Bytes lines) {
  const __m512i line1 = load_line(lines + kQuadBytes);
  const __m512i line2 = load_line(lines + 2 * kQuadBytes);
  const __m512i words = _mm512_set1_epi16(0xff);
  const __m512i first = _mm512_and_si512(line1, _mm512_set1_epi8(63));
  const __m512i second =
      _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi32(line2, 4), _mm512_set1_epi8(15)),
                      _mm512_and_si512(_mm512_srli_epi32(line1, 2), _mm512_set1_epi8(0x30)));
  return {{_mm512_and_si512(first, words), _mm512_srli_epi16(first, 8),
           _mm512_and_si512(second, words), _mm512_srli_epi16(second, 8)}};
}

// Q4_K (kHigh none, halved sums) and Q5_K (fifths, quartered sums).
template <High kHigh, int P, int T>
void multiply_k(Job<P, T>& job) {
  constexpr int kShift = kHigh == High::kNone ? 1 : 2;
  constexpr std::size_t kHighLines = kHigh == High::kNone ? 0 : 1;
  const std::size_t line = line_step(job);
  const std::int8_t* q = job.q;
  const std::int32_t* meta = job.meta;
  Bytes header[P];
  Bytes groups[P];
  start<P, T>(job, header, groups);
  for (std::int32_t b = 0; b < job.blocks; ++b) {
    Pairs scales[P];
    __m512i total[P][T];
    clear(total);
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) scales[p] = k_scale_pairs(header[p]);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      __m512i acc[2][P][T];
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        const int group = 2 * i + half;
        Bytes nibbles[P];
        __m512i high[P];
#pragma GCC unroll 2
        for (int p = 0; p < P; ++p) {
          Bytes lines = groups[p] + static_cast<std::size_t>(group) * (4 + kHighLines) * line;
          high[p] = kHigh == High::kNone ? _mm512_setzero_si512() : load_line(lines);
          nibbles[p] = lines + kHighLines * line;
        }
        round_up<kShift>(half, acc[half]);
        dot_group<kHigh, P, T>(nibbles, line, high, q + group * 32 * T, acc[half]);
      }
#pragma GCC unroll 4
      for (int t = 0; t < T; ++t) {
        const __m512i factors = broadcast(meta + (TileMeta::kFactorPairs + i) * T + t);
#pragma GCC unroll 2
        for (int p = 0; p < P; ++p) {
          total[p][t] =
              _mm512_dpwssd_epi32(total[p][t], pair_up<kShift>(acc[0][p][t], acc[1][p][t]),
                                  _mm512_mullo_epi16(scales[p].of[i], factors));
        }
      }
    }
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) {
      const Pairs mins = k_min_pairs(header[p]);
      const __m512 shifted = _mm512_set1_ps(static_cast<float>(1 << kShift));
      const __m512 d = _mm512_mul_ps(load_halves(header[p] + 192), shifted);
      const __m512 dmin = _mm512_mul_ps(load_halves(header[p] + 224), _mm512_set1_ps(2.0F));
#pragma GCC unroll 4
      for (int t = 0; t < T; ++t) {
        __m512i low = _mm512_setzero_si512();
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
          low = _mm512_dpwssd_epi32(low, mins.of[i],
                                    broadcast(meta + (TileMeta::kSumPairs + i) * T + t));
        }
        __m512 value = _mm512_mul_ps(_mm512_cvtepi32_ps(total[p][t]), d);
        value = _mm512_fnmadd_ps(_mm512_cvtepi32_ps(low), dmin, value);
        finish_block(job.sums[p][t], value, broadcast_float(meta + TileMeta::kScale * T + t));
      }
    }
    advance<P, T>(job, header, groups);
    q += kBlockColumns * T;
    meta += TileMeta::kWords * T;
  }
}

// Two groups' scales of Q6_K as floats: those of the 32 columns at an even or odd place (kOdd) of
// the 64 whose four scales a line holds.
template <bool kOdd>
inline void q6_scales(__m512i line, __m512 (&scale)[2]) {
  const __m512i first = _mm512_slli_epi32(line, kOdd ? 16 : 24);
  const __m512i second = kOdd ? line : _mm512_slli_epi32(line, 8);
  scale[0] = _mm512_cvtepi32_ps(_mm512_srai_epi32(first, 24));
  scale[1] = _mm512_cvtepi32_ps(_mm512_srai_epi32(second, 24));
}

// total += 32 columns of Q6_K, two groups of 16: `lines` are their sixths and nibbles. The lines of
// a group are loaded when its turn comes: all at once they would push sums out of the registers.
template <int P, int T>
inline void q6_columns(const Bytes (&lines)[P], std::size_t step, const __m512 (&scales)[P][2],
                       const std::int8_t* q, const std::int32_t* meta, int j,
                       __m512 (&total)[P][T]) {
  __m512i acc[2][P][T];
  const std::int8_t* x = q + j * 32 * T;
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    __m512i high[P];
    Bytes nibbles[P];
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) {
      high[p] = load_line(lines[p] + static_cast<std::size_t>(half) * step);
      nibbles[p] = lines[p] + static_cast<std::size_t>(2 + 2 * half) * step;
    }
    const std::int32_t* offsets = meta + (TileMeta::kOffsets16 + 2 * j + half) * T;
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) acc[half][p][t] = broadcast(offsets + t);
    }
    dot_line<High::kSixths, 0, P, T>(nibbles, step, high, x + half * 16 * T, acc[half]);
    dot_line<High::kSixths, 1, P, T>(nibbles, step, high, x + half * 16 * T, acc[half]);
  }
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) {
    const __m512 scale = broadcast_float(meta + (TileMeta::kGroupScales + j) * T + t);
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) {
      const __m512 first = _mm512_mul_ps(_mm512_cvtepi32_ps(acc[0][p][t]), scales[p][0]);
      const __m512 both = _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc[1][p][t]), scales[p][1], first);
      total[p][t] = _mm512_fmadd_ps(both, scale, total[p][t]);
    }
  }
}

// Q6_K. The weights' offset of 32 goes in as the sums' starting value. Sums are scaled whole, as
// floats: the head is of this type, and halved sums there made the full-size model's logits diverge
// half as much again; conversions to float are free beside the dot products, 32-bit products are
// not.
template <int P, int T>
void multiply_q6(Job<P, T>& job) {
  const std::size_t line = line_step(job);
  const std::int8_t* q = job.q;
  const std::int32_t* meta = job.meta;
  Bytes header[P];
  Bytes groups[P];
  start<P, T>(job, header, groups);
  for (std::int32_t b = 0; b < job.blocks; ++b) {
    __m512 total[P][T];
    clear(total);
#pragma GCC unroll 1
    for (int i = 0; i < 4; ++i) {
      __m512 scales[P][2];
      Bytes lines[P];
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) {
        lines[p] = groups[p] + static_cast<std::size_t>(i) * 12 * line;
        q6_scales<false>(load_line(header[p] + i * kQuadBytes), scales[p]);
      }
      q6_columns<P, T>(lines, line, scales, q, meta, 2 * i, total);
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) {
        lines[p] += 6 * line;
        q6_scales<true>(load_line(header[p] + i * kQuadBytes), scales[p]);
      }
      q6_columns<P, T>(lines, line, scales, q, meta, 2 * i + 1, total);
    }
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) {
      const __m512 d = load_halves(header[p] + 256);
#pragma GCC unroll 4
      for (int t = 0; t < T; ++t) finish_block(job.sums[p][t], total[p][t], d);
    }
    advance<P, T>(job, header, groups);
    q += kBlockColumns * T;
    meta += TileMeta::kWords * T;
  }
}

// acc = 32 columns of bytes.
template <int P, int T>
inline void dot_bytes(const Bytes (&quads)[P], std::size_t step, const std::int8_t* q,
                      __m512i (&acc)[P][T]) {
#pragma GCC unroll 8
  for (int k = 0; k < 8; ++k) {
    __m512i w[P];
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) w[p] = load_line(quads[p] + static_cast<std::size_t>(k) * step);
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      const __m512i x = broadcast(q + (k * T + t) * 4);
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) acc[p][t] = _mm512_dpbusd_epi32(acc[p][t], w[p], x);
    }
  }
}

// Facts about the types with one half-precision scale for 32 columns.
template <DType kType>
struct Small {
  static constexpr bool kFifths = kType == DType::kQ5_0 || kType == DType::kQ5_1;
  static constexpr bool kMins = kType == DType::kQ4_1 || kType == DType::kQ5_1;
  static constexpr int kOffsetBits = kType == DType::kQ4_0   ? 3
                                     : kType == DType::kQ5_0 ? 4
                                     : kType == DType::kQ8_0 ? 7
                                                             : -1;
  static constexpr std::size_t kLines = kType == DType::kQ8_0 ? 8 : kFifths ? 5 : 4;
};

template <DType kType, int P, int T>
void multiply_small(Job<P, T>& job) {
  using Format = Small<kType>;
  constexpr High kHigh = Format::kFifths ? High::kFifths : High::kNone;
  const std::size_t line = line_step(job);
  const std::int8_t* q = job.q;
  const std::int32_t* meta = job.meta;
  Bytes header[P];
  Bytes groups[P];
  start<P, T>(job, header, groups);
  for (std::int32_t b = 0; b < job.blocks; ++b) {
#pragma GCC unroll 1
    for (int j = 0; j < 8; ++j) {
      __m512i acc[P][T];
      Bytes quads[P];
      __m512i high[P];
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) {
        Bytes lines = groups[p] + static_cast<std::size_t>(j) * Format::kLines * line;
        high[p] = kHigh == High::kNone ? _mm512_setzero_si512() : load_line(lines);
        quads[p] = lines + (Format::kFifths ? line : 0);
#pragma GCC unroll 4
        for (int t = 0; t < T; ++t) {
          acc[p][t] = _mm512_setzero_si512();
          if constexpr (Format::kOffsetBits >= 0) {
            acc[p][t] = _mm512_slli_epi32(broadcast(meta + (TileMeta::kNegSums32 + j) * T + t),
                                          Format::kOffsetBits);
          }
        }
      }
      if constexpr (kType == DType::kQ8_0) {
        dot_bytes<P, T>(quads, line, q + j * 32 * T, acc);
      } else {
        dot_group<kHigh, P, T>(quads, line, high, q + j * 32 * T, acc);
      }
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) {
        const __m512 d = load_halves(header[p] + j * 32);
#pragma GCC unroll 4
        for (int t = 0; t < T; ++t) {
          if constexpr (Format::kMins) {
            finish_block(job.sums[p][t], load_halves(header[p] + 256 + j * 32),
                         broadcast_float(meta + (TileMeta::kGroupSums + j) * T + t));
          }
          finish_block(job.sums[p][t], _mm512_mul_ps(_mm512_cvtepi32_ps(acc[p][t]), d),
                       broadcast_float(meta + (TileMeta::kGroupScales + j) * T + t));
        }
      }
    }
    advance<P, T>(job, header, groups);
    q += kBlockColumns * T;
    meta += TileMeta::kWords * T;
  }
}

// F16, BF16 and F32 weights with f32 activations.
template <DType kType, int P, int T>
void multiply_float(Job<P, T>& job) {
  __m512 acc[P][T];
  clear(acc);
  const std::int64_t columns = std::int64_t{job.blocks} * kBlockColumns;
  for (std::int64_t c = 0; c < columns; ++c) {
    // Without headers the columns of all groups and blocks follow each other.
    const std::size_t before = static_cast<std::size_t>(c) * job.line_step;
    __m512 w[P];
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) {
      Bytes at = job.groups[p] + before;
      if constexpr (kType == DType::kF32) {
        w[p] = _mm512_loadu_ps(at);
      } else if constexpr (kType == DType::kF16) {
        w[p] = load_halves(at);
      } else {
        const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
        w[p] = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
      }
    }
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      const __m512 x = _mm512_set1_ps(job.values[c * T + t]);
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) acc[p][t] = _mm512_fmadd_ps(w[p], x, acc[p][t]);
    }
  }
#pragma GCC unroll 2
  for (int p = 0; p < P; ++p) {
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) _mm512_store_ps(job.sums[p][t], acc[p][t]);
  }
}

template <int P, int T>
void multiply(DType type, Job<P, T>& job) {
  switch (type) {
    case DType::kQ4_K:
      return multiply_k<High::kNone>(job);
    case DType::kQ5_K:
      return multiply_k<High::kFifths>(job);
    case DType::kQ6_K:
      return multiply_q6(job);
    case DType::kQ4_0:
      return multiply_small<DType::kQ4_0>(job);
    case DType::kQ4_1:
      return multiply_small<DType::kQ4_1>(job);
    case DType::kQ5_0:
      return multiply_small<DType::kQ5_0>(job);
    case DType::kQ5_1:
      return multiply_small<DType::kQ5_1>(job);
    case DType::kQ8_0:
      return multiply_small<DType::kQ8_0>(job);
    case DType::kF16:
      return multiply_float<DType::kF16>(job);
    case DType::kBF16:
      return multiply_float<DType::kBF16>(job);
    case DType::kF32:
      return multiply_float<DType::kF32>(job);
  }
}

// One or two panels, at `places`: runs the kernel and puts its sums where they belong.
template <int P, int T>
void run(const PanelView& weights, std::int64_t panel, const PanelPlace (&places)[P],
         const TileView& tile, float* out, std::int64_t stride, bool add) {
  Job<P, T> job;
  job.blocks = weights.blocks;
  job.q = tile.q;
  job.meta = tile.meta;
  job.values = tile.values;
  for (int p = 0; p < P; ++p) {
    job.headers[p] = reinterpret_cast<Bytes>(places[p].header);
    job.groups[p] = reinterpret_cast<Bytes>(places[p].groups);
    job.line_step = places[p].line_step;
    job.block_step = places[p].block_step;
    for (int t = 0; t < T; ++t) _mm512_store_ps(job.sums[p][t], _mm512_setzero_ps());
  }
  multiply<P, T>(weights.type, job);
  for (int p = 0; p < P; ++p) {
    const std::int64_t left = weights.rows - (panel + p) * kPanelRows;
    const auto mask = static_cast<__mmask16>(left >= kPanelRows ? 0xffff : (1 << left) - 1);
    for (int t = 0; t < T; ++t) {
      float* to = out + t * stride + p * kPanelRows;
      __m512 sum = _mm512_load_ps(job.sums[p][t]);
      if (add) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, to));
      _mm512_mask_storeu_ps(to, mask, sum);
    }
  }
}

template <int T>
void run_one(const PanelView& weights, std::int64_t panel, const TileView& tile, float* out,
             std::int64_t stride, bool add) {
  const PanelPlace places[1] = {panel_place(weights, panel)};
  run<1, T>(weights, panel, places, tile, out, stride, add);
}

template <int T>
void run_all(const PanelView& weights, std::int64_t first_panel, std::int32_t panels,
             const TileView& tile, float* out, std::int64_t stride, bool add) {
  // Two panels at a time are those of a strip.
  std::int32_t p = 0;
  if (first_panel % 2 != 0 && panels > 0) {
    run_one<T>(weights, first_panel, tile, out, stride, add);
    ++p;
  }
  if (p + 2 <= panels) {
    PanelPlace places[2] = {panel_place(weights, first_panel + p),
                            panel_place(weights, first_panel + p + 1)};
    for (; p + 2 <= panels; p += 2) {
      run<2, T>(weights, first_panel + p, places, tile, out + p * kPanelRows, stride, add);
      for (PanelPlace& place : places) {
        place.header += 2 * weights.panel_bytes;
        place.groups += 2 * weights.panel_bytes;
      }
    }
  }
  if (p < panels) run_one<T>(weights, first_panel + p, tile, out + p * kPanelRows, stride, add);
}

}  // namespace

void matmul(const PanelView& weights, std::int64_t first_panel, std::int32_t panels,
            const TileView& tile, float* out, std::int64_t stride, bool add) {
  switch (tile.rows) {
    case 1:
      return run_all<1>(weights, first_panel, panels, tile, out, stride, add);
    case 2:
      return run_all<2>(weights, first_panel, panels, tile, out, stride, add);
    case 3:
      return run_all<3>(weights, first_panel, panels, tile, out, stride, add);
    default:
      return run_all<4>(weights, first_panel, panels, tile, out, stride, add);
  }
}

}  // namespace notso::avx512
