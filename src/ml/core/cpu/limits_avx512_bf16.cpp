#include <immintrin.h>

#include "ml/core/cpu/limits_probes.h"

namespace notso {
namespace {

constexpr int kChains = 10;

}  // namespace

double probe_avx512_bf16(std::int64_t iterations, volatile std::int64_t* sink) {
  __m512i x = _mm512_set1_epi16(0x3f80);
  __m512i y = x;
  __m512 acc[kChains];
  for (auto& a : acc) a = _mm512_setzero_ps();
  for (std::int64_t i = 0; i < iterations; ++i) {
#pragma GCC unroll 10
    for (int k = 0; k < kChains; ++k) {
      acc[k] =
          _mm512_dpbf16_ps(acc[k], reinterpret_cast<__m512bh>(x), reinterpret_cast<__m512bh>(y));
    }
    asm volatile("" : "+v"(x), "+v"(y));
  }
  for (const auto& a : acc) *sink = *sink + static_cast<std::int64_t>(_mm512_reduce_add_ps(a));
  return static_cast<double>(iterations) * kChains * 32;
}

}  // namespace notso
