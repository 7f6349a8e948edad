// Matrix products with AVX2: one panel (16 rows, two halves of 8), or two for a single token, times
// a tile of one to four tokens.
//
// The inner loop multiplies unsigned weights with signed activations: `vpmaddubsw` takes half a
// quad, 8 rows by 4 columns, and gives each row's dword two 16-bit sums of two products. Those are
// added up as 16-bit numbers for as long as they surely fit, which is 8 quads (32 columns) of 4-bit
// weights, 4 of 5-bit and 2 of 6-bit ones; Q8_0's bytes go as two nibbles. Then one `vpmaddwd`
// with the row's scale does three things: it applies the scale, widens, and adds the dword's two
// halves. Without scales in integers (the types with a half for 32 columns) it multiplies with
// ones. So 32 columns carry 1, 2 or 4 multiplies besides the 8 that they need.
//
// Numerics: up to here everything is an exact integer, offsets included. A group of 32 columns then
// becomes a float (exact below 2^24) and is added, times its activation scale a * e, in rising
// order of groups: straight to the row's sum after a multiplication with d (types with a half for
// 32 columns), or to the block's sum, which is added times d to the row's sum (K types). Mins of K
// types are integers for a whole block. Float weights are added column by column. Whatever the tile
// and the panels beside it, a token's sums are made by the same operations in the same order.

#include <cstdint>
#include <immintrin.h>

#include "ml/core/cpu/avx2.h"
#include "ml/core/cpu/avx2_dot.h"
#include "ml/core/cpu/avx2_math.h"

namespace notso::avx2 {
namespace {

// The 6-bit numbers of 8 rows from two of the lines of panels.h, a dword a row: groups 0..3 and
// 4..7 in the order 0 2 1 3. `nibble_shift` says which nibbles of `both` are theirs.
struct SixBits {
  __m256i of[2];
};

NOTSO_INLINE SixBits six_bits(Bytes line, Bytes both, int nibble_shift) {
  const __m256i bits = load_half(line);
  const __m256i nibbles = _mm256_srli_epi32(load_half(both), nibble_shift);
  return {{_mm256_and_si256(bits, _mm256_set1_epi8(63)),
           _mm256_or_si256(_mm256_and_si256(nibbles, _mm256_set1_epi8(15)),
                           _mm256_and_si256(_mm256_srli_epi32(bits, 2), _mm256_set1_epi8(0x30)))}};
}

// Of each dword's four bytes in the order 0 2 1 3: byte `index`, as both 16-bit halves.
NOTSO_INLINE __m256i twins(__m256i dwords, int index) {
  // For each index the bytes of a dword that its four bytes come from; 0x80 gives zero.
  alignas(16) static constexpr std::uint32_t kMasks[4][4] = {
      {0x80008000U, 0x80048004U, 0x80088008U, 0x800c800cU},
      {0x80028002U, 0x80068006U, 0x800a800aU, 0x800e800eU},
      {0x80018001U, 0x80058005U, 0x80098009U, 0x800d800dU},
      {0x80038003U, 0x80078007U, 0x800b800bU, 0x800f800fU}};
  const __m128i mask = _mm_load_si128(reinterpret_cast<const __m128i*>(kMasks[index]));
  return _mm256_shuffle_epi8(dwords, _mm256_broadcastsi128_si256(mask));
}

// The d halves of a block of Q4_K or Q5_K; dmin halves follow.
template <int H, int T>
NOTSO_INLINE Bytes k_halves_at(const Job<H, T>& job, int h, const PanelFormat& format) {
  return line_at(job, h, k_d_at(format)) - half_of(h, 4) + half_of(h, 2);
}

// row_sums -= the block's mins times the tokens' sums.
template <int H, int T>
NOTSO_INLINE void subtract_mins(Job<H, T>& job, const PanelFormat& format,
                                const std::int32_t* meta) {
  const __m256i words = _mm256_set1_epi16(0xff);
#pragma GCC unroll 4
  for (int h = 0; h < H; ++h) {
    const SixBits mins = six_bits(line_at(job, h, k_mins_at(format)), line_at(job, h, kBothAt), 4);
    const __m256i pairs[4] = {_mm256_and_si256(mins.of[0], words), _mm256_srli_epi16(mins.of[0], 8),
                              _mm256_and_si256(mins.of[1], words),
                              _mm256_srli_epi16(mins.of[1], 8)};
    const __m256 dmin = _mm256_mul_ps(load_halves(k_halves_at(job, h, format) + kHalvesBytes),
                                      _mm256_set1_ps(-2.0F));
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      const std::int32_t* sums = meta + TileMeta::kSumPairs * T + t;
      const __m256i first = _mm256_add_epi32(_mm256_madd_epi16(pairs[0], broadcast(sums)),
                                             _mm256_madd_epi16(pairs[1], broadcast(sums + T)));
      const __m256i second = _mm256_add_epi32(_mm256_madd_epi16(pairs[2], broadcast(sums + 2 * T)),
                                              _mm256_madd_epi16(pairs[3], broadcast(sums + 3 * T)));
      const __m256 low = _mm256_cvtepi32_ps(_mm256_add_epi32(first, second));
      accumulate(job.sums[h][t], low,
                 _mm256_mul_ps(dmin, broadcast_float(meta + TileMeta::kScale * T + t)));
    }
  }
}

// row_sums of half h += the block's sums times the halves at d.
template <int H, int T>
NOTSO_INLINE void add_block(Job<H, T>& job, int h, Bytes d, const float (&sums)[H][T][kHalfRows]) {
  const __m256 scale = load_halves(d);
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) accumulate(job.sums[h][t], _mm256_load_ps(sums[h][t]), scale);
}

// Q4_K and Q5_K (fifths).
template <High kHigh, int H, int T>
void multiply_k(Job<H, T>& job) {
  constexpr PanelFormat kFormat = panel_format(kHigh == High::kNone ? DType::kQ4_K : DType::kQ5_K);
  const std::int8_t* q = job.q;
  const std::int32_t* meta = job.meta;
  for (std::int32_t b = 0; b < job.blocks; ++b) {
    alignas(32) float sums[H][T][kHalfRows];
    clear(sums);
    SixBits packed[H];
    Bytes group[H];
#pragma GCC unroll 4
    for (int h = 0; h < H; ++h) {
      packed[h] = six_bits(line_at(job, h, kScalesAt), line_at(job, h, kBothAt), 0);
      group[h] = line_at(job, h, kFormat.first_group);
    }
#pragma GCC unroll 1
    for (int j = 0; j < 8; ++j) {
      __m256i scales[H];
      __m256i total[H][T];
#pragma GCC unroll 4
      for (int h = 0; h < H; ++h) scales[h] = twins(packed[h].of[j / 4], j % 4);
      dot_group<kHigh>(group, line_step(job), q + j * 32 * T, scales, total);
      add_group(total, meta, j, sums);
#pragma GCC unroll 4
      for (int h = 0; h < H; ++h) group[h] += kFormat.group_lines * line_step(job);
    }
#pragma GCC unroll 4
    for (int h = 0; h < H; ++h) add_block(job, h, k_halves_at(job, h, kFormat), sums);
    subtract_mins(job, kFormat, meta);
    job.block += job.block_step;
    q += kBlockColumns * T;
    meta += TileMeta::kWords * T;
  }
}

// pairs[j][t] = minus the sums of q over the two 16s of group j, as 16-bit numbers.
template <int T>
NOTSO_INLINE void pair_sums(const std::int32_t* meta, std::int32_t (&pairs)[8][T]) {
  const std::int32_t* sums = meta + TileMeta::kOffsets16 * T;
#pragma GCC unroll 8
  for (int j = 0; j < 8; ++j) {
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      const auto first = static_cast<std::uint32_t>(sums[2 * j * T + t] >> 5) & 0xffffU;
      const auto second = static_cast<std::uint32_t>(sums[(2 * j + 1) * T + t] >> 5) << 16;
      pairs[j][t] = static_cast<std::int32_t>(first | second);
    }
  }
}

// Q6_K: groups of 16 with signed scales, so two groups are the two halves of 32 columns. The
// weights' offset of 32 goes in as the sums' starting value.
template <int H, int T>
void multiply_q6(Job<H, T>& job) {
  const std::int8_t* q = job.q;
  const std::int32_t* meta = job.meta;
  for (std::int32_t b = 0; b < job.blocks; ++b) {
    alignas(32) float sums[H][T][kHalfRows];
    std::int32_t pairs[8][T];
    clear(sums);
    pair_sums<T>(meta, pairs);
#pragma GCC unroll 1
    for (int j = 0; j < 8; ++j) {
      Bytes group[H];
      __m256i first[H];
      __m256i second[H];
      __m256i total[H][T];
#pragma GCC unroll 4
      for (int h = 0; h < H; ++h) {
        group[h] = line_at(job, h, panel_format(DType::kQ6_K).group(j));
        const __m256i packed = load_half(line_at(job, h, q6_scales_at(j / 2)));
        first[h] = _mm256_srai_epi16(_mm256_slli_epi16(twins(packed, j % 2 * 2), 8), 8);
        second[h] = _mm256_srai_epi16(_mm256_slli_epi16(twins(packed, j % 2 * 2 + 1), 8), 8);
        const __m256i both = _mm256_blend_epi16(first[h], second[h], 0xaa);
#pragma GCC unroll 4
        for (int t = 0; t < T; ++t) {
          total[h][t] = _mm256_slli_epi32(_mm256_madd_epi16(both, broadcast(&pairs[j][t])), 5);
        }
      }
      dot_line_6<0>(group, line_step(job), q, first, total);
      dot_line_6<1>(group, line_step(job), q, first, total);
      dot_line_6<2>(group, line_step(job), q, second, total);
      dot_line_6<3>(group, line_step(job), q, second, total);
      add_group(total, meta, j, sums);
      q += 32 * T;
    }
#pragma GCC unroll 4
    for (int h = 0; h < H; ++h) add_block(job, h, halves_at(job, h, kQ6DAt), sums);
    job.block += job.block_step;
    meta += TileMeta::kWords * T;
  }
}

// total = 32 columns of bytes: the sums of their lower nibbles, and 16 times those of their upper.
template <int T>
NOTSO_INLINE void dot_bytes(Bytes quads, std::size_t step, const std::int8_t* q,
                            __m256i (&total)[1][T]) {
  const __m256i low = _mm256_set1_epi8(15);
  __m256i lower[1][T];
  __m256i upper[1][T];
#pragma GCC unroll 8
  for (int k = 0; k < 8; ++k) {
    const __m256i w = load_half(quads + static_cast<std::size_t>(k) * step);
    const __m256i w_lower = _mm256_and_si256(w, low);
    const __m256i w_upper = _mm256_and_si256(_mm256_srli_epi16(w, 4), low);
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      const __m256i x = broadcast(q + (k * T + t) * 4);
      const __m256i lower_product = _mm256_maddubs_epi16(w_lower, x);
      const __m256i upper_product = _mm256_maddubs_epi16(w_upper, x);
      lower[0][t] = k == 0 ? lower_product : _mm256_add_epi16(lower[0][t], lower_product);
      upper[0][t] = k == 0 ? upper_product : _mm256_add_epi16(upper[0][t], upper_product);
      keep(lower[0][t]);
      keep(upper[0][t]);
    }
  }
  const __m256i one[1] = {_mm256_set1_epi16(1)};
  const __m256i sixteen[1] = {_mm256_set1_epi16(16)};
  widen<true>(lower, one, total);
  widen<false>(upper, sixteen, total);
}

// Facts about the types with one half-precision scale for 32 columns.
template <DType kType>
struct Small {
  static constexpr bool kFifths = kType == DType::kQ5_0 || kType == DType::kQ5_1;
  static constexpr bool kMins = kType == DType::kQ4_1 || kType == DType::kQ5_1;
  static constexpr PanelFormat kPanel = panel_format(kType);
  static constexpr int kOffsetBits = kType == DType::kQ4_0   ? 3
                                     : kType == DType::kQ5_0 ? 4
                                     : kType == DType::kQ8_0 ? 7
                                                             : -1;
};

// row_sums of half h += group j of a block: total * d * scale, and m * sum where there are mins.
template <DType kType, int H, int T>
NOTSO_INLINE void add_small_group(Job<H, T>& job, int h, const std::int32_t* meta, int j,
                                  const __m256i (&total)[T]) {
  using Format = Small<kType>;
  const std::size_t d_at = small_d_at(Format::kPanel, j);
  const __m256 d = load_halves(halves_at(job, h, d_at));
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) {
    __m256i sum = total[t];
    if constexpr (Format::kOffsetBits >= 0) {
      const __m256i offset = broadcast(meta + (TileMeta::kNegSums32 + j) * T + t);
      sum = _mm256_add_epi32(sum, _mm256_slli_epi32(offset, Format::kOffsetBits));
    }
    if constexpr (Format::kMins) {
      accumulate(job.sums[h][t], load_halves(halves_at(job, h, d_at + kHalvesBytes)),
                 broadcast_float(meta + (TileMeta::kGroupSums + j) * T + t));
    }
    accumulate(job.sums[h][t], _mm256_mul_ps(_mm256_cvtepi32_ps(sum), d),
               broadcast_float(meta + (TileMeta::kGroupScales + j) * T + t));
  }
}

template <DType kType, int H, int T>
void multiply_small(Job<H, T>& job) {
  using Format = Small<kType>;
  constexpr High kHigh = Format::kFifths ? High::kFifths : High::kNone;
  const std::int8_t* q = job.q;
  const std::int32_t* meta = job.meta;
  for (std::int32_t b = 0; b < job.blocks; ++b) {
#pragma GCC unroll 1
    for (int j = 0; j < 8; ++j, q += 32 * T) {
      const std::size_t first = Format::kPanel.group(j);
      if constexpr (kType == DType::kQ8_0) {
#pragma GCC unroll 4
        for (int h = 0; h < H; ++h) {
          __m256i total[1][T];
          dot_bytes<T>(line_at(job, h, first), line_step(job), q, total);
          add_small_group<kType>(job, h, meta, j, total[0]);
        }
        continue;
      }
      Bytes group[H];
      __m256i ones[H];
      __m256i total[H][T];
#pragma GCC unroll 4
      for (int h = 0; h < H; ++h) {
        group[h] = line_at(job, h, first);
        ones[h] = _mm256_set1_epi16(1);
      }
      dot_group<kHigh>(group, line_step(job), q, ones, total);
#pragma GCC unroll 4
      for (int h = 0; h < H; ++h) {
        add_small_group<kType>(job, h, meta, j, total[h]);
      }
    }
    job.block += job.block_step;
    meta += TileMeta::kWords * T;
  }
}

// F16, BF16 and F32 weights with f32 activations.
template <DType kType, int H, int T>
void multiply_float(Job<H, T>& job) {
  constexpr int kBytes = kType == DType::kF32 ? 4 : 2;
  __m256 acc[H][T];
#pragma GCC unroll 4
  for (int h = 0; h < H; ++h) {
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) acc[h][t] = _mm256_setzero_ps();
  }
  const std::int64_t columns = std::int64_t{job.blocks} * kBlockColumns;
  for (std::int64_t c = 0; c < columns; ++c) {
    // The columns of all groups and blocks follow each other.
    const std::size_t before = static_cast<std::size_t>(c) * kPanelRows * kBytes;
    __m256 w[H];
#pragma GCC unroll 4
    for (int h = 0; h < H; ++h) {
      Bytes at = piece_at<kBytes>(job, h, before);
      if constexpr (kType == DType::kF32) {
        w[h] = _mm256_castsi256_ps(load_half(at));
      } else if constexpr (kType == DType::kF16) {
        w[h] = load_halves(at);
      } else {
        const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
        w[h] = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
      }
    }
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      const __m256 x = _mm256_set1_ps(job.values[c * T + t]);
#pragma GCC unroll 4
      for (int h = 0; h < H; ++h) acc[h][t] = _mm256_fmadd_ps(w[h], x, acc[h][t]);
    }
  }
#pragma GCC unroll 4
  for (int h = 0; h < H; ++h) {
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) _mm256_store_ps(job.sums[h][t], acc[h][t]);
  }
}

template <int H, int T>
void multiply(DType type, Job<H, T>& job) {
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

// H / 2 panels: runs the kernel and puts its sums where they belong.
template <int H, int T>
void run(const PanelView& weights, std::int64_t panel, const TileView& tile, float* out,
         std::int64_t stride, bool add) {
  Job<H, T> job;
  job.blocks = weights.blocks;
  job.q = tile.q;
  job.meta = tile.meta;
  job.values = tile.values;
  const PanelPlace place = panel_place(weights, panel);
  job.block = reinterpret_cast<Bytes>(place.strip);
  job.width = place.width;
  job.within = place.within;
  job.block_step = place.block_step;
  clear(job.sums);
  multiply<H, T>(weights.type, job);
  for (int h = 0; h < H; ++h) {
    const __m256i mask = tail_mask(weights.rows - panel * kPanelRows - h * kHalfRows);
    for (int t = 0; t < T; ++t) {
      float* to = out + t * stride + h * kHalfRows;
      __m256 sum = _mm256_load_ps(job.sums[h][t]);
      if (add) sum = _mm256_add_ps(sum, _mm256_maskload_ps(to, mask));
      _mm256_maskstore_ps(to, mask, sum);
    }
  }
}

template <int T>
void run_all(const PanelView& weights, std::int64_t first_panel, std::int32_t panels,
             const TileView& tile, float* out, std::int64_t stride, bool add) {
  // Two panels at a time are those of a strip.
  std::int32_t p = 0;
  if (first_panel % 2 != 0 && panels > 0) {
    run<2, T>(weights, first_panel, tile, out, stride, add);
    ++p;
  }
  if constexpr (T == 1) {
    for (; p + 2 <= panels; p += 2) {
      run<4, T>(weights, first_panel + p, tile, out + p * kPanelRows, stride, add);
    }
  }
  for (; p < panels; ++p) {
    run<2, T>(weights, first_panel + p, tile, out + p * kPanelRows, stride, add);
  }
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

}  // namespace notso::avx2
