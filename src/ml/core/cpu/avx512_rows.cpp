// What happens to single rows with AVX-512: normalising, quantising into tiles, SwiGLU.

#include <cstdint>
#include <immintrin.h>

#include "ml/core/cpu/avx512.h"
#include "ml/core/cpu/avx512_math.h"

namespace notso::avx512 {
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
  // The 16 values of columns [column, column + 16), as bytes.
  void bytes(int column, __m128i values) const {
    if (rows == 1) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(q + column), values);
      return;
    }
    alignas(16) std::int32_t quads[4];
    _mm_store_si128(reinterpret_cast<__m128i*>(quads), values);
    auto* to = reinterpret_cast<std::int32_t*>(q) + (column / 4) * rows + row;
    for (int i = 0; i < 4; ++i) to[i * rows] = quads[i];
  }
};

// Largest magnitude of 32 values. Compared as integers, so that a NaN is larger than everything and
// is not lost.
inline std::int32_t largest_bits(const float* in) {
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  const __m512i a = _mm512_and_si512(_mm512_loadu_si512(in), magnitude);
  const __m512i b = _mm512_and_si512(_mm512_loadu_si512(in + 16), magnitude);
  return _mm512_reduce_max_epi32(_mm512_max_epi32(a, b));
}

inline float as_float(std::int32_t bits) {
  return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(bits)));
}

struct GroupSums {
  std::int32_t first;
  std::int32_t second;
};

inline __m512i quantize_16(const float* in, float inverse) {
  const __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(in), _mm512_set1_ps(inverse)));
  return _mm512_max_epi32(_mm512_min_epi32(q, _mm512_set1_epi32(127)), _mm512_set1_epi32(-127));
}

inline GroupSums quantize_group(const float* in, int group, float inverse, const BlockWriter& out) {
  const __m512i a = quantize_16(in, inverse);
  const __m512i b = quantize_16(in + 16, inverse);
  out.bytes(group * 32, _mm512_cvtsepi32_epi8(a));
  out.bytes(group * 32 + 16, _mm512_cvtsepi32_epi8(b));
  return {_mm512_reduce_add_epi32(a), _mm512_reduce_add_epi32(b)};
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
    const float wanted = as_float(bits[j]) * steps;
    const auto rounded = _mm_cvtss_si32(_mm_ceil_ss(_mm_setzero_ps(), _mm_set_ss(wanted)));
    const std::int32_t factor = rounded < 1 ? 1 : rounded > 16 ? 16 : rounded;
    const auto e = static_cast<float>(factor);
    const GroupSums sums = quantize_group(in + j * 32, j, steps * 127.0F / e, out);
    const std::int32_t sum = sums.first + sums.second;
    factors[j] = factor;
    halves[j] = (factor * sum) >> 1;
    out.word(TileMeta::kFactorTwins + j, factor | factor << 16);
    out.word(TileMeta::kNegSums16 + 2 * j, -sums.first);
    out.word(TileMeta::kNegSums16 + 2 * j + 1, -sums.second);
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
  alignas(64) float padded[kBlockColumns];
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
