// What happens to single rows with AVX-512: normalising, quantising into tiles, SwiGLU.

#include <cstdint>
#include <immintrin.h>

#include "ml/core/cpu/avx512.h"
#include "ml/core/cpu/avx512_math.h"

namespace notso::avx512 {
namespace {

constexpr int kGroups = kBlockColumns / 32;

// The largest magnitude of each group of 32 in a block, as bits: compared as integers, a NaN is
// larger than everything and is not lost. Eight registers of eight lanes are folded into one, lane
// j for group j.
inline __m256i group_maxima(const float* in) {
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  __m256i m[kGroups];
#pragma GCC unroll 8
  for (int j = 0; j < kGroups; ++j) {
    const __m512i a = _mm512_and_si512(_mm512_loadu_si512(in + j * 32), magnitude);
    const __m512i b = _mm512_and_si512(_mm512_loadu_si512(in + j * 32 + 16), magnitude);
    const __m512i top = _mm512_max_epi32(a, b);
    m[j] = _mm256_max_epi32(_mm512_castsi512_si256(top), _mm512_extracti64x4_epi64(top, 1));
  }
  const auto fold32 = [](__m256i a, __m256i b) {
    return _mm256_max_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
  };
  const auto fold64 = [](__m256i a, __m256i b) {
    return _mm256_max_epi32(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
  };
  const __m256i low = fold64(fold32(m[0], m[1]), fold32(m[2], m[3]));
  const __m256i high = fold64(fold32(m[4], m[5]), fold32(m[6], m[7]));
  return _mm256_max_epi32(_mm256_permute2x128_si256(low, high, 0x20),
                          _mm256_permute2x128_si256(low, high, 0x31));
}

inline __m256i largest_lane(__m256i m) {
  m = _mm256_max_epi32(m, _mm256_permute2x128_si256(m, m, 1));
  m = _mm256_max_epi32(m, _mm256_shuffle_epi32(m, 0x4e));
  return _mm256_max_epi32(m, _mm256_shuffle_epi32(m, 0xb1));
}

// 16 values as bytes -127..127.
inline __m128i quantize_16(const float* in, __m512 inverse) {
  const __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(in), inverse));
  return _mm512_cvtsepi32_epi8(_mm512_max_epi32(q, _mm512_set1_epi32(-127)));
}

// The sums of 16 groups of 16 bytes, in order.
inline __m512i sums_of_16(const std::int8_t* q) {
  const __m512i ones = _mm512_set1_epi8(1);
  __m512i four[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    four[i] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), ones, _mm512_load_si512(q + i * 64));
  }
  const auto fold32 = [](__m512i a, __m512i b) {
    return _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
  };
  const __m512i first = fold32(four[0], four[1]);
  const __m512i second = fold32(four[2], four[3]);
  const __m512i by_lane =
      _mm512_add_epi32(_mm512_unpacklo_epi64(first, second), _mm512_unpackhi_epi64(first, second));
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_epi32(order, by_lane);
}

// Neighbouring lanes added: lane j is the sum of lanes 2 j and 2 j + 1.
inline __m256i add_neighbours(__m512i sums) {
  const __m512i both = _mm512_add_epi32(sums, _mm512_srli_epi64(sums, 32));
  return _mm512_cvtepi64_epi32(both);
}

// One row's block before it is spread over its tile.
struct alignas(64) Block {
  std::int8_t q[kBlockColumns];
  std::int32_t words[64];
};

inline void store_8(Block& out, int word, __m256i values) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.words + word), values);
}
inline void store_4(Block& out, int word, __m128i values) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out.words + word), values);
}

// Words of two 16-bit numbers from neighbouring lanes.
inline __m128i pair_neighbours(__m256i values) {
  const __m256i low = _mm256_and_si256(values, _mm256_set1_epi64x(0xffff));
  return _mm256_cvtepi64_epi32(
      _mm256_or_si256(low, _mm256_slli_epi64(_mm256_srli_epi64(values, 32), 16)));
}

void quantize_block(const float* in, Block& out) {
  const __m256i maxima = group_maxima(in);
  const __m256 top = _mm256_castsi256_ps(largest_lane(maxima));
  const __m256 a = _mm256_div_ps(top, _mm256_set1_ps(16.0F * 127.0F));
  const __mmask8 positive = _mm256_cmp_ps_mask(top, _mm256_set1_ps(kSmallestTop), _CMP_GT_OQ);
  const __m256 steps = _mm256_maskz_div_ps(positive, _mm256_set1_ps(16.0F), top);
  const __m256 wanted = _mm256_ceil_ps(_mm256_mul_ps(_mm256_castsi256_ps(maxima), steps));
  // Conversion gives a NaN the smallest integer, so that its factor is 1; its scale is NaN.
  const __m256i factors = _mm256_min_epi32(
      _mm256_max_epi32(_mm256_cvtps_epi32(wanted), _mm256_set1_epi32(1)), _mm256_set1_epi32(16));
  const __m256 e = _mm256_cvtepi32_ps(factors);
  alignas(32) float inverse[kGroups];
  _mm256_store_ps(inverse, _mm256_div_ps(_mm256_mul_ps(steps, _mm256_set1_ps(127.0F)), e));
#pragma GCC unroll 8
  for (int j = 0; j < kGroups; ++j) {
    const __m512 by = _mm512_set1_ps(inverse[j]);
    auto* to = reinterpret_cast<__m128i*>(out.q + j * 32);
    _mm_store_si128(to, quantize_16(in + j * 32, by));
    _mm_store_si128(to + 1, quantize_16(in + j * 32 + 16, by));
  }
  const __m512i sums16 = sums_of_16(out.q);
  const __m256i sums = add_neighbours(sums16);
  const __m256 scales = _mm256_mul_ps(a, e);
  _mm256_storeu_ps(reinterpret_cast<float*>(out.words + TileMeta::kScale),
                   a);  // all but lane 0 is overwritten
  store_4(out, TileMeta::kFactorPairs, pair_neighbours(factors));
  const __m256i odd_lanes = _mm256_setr_epi32(0, 1, 0, 1, 0, 1, 0, 1);
  store_4(out, TileMeta::kSumPairs,
          pair_neighbours(_mm256_srai_epi32(
              _mm256_add_epi32(_mm256_mullo_epi32(factors, sums), odd_lanes), 1)));
  store_8(out, TileMeta::kFactorTwins, _mm256_or_si256(factors, _mm256_slli_epi32(factors, 16)));
  _mm512_storeu_si512(out.words + TileMeta::kOffsets16,
                      _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32(sums16, 5)));
  store_8(out, TileMeta::kNegSums32, _mm256_sub_epi32(_mm256_setzero_si256(), sums));
  store_8(out, TileMeta::kGroupScales, _mm256_castps_si256(scales));
  store_8(out, TileMeta::kGroupSums,
          _mm256_castps_si256(_mm256_mul_ps(scales, _mm256_cvtepi32_ps(sums))));
}

// Puts a row's block into its place among the tile's rows.
void spread(const Block& block, std::int8_t* q, std::int32_t* meta, std::int32_t rows,
            std::int32_t row) {
  const auto* quads = reinterpret_cast<const std::int32_t*>(block.q);
  auto* to = reinterpret_cast<std::int32_t*>(q) + row;
  for (int i = 0; i < kBlockColumns / 4; ++i) to[i * rows] = quads[i];
  for (int i = 0; i < TileMeta::kWords; ++i) meta[i * rows + row] = block.words[i];
}

}  // namespace

void quantize(const float* in, std::int32_t columns, const TileRow& out) {
  const std::int32_t blocks = (columns + kBlockColumns - 1) / kBlockColumns;
  alignas(64) float padded[kBlockColumns];
  for (std::int32_t b = 0; b < blocks; ++b) {
    const float* block = in + std::int64_t{b} * kBlockColumns;
    const std::int32_t left = columns - b * kBlockColumns;
    if (left < kBlockColumns) {
      for (int i = 0; i < kBlockColumns; ++i) padded[i] = i < left ? block[i] : 0.0F;
      block = padded;
    }
    const std::int64_t before = std::int64_t{b} * out.rows;
    Block quantized;
    quantize_block(block, quantized);
    spread(quantized, out.q + before * kBlockColumns, out.meta + before * TileMeta::kWords,
           out.rows, out.row);
    if (out.values == nullptr) continue;
    float* values = out.values + before * kBlockColumns + out.row;
    for (int i = 0; i < kBlockColumns; ++i) values[std::int64_t{i} * out.rows] = block[i];
  }
}

void rms_norm(const float* in, const float* weight, float epsilon, std::int32_t columns,
              float* out) {
  __m512 squares[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                       _mm512_setzero_ps()};
  std::int32_t i = 0;
  for (; i + 64 <= columns; i += 64) {
    for (int k = 0; k < 4; ++k) {
      const __m512 x = _mm512_loadu_ps(in + i + 16 * k);
      squares[k] = _mm512_fmadd_ps(x, x, squares[k]);
    }
  }
  for (; i < columns; i += 16) {
    const __m512 x = _mm512_maskz_loadu_ps(tail_mask(columns - i), in + i);
    squares[0] = _mm512_fmadd_ps(x, x, squares[0]);
  }
  const float sum = _mm512_reduce_add_ps(
      _mm512_add_ps(_mm512_add_ps(squares[0], squares[1]), _mm512_add_ps(squares[2], squares[3])));
  const __m128 mean = _mm_set_ss(sum / static_cast<float>(columns) + epsilon);
  const __m512 scale = _mm512_set1_ps(1.0F / _mm_cvtss_f32(_mm_sqrt_ss(mean)));
  for (i = 0; i < columns; i += 16) {
    const __mmask16 mask = tail_mask(columns - i);
    const __m512 x = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, in + i), scale);
    _mm512_mask_storeu_ps(out + i, mask, _mm512_mul_ps(x, _mm512_maskz_loadu_ps(mask, weight + i)));
  }
}

void silu_mul(float* gate, const float* up, std::int32_t count) {
  const __m512 one = _mm512_set1_ps(1.0F);
  const __m512 to_base_2 = _mm512_set1_ps(-1.44269504F);
  for (std::int32_t i = 0; i < count; i += 16) {
    const __mmask16 mask = tail_mask(count - i);
    const __m512 g = _mm512_maskz_loadu_ps(mask, gate + i);
    const __m512 u = _mm512_maskz_loadu_ps(mask, up + i);
    const __m512 sigmoid =
        _mm512_div_ps(one, _mm512_add_ps(one, exp2(_mm512_mul_ps(g, to_base_2))));
    _mm512_mask_storeu_ps(gate + i, mask, _mm512_mul_ps(_mm512_mul_ps(g, sigmoid), u));
  }
}

}  // namespace notso::avx512
