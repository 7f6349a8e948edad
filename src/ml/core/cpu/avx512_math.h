// Small vector functions that several AVX-512 files use. Everything here has internal linkage: see
// kernel_table.h.
#pragma once

#include <cstdint>
#include <immintrin.h>

namespace notso::avx512 {
namespace {

// The first `left` lanes, at most 16.
inline __mmask16 tail_mask(std::int64_t left) {
  return static_cast<__mmask16>(left >= 16 ? 0xffff : (1 << left) - 1);
}

// 2^x to about 2 units in the last place; 0 for x below -150, infinity above 128, NaN for NaN. The
// polynomial is the Taylor series of 2^f on [-0.5, 0.5] to the sixth power, whose error there is
// below 2^-25.
inline __m512 exp2(__m512 x) {
  // A NaN stays in the second operand's place, so min and max keep it.
  const __m512 bounded =
      _mm512_max_ps(_mm512_set1_ps(-150.0F), _mm512_min_ps(_mm512_set1_ps(129.0F), x));
  const __m512 whole = _mm512_roundscale_ps(bounded, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 f = _mm512_sub_ps(bounded, whole);
  __m512 p = _mm512_set1_ps(1.540353e-4F);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.33335581e-3F));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(9.61812911e-3F));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(5.55041087e-2F));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.40226507e-1F));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.93147181e-1F));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0F));
  return _mm512_scalef_ps(p, whole);
}

}  // namespace
}  // namespace notso::avx512
