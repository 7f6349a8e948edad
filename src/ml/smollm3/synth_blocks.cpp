#include "ml/smollm3/synth_blocks.h"

#include <cmath>
#include <cstring>

#include "base/check.h"
#include "ml/core/quant/quantize.h"

namespace notso {
namespace {

// Standard deviations of uniform levels 0..15, 0..31, 0..63 and -128..127.
constexpr float kDeviation4 = 4.61f;
constexpr float kDeviation5 = 9.23f;
constexpr float kDeviation6 = 18.47f;
constexpr float kDeviation8 = 73.9f;
// K types have 6-bit scales (8-bit in Q6_K), drawn from 24..40 around this mean.
constexpr float kScaleMean = 32.0f;

// `size` random bytes.
void fill_bytes(RandomStream& random, void* out, std::size_t size) {
  auto* at = static_cast<std::uint8_t*>(out);
  while (size > 0) {
    const std::uint64_t bits = random.next();
    const std::size_t part = size < 8 ? size : 8;
    std::memcpy(at, &bits, part);
    at += part;
    size -= part;
  }
}

// 24 + a number of 0..16, from 8 bits.
std::uint8_t draw_scale(std::uint64_t bits) {
  return static_cast<std::uint8_t>(24 + (bits & 255) * 17 / 256);
}

// A step within a quarter of `step`, with a random sign where `either_sign`.
float vary(RandomStream& random, float step, bool either_sign) {
  const std::uint64_t bits = random.next();
  const float factor = 0.75f + static_cast<float>(bits & 0xffff) / 131072.0f;
  return either_sign && (bits >> 63) != 0 ? -step * factor : step * factor;
}

void draw(RandomStream& random, float deviation, BlockQ8_0& block) {
  block.d = float_to_half(vary(random, deviation / kDeviation8, true));
  fill_bytes(random, block.q, sizeof block.q);
}

void draw(RandomStream& random, float deviation, BlockQ4_0& block) {
  block.d = float_to_half(vary(random, deviation / kDeviation4, true));
  fill_bytes(random, block.qs, sizeof block.qs);
}

void draw(RandomStream& random, float deviation, BlockQ4_1& block) {
  const float d = vary(random, deviation / kDeviation4, false);
  block.d = float_to_half(d);
  block.m = float_to_half(-7.5f * d);
  fill_bytes(random, block.qs, sizeof block.qs);
}

void draw(RandomStream& random, float deviation, BlockQ5_0& block) {
  block.d = float_to_half(vary(random, deviation / kDeviation5, true));
  fill_bytes(random, block.qh, sizeof block.qh);
  fill_bytes(random, block.qs, sizeof block.qs);
}

void draw(RandomStream& random, float deviation, BlockQ5_1& block) {
  const float d = vary(random, deviation / kDeviation5, false);
  block.d = float_to_half(d);
  block.m = float_to_half(-15.5f * d);
  fill_bytes(random, block.qh, sizeof block.qh);
  fill_bytes(random, block.qs, sizeof block.qs);
}

// Eight scales, each also its group's min: with dmin / d the mean level, every group is centred.
void draw_scale_mins(RandomStream& random, std::uint8_t scales[12]) {
  const std::uint64_t bits = random.next();
  std::uint8_t scale[8];
  for (int j = 0; j < 8; ++j) scale[j] = draw_scale(bits >> (8 * j));
  for (int j = 0; j < 4; ++j) {
    scales[j] = static_cast<std::uint8_t>(scale[j] | ((scale[j + 4] >> 4) << 6));
    scales[j + 4] = scales[j];
    scales[j + 8] = static_cast<std::uint8_t>((scale[j + 4] & 15) | ((scale[j + 4] & 15) << 4));
  }
}

void draw(RandomStream& random, float deviation, BlockQ4_K& block) {
  const float d = deviation / (kScaleMean * kDeviation4);
  block.d = float_to_half(d);
  block.dmin = float_to_half(7.5f * d);
  draw_scale_mins(random, block.scales);
  fill_bytes(random, block.qs, sizeof block.qs);
}

void draw(RandomStream& random, float deviation, BlockQ5_K& block) {
  const float d = deviation / (kScaleMean * kDeviation5);
  block.d = float_to_half(d);
  block.dmin = float_to_half(15.5f * d);
  draw_scale_mins(random, block.scales);
  fill_bytes(random, block.qh, sizeof block.qh);
  fill_bytes(random, block.qs, sizeof block.qs);
}

void draw(RandomStream& random, float deviation, BlockQ6_K& block) {
  block.d = float_to_half(deviation / (kScaleMean * kDeviation6));
  fill_bytes(random, block.ql, sizeof block.ql);
  fill_bytes(random, block.qh, sizeof block.qh);
  for (int half = 0; half < 2; ++half) {
    const std::uint64_t bits = random.next();
    for (int j = 0; j < 8; ++j) {
      const int scale = draw_scale(bits >> (8 * j));
      // Levels are -32..31: signs that alternate keep their mean of -1/2 from adding up.
      block.scales[8 * half + j] = static_cast<std::int8_t>(j % 2 == 0 ? scale : -scale);
    }
  }
}

template <class Block>
void draw_all(std::uint64_t key, float deviation, std::uint64_t first_block,
              std::span<std::byte> out) {
  for (std::size_t i = 0; i < out.size() / sizeof(Block); ++i) {
    RandomStream random(RandomStream(key ^ (first_block + i)).next());
    Block block;
    draw(random, deviation, block);
    std::memcpy(out.data() + i * sizeof(Block), &block, sizeof(Block));
  }
}

// Nearly normal: the sum of four uniform numbers.
float draw_float(std::uint64_t key, std::uint64_t index, float mean, float deviation) {
  const std::uint64_t bits = RandomStream(key ^ index).next();
  const auto sum = static_cast<float>((bits & 0xffff) + ((bits >> 16) & 0xffff) +
                                      ((bits >> 32) & 0xffff) + (bits >> 48));
  return mean + deviation * (sum - 131070.0f) * (1.7320508f / 65536.0f);
}

template <class T, class Convert>
void draw_floats(std::uint64_t key, float mean, float deviation, std::uint64_t first,
                 std::span<std::byte> out, Convert convert) {
  for (std::size_t i = 0; i < out.size() / sizeof(T); ++i) {
    const T value = convert(draw_float(key, first + i, mean, deviation));
    std::memcpy(out.data() + i * sizeof(T), &value, sizeof(T));
  }
}

}  // namespace

void draw_blocks(DType type, std::uint64_t key, float mean, float deviation,
                 std::uint64_t first_block, std::span<std::byte> out) {
  NOTSO_CHECK(out.size() % dtype_info(type).block_bytes == 0);
  const auto same = [](float x) { return x; };
  switch (type) {
    case DType::kF32:
      return draw_floats<float>(key, mean, deviation, first_block, out, same);
    case DType::kF16:
      return draw_floats<Half>(key, mean, deviation, first_block, out, float_to_half);
    case DType::kBF16:
      return draw_floats<std::uint16_t>(key, mean, deviation, first_block, out, float_to_bf16);
    case DType::kQ8_0:
      return draw_all<BlockQ8_0>(key, deviation, first_block, out);
    case DType::kQ4_0:
      return draw_all<BlockQ4_0>(key, deviation, first_block, out);
    case DType::kQ4_1:
      return draw_all<BlockQ4_1>(key, deviation, first_block, out);
    case DType::kQ5_0:
      return draw_all<BlockQ5_0>(key, deviation, first_block, out);
    case DType::kQ5_1:
      return draw_all<BlockQ5_1>(key, deviation, first_block, out);
    case DType::kQ4_K:
      return draw_all<BlockQ4_K>(key, deviation, first_block, out);
    case DType::kQ5_K:
      return draw_all<BlockQ5_K>(key, deviation, first_block, out);
    case DType::kQ6_K:
      return draw_all<BlockQ6_K>(key, deviation, first_block, out);
  }
}

}  // namespace notso
