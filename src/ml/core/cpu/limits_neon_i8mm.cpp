#include <arm_neon.h>

#include "ml/core/cpu/limits_probes.h"

namespace notso {
namespace {

constexpr int kChains = 12;

}  // namespace

double probe_neon_i8mm(std::int64_t iterations, volatile std::int64_t* sink) {
  int8x16_t x = vdupq_n_s8(1);
  int8x16_t y = vdupq_n_s8(2);
  int32x4_t acc[kChains];
  for (auto& a : acc) a = vdupq_n_s32(0);
  for (std::int64_t i = 0; i < iterations; ++i) {
    for (int k = 0; k < kChains; ++k) acc[k] = vmmlaq_s32(acc[k], x, y);
    asm volatile("" : "+w"(x), "+w"(y));
  }
  for (const auto& a : acc) *sink = *sink + vaddvq_s32(a);
  return static_cast<double>(iterations) * kChains * 32;
}

}  // namespace notso
