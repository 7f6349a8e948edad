// Small vector functions that several AVX2 files use. Everything here has internal linkage: see
// kernel_table.h.
#pragma once

#include <cstdint>
#include <immintrin.h>

namespace notso::avx2 {
namespace {

// All bits of the first `left` lanes of 8 (none below 1).
inline __m256i tail_mask(std::int64_t left) {
  const auto count = static_cast<std::int32_t>(left > 8 ? 8 : left);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

inline float reduce_add(__m256 x) {
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

inline float reduce_max(__m256 x) {
  __m128 half = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  half = _mm_max_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}

inline std::int32_t reduce_add(__m256i x) {
  __m128i half = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  half = _mm_add_epi32(half, _mm_unpackhi_epi64(half, half));
  return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 1)));
}

inline std::int32_t reduce_max(__m256i x) {
  __m128i half = _mm_max_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  half = _mm_max_epi32(half, _mm_unpackhi_epi64(half, half));
  return _mm_cvtsi128_si32(_mm_max_epi32(half, _mm_shuffle_epi32(half, 1)));
}

// 8 half-precision numbers.
inline __m256 load_halves(const void* at) {
  return _mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(at)));
}

// 2^n for whole n in -126 .. 127.
inline __m256 power_of_two(__m256i n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}

// 2^x to about 2 units in the last place; 0 for x below -150, infinity above 128, NaN for NaN. The
// polynomial is the Taylor series of 2^f on [-0.5, 0.5] to the sixth power, whose error there is
// below 2^-25. The power of two is applied in two halves, so that it reaches the subnormals.
inline __m256 exp2(__m256 x) {
  // A NaN stays in the second operand's place, so min and max keep it.
  const __m256 bounded =
      _mm256_max_ps(_mm256_set1_ps(-150.0F), _mm256_min_ps(_mm256_set1_ps(129.0F), x));
  const __m256 whole = _mm256_round_ps(bounded, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m256 f = _mm256_sub_ps(bounded, whole);
  __m256 p = _mm256_set1_ps(1.540353e-4F);
  p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(1.33335581e-3F));
  p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(9.61812911e-3F));
  p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(5.55041087e-2F));
  p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(2.40226507e-1F));
  p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(6.93147181e-1F));
  p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(1.0F));
  const __m256i n = _mm256_cvtps_epi32(whole);
  const __m256i half = _mm256_srai_epi32(n, 1);
  return _mm256_mul_ps(_mm256_mul_ps(p, power_of_two(half)),
                       power_of_two(_mm256_sub_epi32(n, half)));
}

}  // namespace
}  // namespace notso::avx2
