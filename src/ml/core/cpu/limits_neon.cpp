#include <arm_neon.h>

#include "ml/core/cpu/limits_probes.h"

namespace notso {
namespace {

constexpr int kChains = 12;

std::uint64_t read(const std::byte* data, std::size_t bytes) {
  uint64x2_t fold[4] = {vdupq_n_u64(0), vdupq_n_u64(0), vdupq_n_u64(0), vdupq_n_u64(0)};
  for (std::size_t at = 0; at < bytes; at += 64) {
    for (int i = 0; i < 4; ++i) {
      const auto* line = reinterpret_cast<const std::uint64_t*>(data + at + i * 16);
      fold[i] = veorq_u64(fold[i], vld1q_u64(line));
    }
  }
  return vaddvq_u64(veorq_u64(veorq_u64(fold[0], fold[1]), veorq_u64(fold[2], fold[3])));
}

double int8(std::int64_t iterations, volatile std::int64_t* sink) {
  int8x16_t x = vdupq_n_s8(1);
  int8x16_t y = vdupq_n_s8(2);
  int32x4_t acc[kChains];
  for (auto& a : acc) a = vdupq_n_s32(0);
  for (std::int64_t i = 0; i < iterations; ++i) {
    for (int k = 0; k < kChains; ++k) acc[k] = vdotq_s32(acc[k], x, y);
    asm volatile("" : "+w"(x), "+w"(y));
  }
  for (const auto& a : acc) *sink = *sink + vaddvq_s32(a);
  return static_cast<double>(iterations) * kChains * 16;
}

double f32(std::int64_t iterations, volatile std::int64_t* sink) {
  float32x4_t x = vdupq_n_f32(1.0001F);
  float32x4_t y = vdupq_n_f32(1e-9F);
  float32x4_t acc[kChains];
  for (auto& a : acc) a = vdupq_n_f32(0.0F);
  for (std::int64_t i = 0; i < iterations; ++i) {
    for (int k = 0; k < kChains; ++k) acc[k] = vfmaq_f32(acc[k], x, y);
    asm volatile("" : "+w"(x), "+w"(y));
  }
  for (const auto& a : acc) *sink = *sink + static_cast<std::int64_t>(vaddvq_f32(a));
  return static_cast<double>(iterations) * kChains * 4;
}

}  // namespace

const Probes kNeonProbes = {read, int8, nullptr, f32};

}  // namespace notso
