// Small vector functions that several NEON files use. Everything here has internal linkage: see
// kernel_table.h.
#pragma once

#include <arm_neon.h>
#include <cstdint>

namespace notso::neon {
namespace {

// 2^whole for whole numbers -126 .. 127.
inline float32x4_t power_of_two(int32x4_t whole) {
  return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(whole, vdupq_n_s32(127)), 23));
}

// 2^x to about 2 units in the last place; 0 for x below -150, infinity above 128, NaN for NaN. The
// polynomial is the Taylor series of 2^f on [-0.5, 0.5] to the sixth power, whose error there is
// below 2^-25. The power of two goes on in two halves, so that neither is out of range.
inline float32x4_t exp2(float32x4_t x) {
  const float32x4_t bounded = vmaxq_f32(vdupq_n_f32(-150.0F), vminq_f32(vdupq_n_f32(129.0F), x));
  const float32x4_t rounded = vrndnq_f32(bounded);
  const float32x4_t f = vsubq_f32(bounded, rounded);
  float32x4_t p = vdupq_n_f32(1.540353e-4F);
  p = vfmaq_f32(vdupq_n_f32(1.33335581e-3F), p, f);
  p = vfmaq_f32(vdupq_n_f32(9.61812911e-3F), p, f);
  p = vfmaq_f32(vdupq_n_f32(5.55041087e-2F), p, f);
  p = vfmaq_f32(vdupq_n_f32(2.40226507e-1F), p, f);
  p = vfmaq_f32(vdupq_n_f32(6.93147181e-1F), p, f);
  p = vfmaq_f32(vdupq_n_f32(1.0F), p, f);
  const int32x4_t whole = vcvtq_s32_f32(rounded);
  const int32x4_t half = vshrq_n_s32(whole, 1);
  return vmulq_f32(vmulq_f32(p, power_of_two(half)), power_of_two(vsubq_s32(whole, half)));
}

// Four half-precision numbers at any address.
inline float32x4_t load_halves(const void* at) {
  return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(static_cast<const std::uint8_t*>(at))));
}

}  // namespace
}  // namespace notso::neon
