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

// What a kernel works on: P panels, a tile of T tokens, and P * T row sums of 16 floats. Two panels
// are a whole strip.
template <int P, int T>
struct Job {
  Bytes strip;
  std::size_t width;
  std::size_t within;
  std::size_t block_step;
  std::int32_t blocks;
  const std::int8_t* q;
  const std::int32_t* meta;
  const float* values;
  alignas(64) float sums[P][T][kPanelRows];
};

// Panel p's line, or halves, of the strip's block at `block`; see PanelPlace::piece.
template <int P, int T>
inline Bytes line_at(const Job<P, T>& job, Bytes block, int p, std::size_t offset) {
  if constexpr (P == 2) return block + 2 * offset + static_cast<std::size_t>(p) * kQuadBytes;
  return block + job.width * offset + job.within * kQuadBytes;
}
template <int P, int T>
inline Bytes halves_at(const Job<P, T>& job, Bytes block, int p, std::size_t offset) {
  if constexpr (P == 2) return block + 2 * offset + static_cast<std::size_t>(p) * kHalvesBytes;
  return block + job.width * offset + job.within * kHalvesBytes;
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
  return (P == 2 ? 2 : job.width) * kQuadBytes;
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

// acc = all 32 columns of a group. A call would pass every sum through memory.
template <High kHigh, int P, int T>
[[gnu::always_inline]] inline void dot_group(const Bytes (&nibbles)[P], std::size_t step,
                                             const __m512i (&high)[P], const std::int8_t* q,
                                             __m512i (&acc)[P][T]) {
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

// The scale pairs of groups 2 i and 2 i + 1, or the min pairs.
struct Pairs {
  __m512i of[4];
};

// From the pairs' own line, and the line of which four bits of each byte are theirs.
inline Pairs unpack_pairs(__m512i line, __m512i nibbles) {
  const __m512i words = _mm512_set1_epi16(0xff);
  const __m512i first = _mm512_and_si512(line, _mm512_set1_epi8(63));
  const __m512i second =
      _mm512_or_si512(_mm512_and_si512(nibbles, _mm512_set1_epi8(15)),
                      _mm512_and_si512(_mm512_srli_epi32(line, 2), _mm512_set1_epi8(0x30)));
  return {{_mm512_and_si512(first, words), _mm512_srli_epi16(first, 8),
           _mm512_and_si512(second, words), _mm512_srli_epi16(second, 8)}};
}

// The sums of a block, scaled, less its mins.
template <High kHigh, int P, int T>
inline void finish_k_block(Job<P, T>& job, Bytes block, const std::int32_t* meta,
                           const __m512i (&total)[P][T]) {
  constexpr int kShift = kHigh == High::kNone ? 1 : 2;
  constexpr PanelFormat kFormat = panel_format(kHigh == High::kNone ? DType::kQ4_K : DType::kQ5_K);
#pragma GCC unroll 2
  for (int p = 0; p < P; ++p) {
    const __m512i both = load_line(line_at(job, block, p, kBothAt));
    const Pairs mins = unpack_pairs(load_line(line_at(job, block, p, k_mins_at(kFormat))),
                                    _mm512_srli_epi32(both, 4));
    Bytes halves = line_at(job, block, p, k_d_at(kFormat));
    const __m512 shifted = _mm512_set1_ps(static_cast<float>(1 << kShift));
    const __m512 d = _mm512_mul_ps(load_halves(halves), shifted);
    const __m512 dmin = _mm512_mul_ps(load_halves(halves + kHalvesBytes), _mm512_set1_ps(2.0F));
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
}

// Q4_K (kHigh none, halved sums) and Q5_K (fifths, quartered sums).
template <High kHigh, int P, int T>
void multiply_k(Job<P, T>& job) {
  constexpr int kShift = kHigh == High::kNone ? 1 : 2;
  constexpr PanelFormat kFormat = panel_format(kHigh == High::kNone ? DType::kQ4_K : DType::kQ5_K);
  const std::size_t line = line_step(job);
  const std::int8_t* q = job.q;
  const std::int32_t* meta = job.meta;
  Bytes block = job.strip;
  for (std::int32_t b = 0; b < job.blocks; ++b) {
    Pairs scales[P];
    __m512i total[P][T];
    clear(total);
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) {
      scales[p] = unpack_pairs(load_line(line_at(job, block, p, kScalesAt)),
                               load_line(line_at(job, block, p, kBothAt)));
    }
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
          Bytes lines = line_at(job, block, p, kFormat.group(group));
          high[p] = kHigh == High::kNone ? _mm512_setzero_si512() : load_line(lines);
          nibbles[p] = lines + kFormat.high_lines * line;
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
    finish_k_block<kHigh, P, T>(job, block, meta, total);
    block += job.block_step;
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
// 16 columns are loaded when their turn comes: all at once they would push sums out of the
// registers.
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
      high[p] = load_line(lines[p] + static_cast<std::size_t>(3 * half) * step);
      nibbles[p] = lines[p] + static_cast<std::size_t>(1 + 3 * half) * step;
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
  Bytes block = job.strip;
  for (std::int32_t b = 0; b < job.blocks; ++b) {
    __m512 total[P][T];
    clear(total);
#pragma GCC unroll 1
    for (int i = 0; i < 4; ++i) {
      __m512 scales[P][2];
      Bytes lines[P];
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) {
        lines[p] = line_at(job, block, p, q6_scales_at(i)) + line;
        q6_scales<false>(load_line(lines[p] - line), scales[p]);
      }
      q6_columns<P, T>(lines, line, scales, q, meta, 2 * i, total);
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) {
        q6_scales<true>(load_line(lines[p] - line), scales[p]);
        lines[p] += 6 * line;
      }
      q6_columns<P, T>(lines, line, scales, q, meta, 2 * i + 1, total);
    }
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) {
      const __m512 d = load_halves(halves_at(job, block, p, kQ6DAt));
#pragma GCC unroll 4
      for (int t = 0; t < T; ++t) finish_block(job.sums[p][t], total[p][t], d);
    }
    block += job.block_step;
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
  static constexpr PanelFormat kPanel = panel_format(kType);
};

template <DType kType, int P, int T>
void multiply_small(Job<P, T>& job) {
  using Format = Small<kType>;
  constexpr High kHigh = Format::kFifths ? High::kFifths : High::kNone;
  const std::size_t line = line_step(job);
  const std::int8_t* q = job.q;
  const std::int32_t* meta = job.meta;
  Bytes block = job.strip;
  for (std::int32_t b = 0; b < job.blocks; ++b) {
#pragma GCC unroll 1
    for (int j = 0; j < 8; ++j) {
      __m512i acc[P][T];
      Bytes quads[P];
      __m512i high[P];
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) {
        Bytes lines = line_at(job, block, p, Format::kPanel.group(j));
        high[p] = kHigh == High::kNone ? _mm512_setzero_si512() : load_line(lines);
        quads[p] = lines + Format::kPanel.high_lines * line;
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
        const std::size_t d_at = small_d_at(Format::kPanel, j);
        const __m512 d = load_halves(halves_at(job, block, p, d_at));
#pragma GCC unroll 4
        for (int t = 0; t < T; ++t) {
          if constexpr (Format::kMins) {
            finish_block(job.sums[p][t], load_halves(halves_at(job, block, p, d_at + kHalvesBytes)),
                         broadcast_float(meta + (TileMeta::kGroupSums + j) * T + t));
          }
          finish_block(job.sums[p][t], _mm512_mul_ps(_mm512_cvtepi32_ps(acc[p][t]), d),
                       broadcast_float(meta + (TileMeta::kGroupScales + j) * T + t));
        }
      }
    }
    block += job.block_step;
    q += kBlockColumns * T;
    meta += TileMeta::kWords * T;
  }
}

// F16, BF16 and F32 weights with f32 activations.
template <DType kType, int P, int T>
void multiply_float(Job<P, T>& job) {
  __m512 acc[P][T];
  clear(acc);
  constexpr std::size_t kLine = panel_format(kType).line_bytes;
  const std::int64_t columns = std::int64_t{job.blocks} * kBlockColumns;
  for (std::int64_t c = 0; c < columns; ++c) {
    // The columns of all groups and blocks follow each other.
    Bytes column = job.strip + static_cast<std::size_t>(c) * job.width * kLine;
    __m512 w[P];
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) {
      Bytes at = column + (job.within + static_cast<std::size_t>(p)) * kLine;
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

// A panel or a strip, which begins at `place`: runs the kernel and puts its sums where they belong.
template <int P, int T>
void run(const PanelView& weights, std::int64_t panel, const PanelPlace& place,
         const TileView& tile, float* out, std::int64_t stride, bool add) {
  Job<P, T> job;
  job.strip = reinterpret_cast<Bytes>(place.strip);
  job.width = place.width;
  job.within = place.within;
  job.block_step = place.block_step;
  job.blocks = weights.blocks;
  job.q = tile.q;
  job.meta = tile.meta;
  job.values = tile.values;
  for (int p = 0; p < P; ++p) {
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
  run<1, T>(weights, panel, panel_place(weights, panel), tile, out, stride, add);
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
    PanelPlace place = panel_place(weights, first_panel + p);
    for (; p + 2 <= panels; p += 2, place.strip += 2 * weights.panel_bytes) {
      run<2, T>(weights, first_panel + p, place, tile, out + p * kPanelRows, stride, add);
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
