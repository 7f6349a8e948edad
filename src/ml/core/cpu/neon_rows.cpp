// What happens to single rows with NEON: normalising, quantising into tiles, SwiGLU.

#include <arm_neon.h>
#include <cstdint>

#include "ml/core/cpu/neon.h"
#include "ml/core/cpu/neon_math.h"

namespace notso::neon {
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
    word(index, vget_lane_s32(vreinterpret_s32_f32(vdup_n_f32(value)), 0));
  }
  void pair(int index, std::int32_t low, std::int32_t high) const {
    word(index, static_cast<std::int32_t>((static_cast<std::uint32_t>(low) & 0xffffU) |
                                          static_cast<std::uint32_t>(high) << 16));
  }
  // The 8 values of columns [column, column + 8), as bytes.
  void bytes(int column, int8x8_t values) const {
    std::int8_t* to = q + (column * rows + row * 4);
    const int32x2_t quads = vreinterpret_s32_s8(values);
    vst1_lane_s32(reinterpret_cast<std::int32_t*>(to), quads, 0);
    vst1_lane_s32(reinterpret_cast<std::int32_t*>(to + rows * 4), quads, 1);
  }
};

inline float as_float(std::int32_t bits) {
  return vget_lane_f32(vreinterpret_f32_s32(vdup_n_s32(bits)), 0);
}

// Largest magnitude of 32 values. Compared as integers, so that a NaN is larger than everything and
// is not lost.
inline std::int32_t largest_bits(const float* in) {
  int32x4_t top = vdupq_n_s32(0);
  for (int i = 0; i < 32; i += 4) {
    const int32x4_t bits = vreinterpretq_s32_f32(vld1q_f32(in + i));
    top = vmaxq_s32(top, vandq_s32(bits, vdupq_n_s32(0x7fffffff)));
  }
  return vmaxvq_s32(top);
}

// Four values as whole numbers -127 .. 127; a NaN becomes 0, and its block has a NaN scale.
inline int32x4_t quantize_4(const float* in, float inverse) {
  const int32x4_t q = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(in), inverse));
  return vmaxq_s32(vminq_s32(q, vdupq_n_s32(127)), vdupq_n_s32(-127));
}

// Writes 16 columns' bytes and returns their sum.
inline std::int32_t quantize_16(const float* in, int column, float inverse,
                                const BlockWriter& out) {
  int32x4_t sum = vdupq_n_s32(0);
  for (int i = 0; i < 16; i += 8) {
    const int32x4_t a = quantize_4(in + i, inverse);
    const int32x4_t b = quantize_4(in + i + 4, inverse);
    sum = vaddq_s32(sum, vaddq_s32(a, b));
    out.bytes(column + i, vmovn_s16(vcombine_s16(vmovn_s32(a), vmovn_s32(b))));
  }
  return vaddvq_s32(sum);
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
    const std::int32_t rounded = vcvtps_s32_f32(as_float(bits[j]) * steps);
    const std::int32_t factor = rounded < 1 ? 1 : rounded > 16 ? 16 : rounded;
    const auto e = static_cast<float>(factor);
    const float inverse = steps * 127.0F / e;
    const std::int32_t first = quantize_16(in + j * 32, j * 32, inverse, out);
    const std::int32_t second = quantize_16(in + j * 32 + 16, j * 32 + 16, inverse, out);
    const std::int32_t sum = first + second;
    factors[j] = factor;
    halves[j] = (factor * sum + j % 2) >> 1;
    out.pair(TileMeta::kFactorTwins + j, factor, factor);
    out.word(TileMeta::kOffsets16 + 2 * j, -32 * first);
    out.word(TileMeta::kOffsets16 + 2 * j + 1, -32 * second);
    out.word(TileMeta::kNegSums32 + j, -sum);
    out.number(TileMeta::kGroupScales + j, a * e);
    out.number(TileMeta::kGroupSums + j, a * e * static_cast<float>(sum));
  }
  out.number(TileMeta::kScale, a);
  for (int i = 0; i < 4; ++i) {
    out.pair(TileMeta::kFactorPairs + i, factors[2 * i], factors[2 * i + 1]);
    out.pair(TileMeta::kSumPairs + i, halves[2 * i], halves[2 * i + 1]);
  }
}

inline float32x4_t silu_mul_4(float32x4_t gate, float32x4_t up) {
  const float32x4_t power = exp2(vmulq_n_f32(gate, -1.44269504F));
  return vmulq_f32(vdivq_f32(gate, vaddq_f32(vdupq_n_f32(1.0F), power)), up);
}

}  // namespace

void quantize(const float* in, std::int32_t columns, const TileRow& out) {
  const std::int32_t blocks = (columns + kBlockColumns - 1) / kBlockColumns;
  float padded[kBlockColumns];
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
  float32x4_t squares[4] = {vdupq_n_f32(0.0F), vdupq_n_f32(0.0F), vdupq_n_f32(0.0F),
                            vdupq_n_f32(0.0F)};
  std::int32_t i = 0;
  for (; i + 16 <= columns; i += 16) {
    for (int k = 0; k < 4; ++k) {
      const float32x4_t x = vld1q_f32(in + i + 4 * k);
      squares[k] = vfmaq_f32(squares[k], x, x);
    }
  }
  float sum =
      vaddvq_f32(vaddq_f32(vaddq_f32(squares[0], squares[1]), vaddq_f32(squares[2], squares[3])));
  for (; i < columns; ++i) sum += in[i] * in[i];
  const float mean = sum / static_cast<float>(columns) + epsilon;
  const float scale = 1.0F / vgetq_lane_f32(vsqrtq_f32(vdupq_n_f32(mean)), 0);
  for (i = 0; i + 4 <= columns; i += 4) {
    vst1q_f32(out + i, vmulq_f32(vmulq_n_f32(vld1q_f32(in + i), scale), vld1q_f32(weight + i)));
  }
  for (; i < columns; ++i) out[i] = in[i] * scale * weight[i];
}

void silu_mul(float* gate, const float* up, std::int32_t count) {
  std::int32_t i = 0;
  for (; i + 4 <= count; i += 4) {
    vst1q_f32(gate + i, silu_mul_4(vld1q_f32(gate + i), vld1q_f32(up + i)));
  }
  for (; i < count; ++i) {
    gate[i] = vgetq_lane_f32(silu_mul_4(vdupq_n_f32(gate[i]), vdupq_n_f32(up[i])), 0);
  }
}

}  // namespace notso::neon
