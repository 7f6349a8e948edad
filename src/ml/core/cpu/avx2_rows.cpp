// What happens to single rows with AVX2: normalising, quantising into tiles (to the bit as the
// scalar table does), SwiGLU.

#include <cstdint>
#include <immintrin.h>

#include "ml/core/cpu/avx2.h"
#include "ml/core/cpu/avx2_math.h"

namespace notso::avx2 {
namespace {

constexpr int kGroups = kBlockColumns / 32;

// One block of a row on its way into a tile.
struct BlockWriter {
  std::int8_t* q;
  std::int32_t* meta;
  std::int32_t rows;
  std::int32_t row;

  void word(int index, std::int32_t value) const { meta[index * rows + row] = value; }
  void number(int index, float value) const {
    word(index, _mm_cvtsi128_si32(_mm_castps_si128(_mm_set_ss(value))));
  }
  // The 32 values of group `group`, as bytes.
  void bytes(int group, __m256i values) const {
    if (rows == 1) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(q + group * 32), values);
      return;
    }
    alignas(32) std::int32_t quads[8];
    _mm256_store_si256(reinterpret_cast<__m256i*>(quads), values);
    auto* to = reinterpret_cast<std::int32_t*>(q) + group * 8 * rows + row;
    for (int i = 0; i < 8; ++i) to[i * rows] = quads[i];
  }
};

// Largest magnitude of 32 values. Compared as integers, so that a NaN is larger than everything and
// is not lost.
inline std::int32_t largest_bits(const float* in) {
  const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
  __m256i top = _mm256_setzero_si256();
  for (int i = 0; i < 32; i += 8) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + i));
    top = _mm256_max_epi32(top, _mm256_and_si256(bits, magnitude));
  }
  return reduce_max(top);
}

inline float as_float(std::int32_t bits) {
  return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(bits)));
}

// The factor 1..16 of a group whose largest value is `wanted` steps; 1 for a NaN.
inline std::int32_t factor_of(float wanted) {
  const __m128 whole = _mm_ceil_ss(_mm_setzero_ps(), _mm_set_ss(wanted));
  return _mm_cvtss_si32(_mm_min_ss(_mm_max_ss(whole, _mm_set_ss(1.0F)), _mm_set_ss(16.0F)));
}

// 8 numbers, rounded to -127..127; -127 for a NaN, whose block has a NaN scale.
inline __m256i quantize_8(const float* in, float inverse) {
  const __m256 x = _mm256_mul_ps(_mm256_loadu_ps(in), _mm256_set1_ps(inverse));
  return _mm256_cvtps_epi32(
      _mm256_min_ps(_mm256_max_ps(x, _mm256_set1_ps(-127.0F)), _mm256_set1_ps(127.0F)));
}

struct GroupSums {
  std::int32_t first;
  std::int32_t second;
};

inline GroupSums quantize_group(const float* in, int group, float inverse, const BlockWriter& out) {
  const __m256i a = quantize_8(in, inverse);
  const __m256i b = quantize_8(in + 8, inverse);
  const __m256i c = quantize_8(in + 16, inverse);
  const __m256i d = quantize_8(in + 24, inverse);
  // Packing works inside 128-bit lanes and leaves dwords in the order a c.. of both halves.
  const __m256i packed = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  out.bytes(group, _mm256_permutevar8x32_epi32(packed, order));
  return {reduce_add(_mm256_add_epi32(a, b)), reduce_add(_mm256_add_epi32(c, d))};
}

void quantize_block(const float* in, const BlockWriter& out) {
  std::int32_t bits[kGroups];
  std::int32_t largest = 0;
  for (int j = 0; j < kGroups; ++j) {
    bits[j] = largest_bits(in + j * 32);
    largest = bits[j] > largest ? bits[j] : largest;
  }
  const float top = as_float(largest);
  const float a = top / (16.0F * 127.0F);
  const float steps = top > kSmallestTop ? 16.0F / top : 0.0F;
  std::int32_t factors[kGroups];
  std::int32_t halves[kGroups];
  for (int j = 0; j < kGroups; ++j) {
    const std::int32_t factor = factor_of(as_float(bits[j]) * steps);
    const auto e = static_cast<float>(factor);
    const GroupSums sums = quantize_group(in + j * 32, j, steps * 127.0F / e, out);
    const std::int32_t sum = sums.first + sums.second;
    factors[j] = factor;
    halves[j] = (factor * sum + j % 2) >> 1;
    out.word(TileMeta::kFactorTwins + j, factor | factor << 16);
    out.word(TileMeta::kOffsets16 + 2 * j, -32 * sums.first);
    out.word(TileMeta::kOffsets16 + 2 * j + 1, -32 * sums.second);
    out.word(TileMeta::kNegSums32 + j, -sum);
    out.number(TileMeta::kGroupScales + j, a * e);
    out.number(TileMeta::kGroupSums + j, a * e * static_cast<float>(sum));
  }
  out.number(TileMeta::kScale, a);
  for (int i = 0; i < 4; ++i) {
    out.word(TileMeta::kFactorPairs + i, factors[2 * i] | factors[2 * i + 1] << 16);
    const auto pair = (static_cast<std::uint32_t>(halves[2 * i]) & 0xffffU) |
                      static_cast<std::uint32_t>(halves[2 * i + 1]) << 16;
    out.word(TileMeta::kSumPairs + i, static_cast<std::int32_t>(pair));
  }
}

}  // namespace

void quantize(const float* in, std::int32_t columns, const TileRow& out) {
  const std::int32_t blocks = (columns + kBlockColumns - 1) / kBlockColumns;
  alignas(32) float padded[kBlockColumns];
  for (std::int32_t b = 0; b < blocks; ++b) {
    const float* block = in + std::int64_t{b} * kBlockColumns;
    const std::int32_t left = columns - b * kBlockColumns;
    if (left < kBlockColumns) {
      for (int i = 0; i < kBlockColumns; ++i) padded[i] = i < left ? block[i] : 0.0F;
      block = padded;
    }
    const std::int64_t before = std::int64_t{b} * out.rows;
    quantize_block(block, {out.q + before * kBlockColumns, out.meta + before * TileMeta::kWords,
                           out.rows, out.row});
    if (out.values == nullptr) continue;
    float* values = out.values + before * kBlockColumns + out.row;
    for (int i = 0; i < kBlockColumns; ++i) values[std::int64_t{i} * out.rows] = block[i];
  }
}

void rms_norm(const float* in, const float* weight, float epsilon, std::int32_t columns,
              float* out) {
  __m256 squares[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(),
                       _mm256_setzero_ps()};
  std::int32_t i = 0;
  for (; i + 32 <= columns; i += 32) {
    for (int k = 0; k < 4; ++k) {
      const __m256 x = _mm256_loadu_ps(in + i + 8 * k);
      squares[k] = _mm256_fmadd_ps(x, x, squares[k]);
    }
  }
  for (; i < columns; i += 8) {
    const __m256 x = _mm256_maskload_ps(in + i, tail_mask(columns - i));
    squares[0] = _mm256_fmadd_ps(x, x, squares[0]);
  }
  const float sum = reduce_add(
      _mm256_add_ps(_mm256_add_ps(squares[0], squares[1]), _mm256_add_ps(squares[2], squares[3])));
  const __m128 mean = _mm_set_ss(sum / static_cast<float>(columns) + epsilon);
  const __m256 scale = _mm256_set1_ps(1.0F / _mm_cvtss_f32(_mm_sqrt_ss(mean)));
  for (i = 0; i < columns; i += 8) {
    const __m256i mask = tail_mask(columns - i);
    const __m256 x = _mm256_mul_ps(_mm256_maskload_ps(in + i, mask), scale);
    _mm256_maskstore_ps(out + i, mask, _mm256_mul_ps(x, _mm256_maskload_ps(weight + i, mask)));
  }
}

void silu_mul(float* gate, const float* up, std::int32_t count) {
  const __m256 one = _mm256_set1_ps(1.0F);
  const __m256 to_base_2 = _mm256_set1_ps(-1.44269504F);
  for (std::int32_t i = 0; i < count; i += 8) {
    const __m256i mask = tail_mask(count - i);
    const __m256 g = _mm256_maskload_ps(gate + i, mask);
    const __m256 u = _mm256_maskload_ps(up + i, mask);
    const __m256 sigmoid =
        _mm256_div_ps(one, _mm256_add_ps(one, exp2(_mm256_mul_ps(g, to_base_2))));
    _mm256_maskstore_ps(gate + i, mask, _mm256_mul_ps(_mm256_mul_ps(g, sigmoid), u));
  }
}

}  // namespace notso::avx2
