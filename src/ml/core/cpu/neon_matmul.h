// Matrix products with NEON: a panel (16 rows) times a tile of one to four tokens.
//
// The inner loop takes 64 bytes of weights, splits them into two quads of four registers each, and
// multiplies them with the 8 activations of every token. How, and which sums a register then holds,
// is the business of a Lanes class; the rest is written once over it. Register (u, k), with u below
// the number of tokens and k below 4, is
//   in DotLanes   token u, rows 4 k .. 4 k + 3;
//   in I8mmLanes  the 2 by 2 sums [row][token] of tokens 2 (u / 2), + 1 and rows 4 k + 2 (u % 2),
//                 + 1, so one instruction makes twice as many products.
// Sums of groups are exact: at most 65024 * 2048 * 16 for a block of Q6_K, which 31 bits hold. So
// whatever the tile and the lanes, a token's sums are the same integers, and they are scaled by the
// same instructions in the same order. 16 rows by 4 tokens take half of the 32 registers.
//
// Everything here has internal linkage: see kernel_table.h.
#pragma once

#include <arm_neon.h>
#include <cstddef>
#include <cstdint>

#include "ml/core/cpu/neon_math.h"
#include "ml/core/cpu/panels.h"

namespace notso::neon {
namespace {

using Bytes = const std::uint8_t*;

// Four columns of 16 rows.
struct Quad {
  int8x16_t rows[4];
};

// Sums of a panel and T tokens; see above for what a register holds.
template <int T>
struct Sums {
  int32x4_t of[T][4];
};

// What a kernel works on: one panel, one tile, and the tokens' row sums.
template <int T>
struct Job {
  Bytes block;  // of the panel's strip, the one at hand
  PanelPlace place;
  std::int32_t blocks;
  const std::int8_t* q;
  const std::int32_t* meta;
  const float* values;
  float32x4_t sums[T][4];

  // The panel's line, or halves, of the block at hand.
  Bytes line(std::size_t offset) const { return block + place.piece(offset, kQuadBytes); }
  Bytes halves(std::size_t offset) const { return block + place.piece(offset, kHalvesBytes); }
  // From one line of the panel to its next.
  std::size_t line_step() const { return place.width * kQuadBytes; }

  void advance() { block += place.block_step; }
};

// Lanes for `sdot`.
template <int T>
struct DotLanes {
  static constexpr int kTokens = T;

  // Spreads what belongs to rows 4 k .. 4 k + 3 over register (u, k).
  static int32x4_t rows(int32x4_t of_rows, int) { return of_rows; }
  static float32x4_t rows(float32x4_t of_rows, int) { return of_rows; }
  // Spreads the tokens' words over the registers (u, ..).
  static int32x4_t tokens(const std::int32_t* words, int u) { return vdupq_n_s32(words[u]); }

  // sums += two quads times the tokens' 8 activations, at q as [2][T][4].
  static void multiply(const Quad& even, const Quad& odd, const std::int8_t* q, Sums<T>& sums) {
    int8x8_t x[T];
#pragma GCC unroll 4
    for (int i = 0; i < T; ++i) x[i] = vld1_s8(q + 8 * i);
#pragma GCC unroll 8
    for (int i = 0; i < 2 * T; ++i) {
      const Quad& quad = i < T ? even : odd;
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) {
        int32x4_t& sum = sums.of[i % T][k];
        sum = i % 2 == 0 ? vdotq_lane_s32(sum, quad.rows[k], x[i / 2], 0)
                         : vdotq_lane_s32(sum, quad.rows[k], x[i / 2], 1);
      }
    }
  }

  // Brings finished sums into the order [token][row].
  static void to_rows(float32x4_t (&)[T][4]) {}
};

// A group's 32 columns of weights of fewer than 8 bits. `line` (0..3) holds its quads 2 line and
// 2 line + 1.
enum class High { kNone, kFifths, kSixths };

// The upper bits of quad `quad` (0..7) of a group, from the line that holds them.
template <High kHigh>
inline uint8x16_t high_bits(uint8x16_t line, int quad) {
  const int shift = kHigh == High::kFifths ? 4 - quad : 4 - 2 * (quad % 4);
  const uint8x16_t mask = vdupq_n_u8(kHigh == High::kFifths ? 0x10 : 0x30);
  return vandq_u8(vshlq_u8(line, vdupq_n_s8(static_cast<std::int8_t>(shift))), mask);
}

// The two quads of one line of nibbles, with the upper bits of 5- and 6-bit weights put back.
template <High kHigh>
inline void load_quads(Bytes lines, std::size_t step, int line, Quad& even, Quad& odd) {
  constexpr PanelFormat kFormat = panel_format(kHigh == High::kSixths   ? DType::kQ6_K
                                               : kHigh == High::kFifths ? DType::kQ5_K
                                                                        : DType::kQ4_K);
  Bytes nibbles = lines + kFormat.nibble_line(static_cast<std::size_t>(line)) * step;
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) {
    const uint8x16_t bytes = vld1q_u8(nibbles + 16 * k);
    uint8x16_t low = vandq_u8(bytes, vdupq_n_u8(15));
    uint8x16_t upper = vshrq_n_u8(bytes, 4);
    if constexpr (kHigh != High::kNone) {
      // A line of sixths serves half a group.
      const std::size_t part =
          kHigh == High::kSixths && line >= 2 ? kFormat.high_line(1) * step : 0;
      const uint8x16_t bits = vld1q_u8(lines + part + 16 * k);
      low = vorrq_u8(low, high_bits<kHigh>(bits, 2 * line));
      upper = vorrq_u8(upper, high_bits<kHigh>(bits, 2 * line + 1));
    }
    even.rows[k] = vreinterpretq_s8_u8(low);
    odd.rows[k] = vreinterpretq_s8_u8(upper);
  }
}

// sums += lines [first, last) of a group times the tokens' 32 activations at q.
template <class Lanes, High kHigh, int T = Lanes::kTokens>
inline void multiply_lines(Bytes lines, std::size_t step, int first, int last, const std::int8_t* q,
                           Sums<T>& sums) {
#pragma GCC unroll 4
  for (int line = first; line < last; ++line) {
    Quad even;
    Quad odd;
    load_quads<kHigh>(lines, step, line, even, odd);
    Lanes::multiply(even, odd, q + line * 8 * T, sums);
  }
}

// The same for weights of a byte, stored plus 128.
template <class Lanes, int T = Lanes::kTokens>
inline void multiply_bytes(Bytes bytes, std::size_t step, const std::int8_t* q, Sums<T>& sums) {
  const uint8x16_t sign = vdupq_n_u8(0x80);
#pragma GCC unroll 4
  for (int line = 0; line < 4; ++line, bytes += 2 * step) {
    Quad even;
    Quad odd;
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      even.rows[k] = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(bytes + 16 * k), sign));
      odd.rows[k] = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(bytes + step + 16 * k), sign));
    }
    Lanes::multiply(even, odd, q + line * 8 * T, sums);
  }
}

// sums = 0.
template <class Lanes, int T = Lanes::kTokens>
inline void clear(Sums<T>& sums) {
#pragma GCC unroll 4
  for (int u = 0; u < T; ++u) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) sums.of[u][k] = vdupq_n_s32(0);
  }
}

// Starts sums with minus the sum of the activations, times what the weights are stored plus.
template <class Lanes, int kOffsetBits, int T = Lanes::kTokens>
inline void start(const std::int32_t* negative_sums, Sums<T>& sums) {
#pragma GCC unroll 4
  for (int u = 0; u < T; ++u) {
    const int32x4_t offset = vshlq_n_s32(Lanes::tokens(negative_sums, u), kOffsetBits);
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) sums.of[u][k] = offset;
  }
}

// Where group `group`'s byte is in each row's dword of scales: see panels.h.
inline int byte_shift(int group) {
  const int i = group % 4;
  return 8 * (i == 1 ? 2 : i == 2 ? 1 : i);
}

// The scales (or mins) of a block of Q4_K or Q5_K, a byte each: four groups a dword.
struct KBytes {
  uint8x16_t first[4];   // groups 0..3
  uint8x16_t second[4];  // groups 4..7

  // Those of `group` and rows 4 k .. 4 k + 3.
  [[nodiscard]] int32x4_t of(int group, int k) const {
    const uint32x4_t words = vreinterpretq_u32_u8(group < 4 ? first[k] : second[k]);
    const uint32x4_t low = vshlq_u32(words, vdupq_n_s32(-byte_shift(group)));
    return vreinterpretq_s32_u32(vandq_u32(low, vdupq_n_u32(255)));
  }
};

// From their own line and a half of the line that scales and mins share.
template <bool kMins>
inline KBytes k_bytes(Bytes own, Bytes shared) {
  KBytes out;
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) {
    const uint8x16_t line = vld1q_u8(own + 16 * k);
    const uint8x16_t both = vld1q_u8(shared + 16 * k);
    const uint8x16_t low = kMins ? vshrq_n_u8(both, 4) : vandq_u8(both, vdupq_n_u8(15));
    out.first[k] = vandq_u8(line, vdupq_n_u8(63));
    out.second[k] = vorrq_u8(low, vandq_u8(vshrq_n_u8(line, 2), vdupq_n_u8(0x30)));
  }
  return out;
}

// Factor e of 32 columns.
template <class Lanes>
inline int32x4_t factors(const std::int32_t* meta, int group, int u) {
  const std::int32_t* twins = meta + (TileMeta::kFactorTwins + group) * Lanes::kTokens;
  return vshrq_n_s32(Lanes::tokens(twins, u), 16);
}

// job.sums += (total * d + negative_low * dmin) * a, the second part only where there are mins.
template <class Lanes, bool kMins, int T = Lanes::kTokens>
inline void finish_block(Job<T>& job, const Sums<T>& total, const Sums<T>& negative_low, Bytes d) {
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) {
    const float32x4_t scale = load_halves(d + 8 * k);
    const float32x4_t min_scale = kMins ? load_halves(d + kHalvesBytes + 8 * k) : scale;
#pragma GCC unroll 4
    for (int u = 0; u < T; ++u) {
      const int32x4_t a = Lanes::tokens(job.meta + TileMeta::kScale * T, u);
      float32x4_t value = vmulq_f32(vcvtq_f32_s32(total.of[u][k]), Lanes::rows(scale, u));
      if constexpr (kMins) {
        value = vfmaq_f32(value, vcvtq_f32_s32(negative_low.of[u][k]), Lanes::rows(min_scale, u));
      }
      job.sums[u][k] = vfmaq_f32(job.sums[u][k], value, vreinterpretq_f32_s32(a));
    }
  }
}

// sums = the mins times minus the groups' sums of activations.
template <class Lanes, int T = Lanes::kTokens>
inline void multiply_mins(const KBytes& mins, const std::int32_t* meta, Sums<T>& sums) {
  clear<Lanes>(sums);
  for (int j = 0; j < 8; ++j) {
#pragma GCC unroll 4
    for (int u = 0; u < T; ++u) {
      const int32x4_t negative = vmulq_s32(factors<Lanes>(meta, j, u),
                                           Lanes::tokens(meta + (TileMeta::kNegSums32 + j) * T, u));
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) {
        sums.of[u][k] = vmlaq_s32(sums.of[u][k], Lanes::rows(mins.of(j, k), u), negative);
      }
    }
  }
}

// Q4_K (kHigh none) and Q5_K (fifths).
template <class Lanes, High kHigh, int T = Lanes::kTokens>
void multiply_k(Job<T>& job) {
  constexpr PanelFormat kFormat = panel_format(kHigh == High::kNone ? DType::kQ4_K : DType::kQ5_K);
  for (std::int32_t b = 0; b < job.blocks; ++b, job.advance()) {
    Bytes both = job.line(kBothAt);
    const KBytes scales = k_bytes<false>(job.line(kScalesAt), both);
    Sums<T> total;
    clear<Lanes>(total);
    for (int j = 0; j < 8; ++j) {
      Sums<T> sums;
      clear<Lanes>(sums);
      multiply_lines<Lanes, kHigh>(job.line(kFormat.group(j)), job.line_step(), 0, 4,
                                   job.q + j * 32 * T, sums);
#pragma GCC unroll 4
      for (int u = 0; u < T; ++u) {
        const int32x4_t factor = factors<Lanes>(job.meta, j, u);
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) {
          const int32x4_t scaled = vmulq_s32(sums.of[u][k], Lanes::rows(scales.of(j, k), u));
          total.of[u][k] = vmlaq_s32(total.of[u][k], scaled, factor);
        }
      }
    }
    Sums<T> negative_low;
    const KBytes mins = k_bytes<true>(job.line(k_mins_at(kFormat)), both);
    multiply_mins<Lanes>(mins, job.meta, negative_low);
    finish_block<Lanes, true>(job, total, negative_low, job.line(k_d_at(kFormat)));
    job.q += kBlockColumns * T;
    job.meta += TileMeta::kWords * T;
  }
}

// The scales of Q6_K's group `group` (0..15) and rows 4 k .. 4 k + 3, from the line that holds
// them.
inline int32x4_t q6_scales(Bytes line, int group, int k) {
  const int32x4_t words = vreinterpretq_s32_u8(vld1q_u8(line + 16 * k));
  return vshrq_n_s32(vshlq_s32(words, vdupq_n_s32(24 - byte_shift(group))), 24);
}

// Q6_K: two groups of 16 share a factor.
template <class Lanes, int T = Lanes::kTokens>
void multiply_q6(Job<T>& job) {
  for (std::int32_t b = 0; b < job.blocks; ++b, job.advance()) {
    Sums<T> total;
    clear<Lanes>(total);
    for (int j = 0; j < 8; ++j) {
      Bytes lines = job.line(panel_format(DType::kQ6_K).group(j));
      Bytes scales = job.line(q6_scales_at(j / 2));
      Sums<T> scaled;
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        const int group = 2 * j + half;
        Sums<T> sums;
        start<Lanes, 0>(job.meta + (TileMeta::kOffsets16 + group) * T, sums);
        multiply_lines<Lanes, High::kSixths>(lines, job.line_step(), 2 * half, 2 * half + 2,
                                             job.q + j * 32 * T, sums);
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) {
          const int32x4_t scale = q6_scales(scales, group, k);
#pragma GCC unroll 4
          for (int u = 0; u < T; ++u) {
            const int32x4_t by = Lanes::rows(scale, u);
            scaled.of[u][k] = half == 0 ? vmulq_s32(sums.of[u][k], by)
                                        : vmlaq_s32(scaled.of[u][k], sums.of[u][k], by);
          }
        }
      }
#pragma GCC unroll 4
      for (int u = 0; u < T; ++u) {
        const int32x4_t factor = factors<Lanes>(job.meta, j, u);
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) {
          total.of[u][k] = vmlaq_s32(total.of[u][k], scaled.of[u][k], factor);
        }
      }
    }
    finish_block<Lanes, false>(job, total, total, job.halves(kQ6DAt));
    job.q += kBlockColumns * T;
    job.meta += TileMeta::kWords * T;
  }
}

// The types with blocks of 32 columns.
template <DType kType>
struct Small {
  static constexpr bool kFifths = kType == DType::kQ5_0 || kType == DType::kQ5_1;
  static constexpr bool kMins = kType == DType::kQ4_1 || kType == DType::kQ5_1;
  static constexpr PanelFormat kPanel = panel_format(kType);
  static constexpr int kOffsetBits = kType == DType::kQ4_0 ? 3 : kType == DType::kQ5_0 ? 4 : -1;
};

// Q4_0 to Q8_0: every 32 columns are scaled by themselves.
template <class Lanes, DType kType, int T = Lanes::kTokens>
void multiply_small(Job<T>& job) {
  using Format = Small<kType>;
  for (std::int32_t b = 0; b < job.blocks; ++b, job.advance()) {
    for (int j = 0; j < 8; ++j) {
      Bytes lines = job.line(Format::kPanel.group(j));
      const std::size_t d_at = small_d_at(Format::kPanel, j);
      const std::int8_t* q = job.q + j * 32 * T;
      Sums<T> sums;
      clear<Lanes>(sums);
      if constexpr (kType == DType::kQ8_0) {
        multiply_bytes<Lanes>(lines, job.line_step(), q, sums);
      } else {
        if constexpr (Format::kOffsetBits >= 0) {
          start<Lanes, Format::kOffsetBits>(job.meta + (TileMeta::kNegSums32 + j) * T, sums);
        }
        multiply_lines<Lanes, Format::kFifths ? High::kFifths : High::kNone>(lines, job.line_step(),
                                                                             0, 4, q, sums);
      }
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) {
        const float32x4_t d = load_halves(job.halves(d_at) + 8 * k);
#pragma GCC unroll 4
        for (int u = 0; u < T; ++u) {
          const auto number = [&](int word) {
            return vreinterpretq_f32_s32(Lanes::tokens(job.meta + (word + j) * T, u));
          };
          float32x4_t& sum = job.sums[u][k];
          if constexpr (Format::kMins) {
            const float32x4_t m = load_halves(job.halves(d_at + kHalvesBytes) + 8 * k);
            sum = vfmaq_f32(sum, Lanes::rows(m, u), number(TileMeta::kGroupSums));
          }
          const float32x4_t value = vmulq_f32(vcvtq_f32_s32(sums.of[u][k]), Lanes::rows(d, u));
          sum = vfmaq_f32(sum, value, number(TileMeta::kGroupScales));
        }
      }
    }
    job.q += kBlockColumns * T;
    job.meta += TileMeta::kWords * T;
  }
}

// Numbers 4 k .. 4 k + 3 of a column of F16, BF16 or F32 weights.
template <DType kType>
inline float32x4_t load_numbers(Bytes column, int k) {
  if constexpr (kType == DType::kF32) {
    return vreinterpretq_f32_u8(vld1q_u8(column + 16 * k));
  } else if constexpr (kType == DType::kF16) {
    return load_halves(column + 8 * k);
  } else {
    const uint16x4_t bits = vreinterpret_u16_u8(vld1_u8(column + 8 * k));
    return vreinterpretq_f32_u32(vshll_n_u16(bits, 16));
  }
}

// F16, BF16 and F32 weights with f32 activations, token by token as in DotLanes.
template <DType kType, int T>
void multiply_float(Job<T>& job) {
  const std::int64_t columns = std::int64_t{job.blocks} * kBlockColumns;
  float32x4_t sums[T][4];
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) sums[t][k] = vdupq_n_f32(0.0F);
  }
  for (std::int64_t c = 0; c < columns; ++c) {
    // The columns of all groups and blocks follow each other.
    constexpr std::size_t kLine = panel_format(kType).line_bytes;
    Bytes column = job.block + job.place.piece(static_cast<std::size_t>(c) * kLine, kLine);
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      const float32x4_t w = load_numbers<kType>(column, k);
#pragma GCC unroll 4
      for (int t = 0; t < T; ++t) sums[t][k] = vfmaq_n_f32(sums[t][k], w, job.values[c * T + t]);
    }
  }
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) job.sums[t][k] = sums[t][k];
  }
}

// Leaves the products in job.sums, as [token][row].
template <class Lanes, int T = Lanes::kTokens>
void multiply(DType type, Job<T>& job) {
  switch (type) {
    case DType::kF16:
      return multiply_float<DType::kF16>(job);
    case DType::kBF16:
      return multiply_float<DType::kBF16>(job);
    case DType::kF32:
      return multiply_float<DType::kF32>(job);
    case DType::kQ4_K:
      multiply_k<Lanes, High::kNone>(job);
      break;
    case DType::kQ5_K:
      multiply_k<Lanes, High::kFifths>(job);
      break;
    case DType::kQ6_K:
      multiply_q6<Lanes>(job);
      break;
    case DType::kQ4_0:
      multiply_small<Lanes, DType::kQ4_0>(job);
      break;
    case DType::kQ4_1:
      multiply_small<Lanes, DType::kQ4_1>(job);
      break;
    case DType::kQ5_0:
      multiply_small<Lanes, DType::kQ5_0>(job);
      break;
    case DType::kQ5_1:
      multiply_small<Lanes, DType::kQ5_1>(job);
      break;
    case DType::kQ8_0:
      multiply_small<Lanes, DType::kQ8_0>(job);
      break;
  }
  Lanes::to_rows(job.sums);
}

// Puts (or adds) 16 sums where they belong, `count` of which are of real rows.
inline void put_rows(const float32x4_t (&sums)[4], std::int64_t count, bool add, float* to) {
  float rows[kPanelRows];
  const bool whole = count >= kPanelRows;
  for (int k = 0; k < 4; ++k) {
    float* at = whole ? to + 4 * k : rows + 4 * k;
    vst1q_f32(at, whole && add ? vaddq_f32(vld1q_f32(at), sums[k]) : sums[k]);
  }
  if (whole) return;
  for (std::int64_t r = 0; r < count; ++r) to[r] = add ? to[r] + rows[r] : rows[r];
}

// All panels of a call, with the tile's number of tokens known.
template <class Lanes, int T = Lanes::kTokens>
void multiply_panels(const PanelView& weights, std::int64_t first_panel, std::int32_t panels,
                     const TileView& tile, float* out, std::int64_t stride, bool add) {
  for (std::int32_t p = 0; p < panels; ++p) {
    Job<T> job;
    job.place = panel_place(weights, first_panel + p);
    job.block = reinterpret_cast<Bytes>(job.place.strip);
    job.blocks = weights.blocks;
    job.q = tile.q;
    job.meta = tile.meta;
    job.values = tile.values;
    for (int t = 0; t < T; ++t) {
      for (int k = 0; k < 4; ++k) job.sums[t][k] = vdupq_n_f32(0.0F);
    }
    multiply<Lanes>(weights.type, job);
    const std::int64_t left = weights.rows - (first_panel + p) * kPanelRows;
    for (int t = 0; t < T; ++t) {
      put_rows(job.sums[t], left, add, out + t * stride + p * kPanelRows);
    }
  }
}

}  // namespace
}  // namespace notso::neon
