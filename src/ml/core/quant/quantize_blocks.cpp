// How a block's scales are found. The plain types take them from the largest values. The K types
// search: for a few candidate steps the levels are rounded, then the scale (and min) that fit those
// levels best are solved by least squares, and the candidate with the smallest squared error wins.
// Levels are rounded once more after the scales themselves were rounded to their stored form.
#include "ml/core/quant/quantize_blocks.h"

#include <algorithm>
#include <cmath>

#include "ml/core/quant/quantize.h"

namespace notso {
namespace {

// The whole number nearest to x within [low, high]; NaN gives low.
int level(float x, int low, int high) {
  if (!(x > static_cast<float>(low))) return low;
  if (x >= static_cast<float>(high)) return high;
  return static_cast<int>(std::lrint(x));
}

std::uint8_t byte(int x) { return static_cast<std::uint8_t>(x); }

float inverse(float x) { return x == 0.0f ? 0.0f : 1.0f / x; }

// The value of largest magnitude, with its sign.
float peak(const float* x, int count) {
  float largest = 0.0f;
  for (int i = 0; i < count; ++i) {
    if (std::fabs(x[i]) > std::fabs(largest)) largest = x[i];
  }
  return largest;
}

void set_nibble(std::uint8_t* qs, int i, int q) {
  qs[i % 16] = byte(qs[i % 16] | ((q & 15) << (i < 16 ? 0 : 4)));
}

void set_fifth_bit(std::uint8_t* qh, int i, int q) {
  qh[i / 8] = byte(qh[i / 8] | ((q >> 4) << (i % 8)));
}

// w = scale * q - min with q in 0..levels and min >= 0: one group of a K block.
struct Affine {
  float scale = 0.0f;
  float min = 0.0f;
};

// The least-squares fit to the levels that `step` rounds to, and its squared error.
Affine fit_affine(const float* x, int levels, float low, float step, double& error) {
  double sum_q = 0, sum_qq = 0, sum_x = 0, sum_xq = 0;
  int q[32];
  for (int i = 0; i < 32; ++i) {
    q[i] = level((x[i] - low) * step, 0, levels);
    sum_q += q[i];
    sum_qq += q[i] * q[i];
    sum_x += static_cast<double>(x[i]);
    sum_xq += static_cast<double>(x[i]) * q[i];
  }
  const double determinant = 32 * sum_qq - sum_q * sum_q;
  double scale = determinant > 0 ? (32 * sum_xq - sum_x * sum_q) / determinant : 0;
  double offset = determinant > 0 ? (sum_qq * sum_x - sum_q * sum_xq) / determinant : 0;
  if (offset > 0) {  // the format has no positive offset
    offset = 0;
    scale = sum_qq > 0 ? sum_xq / sum_qq : 0;
  }
  error = 0;
  for (int i = 0; i < 32; ++i) {
    const double miss = scale * q[i] + offset - static_cast<double>(x[i]);
    error += miss * miss;
  }
  return {static_cast<float>(scale), static_cast<float>(-offset)};
}

Affine search_affine(const float* x, int levels) {
  const auto [least, most] = std::minmax_element(x, x + 32);
  const float low = std::min(*least, 0.0f);
  const float range = *most - low;
  if (!(range > 0.0f)) return {0.0f, -low};
  Affine best;
  double best_error = -1;
  for (int trial = 0; trial <= 20; ++trial) {
    const float step =
        (static_cast<float>(levels) - 1.0f + 0.1f * static_cast<float>(trial)) / range;
    double error = 0;
    const Affine candidate = fit_affine(x, levels, low, step, error);
    if (candidate.scale > 0.0f && (best_error < 0 || error < best_error)) {
      best = candidate;
      best_error = error;
    }
  }
  return best_error < 0 ? Affine{range / static_cast<float>(levels), -low} : best;
}

void pack_scale_min(std::uint8_t scales[12], int j, int scale, int min) {
  if (j < 4) {
    scales[j] = byte(scales[j] | scale);
    scales[j + 4] = byte(scales[j + 4] | min);
    return;
  }
  scales[j + 4] = byte((scale & 15) | ((min & 15) << 4));
  scales[j - 4] = byte(scales[j - 4] | ((scale >> 4) << 6));
  scales[j] = byte(scales[j] | ((min >> 4) << 6));
}

// Scales, mins and the levels of all 256 weights, for Q4_K (15 levels) and Q5_K (31).
template <class Block>
void encode_affine_groups(const float* x, int levels, Block& block, std::uint8_t q[256]) {
  Affine groups[8];
  float scale_max = 0.0f;
  float min_max = 0.0f;
  for (int j = 0; j < 8; ++j) {
    groups[j] = search_affine(x + 32 * j, levels);
    scale_max = std::max(scale_max, groups[j].scale);
    min_max = std::max(min_max, groups[j].min);
  }
  block.d = float_to_half(scale_max / 63.0f);
  block.dmin = float_to_half(min_max / 63.0f);
  const float d = half_to_float(block.d);
  const float dmin = half_to_float(block.dmin);
  for (int j = 0; j < 8; ++j) {
    const int scale = level(groups[j].scale * inverse(d), 0, 63);
    const int min = level(groups[j].min * inverse(dmin), 0, 63);
    pack_scale_min(block.scales, j, scale, min);
    const float step = inverse(d * static_cast<float>(scale));
    const float offset = dmin * static_cast<float>(min);
    for (int i = 0; i < 32; ++i) {
      q[32 * j + i] = byte(level((x[32 * j + i] + offset) * step, 0, levels));
    }
  }
}

// The best scale of one Q6_K group: w = scale * q, q in -32..31.
float search_scale(const float* x) {
  const float largest = peak(x, 16);
  if (largest == 0.0f) return 0.0f;
  float best = 0.0f;
  double best_gain = 0;
  for (int trial = -9; trial <= 9; ++trial) {
    const float step = -(32.0f + 0.1f * static_cast<float>(trial)) / largest;
    double sum_xq = 0, sum_qq = 0;
    for (int i = 0; i < 16; ++i) {
      const int q = level(x[i] * step, -32, 31);
      sum_xq += static_cast<double>(x[i]) * q;
      sum_qq += q * q;
    }
    // The squared error of the fitted scale is sum(x^2) - sum_xq^2 / sum_qq.
    if (sum_qq > 0 && sum_xq * sum_xq > best_gain * sum_qq) {
      best_gain = sum_xq * sum_xq / sum_qq;
      best = static_cast<float>(sum_xq / sum_qq);
    }
  }
  return best;
}

}  // namespace

void encode_block(const float* x, BlockQ8_0& block) {
  const float d = std::fabs(peak(x, 32)) / 127.0f;
  block.d = float_to_half(d);
  for (int i = 0; i < 32; ++i) {
    block.q[i] = static_cast<std::int8_t>(level(x[i] * inverse(d), -127, 127));
  }
}

void encode_block(const float* x, BlockQ4_0& block) {
  const float d = peak(x, 32) / -8.0f;
  block.d = float_to_half(d);
  for (int i = 0; i < 32; ++i) set_nibble(block.qs, i, level(x[i] * inverse(d) + 8.0f, 0, 15));
}

void encode_block(const float* x, BlockQ4_1& block) {
  const auto [least, most] = std::minmax_element(x, x + 32);
  const float d = (*most - *least) / 15.0f;
  block.d = float_to_half(d);
  block.m = float_to_half(*least);
  for (int i = 0; i < 32; ++i) set_nibble(block.qs, i, level((x[i] - *least) * inverse(d), 0, 15));
}

void encode_block(const float* x, BlockQ5_0& block) {
  const float d = peak(x, 32) / -16.0f;
  block.d = float_to_half(d);
  for (int i = 0; i < 32; ++i) {
    const int q = level(x[i] * inverse(d) + 16.0f, 0, 31);
    set_nibble(block.qs, i, q);
    set_fifth_bit(block.qh, i, q);
  }
}

void encode_block(const float* x, BlockQ5_1& block) {
  const auto [least, most] = std::minmax_element(x, x + 32);
  const float d = (*most - *least) / 31.0f;
  block.d = float_to_half(d);
  block.m = float_to_half(*least);
  for (int i = 0; i < 32; ++i) {
    const int q = level((x[i] - *least) * inverse(d), 0, 31);
    set_nibble(block.qs, i, q);
    set_fifth_bit(block.qh, i, q);
  }
}

void encode_block(const float* x, BlockQ4_K& block) {
  std::uint8_t q[256];
  encode_affine_groups(x, 15, block, q);
  for (int i = 0; i < 128; ++i) {
    const int low = i / 32 * 64 + i % 32;
    block.qs[i] = byte(q[low] | (q[low + 32] << 4));
  }
}

void encode_block(const float* x, BlockQ5_K& block) {
  std::uint8_t q[256];
  encode_affine_groups(x, 31, block, q);
  for (int i = 0; i < 128; ++i) {
    const int low = i / 32 * 64 + i % 32;
    block.qs[i] = byte((q[low] & 15) | ((q[low + 32] & 15) << 4));
  }
  for (int i = 0; i < 256; ++i) {
    block.qh[i % 32] = byte(block.qh[i % 32] | ((q[i] >> 4) << (i / 32)));
  }
}

void encode_block(const float* x, BlockQ6_K& block) {
  float scales[16];
  for (int j = 0; j < 16; ++j) scales[j] = search_scale(x + 16 * j);
  block.d = float_to_half(peak(scales, 16) / -128.0f);
  const float d = half_to_float(block.d);
  for (int j = 0; j < 16; ++j) {
    block.scales[j] = static_cast<std::int8_t>(level(scales[j] * inverse(d), -128, 127));
  }
  for (int i = 0; i < 256; ++i) {
    const int group_scale = block.scales[i / 16];
    const float step = inverse(d * static_cast<float>(group_scale));
    const int q = level(x[i] * step, -32, 31) + 32;
    const int half = i / 128;
    const int quarter = i / 32 % 4;
    std::uint8_t& low = block.ql[half * 64 + quarter % 2 * 32 + i % 32];
    std::uint8_t& high = block.qh[half * 32 + i % 32];
    low = byte(low | ((q & 15) << (quarter < 2 ? 0 : 4)));
    high = byte(high | ((q >> 4) << (2 * quarter)));
  }
}

}  // namespace notso
