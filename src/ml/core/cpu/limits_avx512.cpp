#include <immintrin.h>

#include "ml/core/cpu/limits_probes.h"

namespace notso {
namespace {

constexpr int kChains = 10;

std::uint64_t read(const std::byte* data, std::size_t bytes) {
  __m512i fold[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                     _mm512_setzero_si512()};
  for (std::size_t at = 0; at < bytes; at += 256) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      fold[i] = _mm512_xor_si512(fold[i], _mm512_loadu_si512(data + at + i * 64));
    }
  }
  const __m512i all =
      _mm512_xor_si512(_mm512_xor_si512(fold[0], fold[1]), _mm512_xor_si512(fold[2], fold[3]));
  return static_cast<std::uint64_t>(_mm512_reduce_add_epi64(all));
}

double int8(std::int64_t iterations, volatile std::int64_t* sink) {
  __m512i x = _mm512_set1_epi8(1);
  __m512i y = _mm512_set1_epi8(2);
  __m512i acc[kChains];
  for (auto& a : acc) a = _mm512_setzero_si512();
  for (std::int64_t i = 0; i < iterations; ++i) {
#pragma GCC unroll 10
    for (int k = 0; k < kChains; ++k) acc[k] = _mm512_dpbusd_epi32(acc[k], x, y);
    asm volatile("" : "+v"(x), "+v"(y));
  }
  for (const auto& a : acc) *sink = *sink + _mm512_reduce_add_epi32(a);
  return static_cast<double>(iterations) * kChains * 64;
}

double f32(std::int64_t iterations, volatile std::int64_t* sink) {
  __m512 x = _mm512_set1_ps(1.0001F);
  __m512 y = _mm512_set1_ps(1e-9F);
  __m512 acc[kChains];
  for (auto& a : acc) a = _mm512_setzero_ps();
  for (std::int64_t i = 0; i < iterations; ++i) {
#pragma GCC unroll 10
    for (int k = 0; k < kChains; ++k) acc[k] = _mm512_fmadd_ps(x, y, acc[k]);
    asm volatile("" : "+v"(x), "+v"(y));
  }
  for (const auto& a : acc) *sink = *sink + static_cast<std::int64_t>(_mm512_reduce_add_ps(a));
  return static_cast<double>(iterations) * kChains * 16;
}

}  // namespace

const Probes kAvx512Probes = {read, int8, nullptr, f32};

}  // namespace notso
