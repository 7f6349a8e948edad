// Without dot-product instructions, an int8 multiply-add is a vpmaddubsw: 32 of them, and the sums
// of pairs are added by an instruction that another port takes.

#include <immintrin.h>

#include "ml/core/cpu/limits_probes.h"

namespace notso {
namespace {

constexpr int kChains = 10;

std::int64_t sum_of(__m256i v) {
  alignas(32) std::int32_t lanes[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), v);
  std::int64_t sum = 0;
  for (const std::int32_t lane : lanes) sum += lane;
  return sum;
}

std::uint64_t read(const std::byte* data, std::size_t bytes) {
  __m256i fold[8];
  for (auto& f : fold) f = _mm256_setzero_si256();
  for (std::size_t at = 0; at < bytes; at += 256) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      fold[i] = _mm256_xor_si256(
          fold[i], _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + at + i * 32)));
    }
  }
  std::int64_t sum = 0;
  for (const auto& f : fold) sum += sum_of(f);
  return static_cast<std::uint64_t>(sum);
}

double int8(std::int64_t iterations, volatile std::int64_t* sink) {
  __m256i x = _mm256_set1_epi8(1);
  __m256i y = _mm256_set1_epi8(2);
  __m256i acc[kChains];
  for (auto& a : acc) a = _mm256_setzero_si256();
  for (std::int64_t i = 0; i < iterations; ++i) {
#pragma GCC unroll 10
    for (int k = 0; k < kChains; ++k) {
      __m256i product = _mm256_maddubs_epi16(x, y);
      asm volatile("" : "+x"(product));  // each counts, though the operands are the same
      acc[k] = _mm256_add_epi16(acc[k], product);
    }
    asm volatile("" : "+x"(x), "+x"(y));
  }
  for (const auto& a : acc) *sink = *sink + sum_of(a);
  return static_cast<double>(iterations) * kChains * 32;
}

double f32(std::int64_t iterations, volatile std::int64_t* sink) {
  __m256 x = _mm256_set1_ps(1.0001F);
  __m256 y = _mm256_set1_ps(1e-9F);
  __m256 acc[kChains];
  for (auto& a : acc) a = _mm256_setzero_ps();
  for (std::int64_t i = 0; i < iterations; ++i) {
#pragma GCC unroll 10
    for (int k = 0; k < kChains; ++k) acc[k] = _mm256_fmadd_ps(x, y, acc[k]);
    asm volatile("" : "+x"(x), "+x"(y));
  }
  for (const auto& a : acc) *sink = *sink + sum_of(_mm256_cvtps_epi32(a));
  return static_cast<double>(iterations) * kChains * 8;
}

}  // namespace

const Probes kAvx2Probes = {read, int8, nullptr, f32};

}  // namespace notso
