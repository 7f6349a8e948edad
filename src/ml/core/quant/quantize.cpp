// Blocks are copied in and out of the byte spans: the file promises no alignment that the block
// structs could rely on.
#include "ml/core/quant/quantize.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "ml/core/quant/quantize_blocks.h"

namespace notso {

float half_to_float(Half value) {
  const std::uint32_t sign = static_cast<std::uint32_t>(value & 0x8000u) << 16;
  const std::uint32_t exponent = (value >> 10) & 31u;
  const std::uint32_t fraction = value & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (fraction << 13));
  if (exponent == 0) {
    // Subnormal: fraction * 2^-24, exact in f32.
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
}

Half float_to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    // A NaN stays one: the quiet bit is set, the upper bits of its payload are kept.
    return static_cast<Half>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
  }
  if (magnitude >= 0x477ff000u) return static_cast<Half>(sign | 0x7c00u);  // rounds past 65504
  if (magnitude < 0x38800000u) {
    // Below 2^-14 the half counts units of 2^-24; adding 1/2 lets the f32 adder round to them.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<Half>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000u));
  }
  const std::uint32_t odd = (magnitude >> 13) & 1u;
  return static_cast<Half>(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13));
}

float bf16_to_float(std::uint16_t value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}

std::uint16_t float_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((bits >> 16) | 64u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

std::size_t dtype_bytes(DType type, std::size_t count) {
  const DTypeInfo& info = dtype_info(type);
  NOTSO_CHECK(count % info.block_size == 0);
  return count / info.block_size * info.block_bytes;
}

namespace {

void decode(const float& block, float* out) { out[0] = block; }

void decode(const BlockQ8_0& block, float* out) {
  const float d = half_to_float(block.d);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(block.q[i]);
}

int nibble(const std::uint8_t* qs, int i) { return i < 16 ? qs[i] & 15 : qs[i - 16] >> 4; }

// The fifth bit of weight i, in place.
int fifth_bit(const std::uint8_t* qh, int i) { return ((qh[i / 8] >> (i % 8)) & 1) << 4; }

void decode(const BlockQ4_0& block, float* out) {
  const float d = half_to_float(block.d);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(nibble(block.qs, i) - 8);
}

void decode(const BlockQ4_1& block, float* out) {
  const float d = half_to_float(block.d);
  const float m = half_to_float(block.m);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(nibble(block.qs, i)) + m;
}

void decode(const BlockQ5_0& block, float* out) {
  const float d = half_to_float(block.d);
  for (int i = 0; i < 32; ++i) {
    out[i] = d * static_cast<float>((nibble(block.qs, i) | fifth_bit(block.qh, i)) - 16);
  }
}

void decode(const BlockQ5_1& block, float* out) {
  const float d = half_to_float(block.d);
  const float m = half_to_float(block.m);
  for (int i = 0; i < 32; ++i) {
    out[i] = d * static_cast<float>(nibble(block.qs, i) | fifth_bit(block.qh, i)) + m;
  }
}

void decode(const BlockQ4_K& block, float* out) {
  const float d = half_to_float(block.d);
  const float dmin = half_to_float(block.dmin);
  for (int group = 0; group < 8; ++group) {
    const ScaleMin packed = k_scale_min(block.scales, group);
    const float scale = d * static_cast<float>(packed.scale);
    const float min = dmin * static_cast<float>(packed.min);
    const std::uint8_t* const qs = block.qs + group / 2 * 32;
    for (int i = 0; i < 32; ++i) {
      const int q = group % 2 == 0 ? qs[i] & 15 : qs[i] >> 4;
      out[group * 32 + i] = scale * static_cast<float>(q) - min;
    }
  }
}

void decode(const BlockQ5_K& block, float* out) {
  const float d = half_to_float(block.d);
  const float dmin = half_to_float(block.dmin);
  for (int group = 0; group < 8; ++group) {
    const ScaleMin packed = k_scale_min(block.scales, group);
    const float scale = d * static_cast<float>(packed.scale);
    const float min = dmin * static_cast<float>(packed.min);
    const std::uint8_t* const qs = block.qs + group / 2 * 32;
    for (int i = 0; i < 32; ++i) {
      const int low = group % 2 == 0 ? qs[i] & 15 : qs[i] >> 4;
      const int q = low | (((block.qh[i] >> group) & 1) << 4);
      out[group * 32 + i] = scale * static_cast<float>(q) - min;
    }
  }
}

void decode(const BlockQ6_K& block, float* out) {
  const float d = half_to_float(block.d);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128;        // which 128 weights
    const int quarter = i / 32 % 4;  // which 32 of them
    const int l = i % 32;
    const int byte = block.ql[half * 64 + quarter % 2 * 32 + l];
    const int low = quarter < 2 ? byte & 15 : byte >> 4;
    const int high = (block.qh[half * 32 + l] >> (2 * quarter)) & 3;
    const int group_scale = block.scales[i / 16];
    out[i] = d * static_cast<float>(group_scale) * static_cast<float>((low | (high << 4)) - 32);
  }
}

template <class Block, std::size_t kSize>
void decode_all(std::span<const std::byte> blocks, std::span<float> out) {
  NOTSO_CHECK(out.size() % kSize == 0 && blocks.size() == out.size() / kSize * sizeof(Block));
  for (std::size_t i = 0; i < out.size() / kSize; ++i) {
    Block block;
    std::memcpy(&block, blocks.data() + i * sizeof(Block), sizeof(Block));
    decode(block, out.data() + i * kSize);
  }
}

template <class Block, std::size_t kSize>
void encode_all(std::span<const float> values, std::span<std::byte> blocks) {
  NOTSO_CHECK(values.size() % kSize == 0 && blocks.size() == values.size() / kSize * sizeof(Block));
  for (std::size_t i = 0; i < values.size() / kSize; ++i) {
    Block block{};
    encode_block(values.data() + i * kSize, block);
    std::memcpy(blocks.data() + i * sizeof(Block), &block, sizeof(Block));
  }
}

template <class Convert>
void decode_16_bit(std::span<const std::byte> blocks, std::span<float> out, Convert convert) {
  NOTSO_CHECK(blocks.size() == out.size() * 2);
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, blocks.data() + 2 * i, 2);
    out[i] = convert(bits);
  }
}

template <class Convert>
void encode_16_bit(std::span<const float> values, std::span<std::byte> blocks, Convert convert) {
  NOTSO_CHECK(blocks.size() == values.size() * 2);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t bits = convert(values[i]);
    std::memcpy(blocks.data() + 2 * i, &bits, 2);
  }
}

}  // namespace

void dequantize(DType type, std::span<const std::byte> blocks, std::span<float> out) {
  switch (type) {
    case DType::kF32:
      return decode_all<float, 1>(blocks, out);
    case DType::kF16:
      return decode_16_bit(blocks, out, half_to_float);
    case DType::kBF16:
      return decode_16_bit(blocks, out, bf16_to_float);
    case DType::kQ4_0:
      return decode_all<BlockQ4_0, 32>(blocks, out);
    case DType::kQ4_1:
      return decode_all<BlockQ4_1, 32>(blocks, out);
    case DType::kQ5_0:
      return decode_all<BlockQ5_0, 32>(blocks, out);
    case DType::kQ5_1:
      return decode_all<BlockQ5_1, 32>(blocks, out);
    case DType::kQ8_0:
      return decode_all<BlockQ8_0, 32>(blocks, out);
    case DType::kQ4_K:
      return decode_all<BlockQ4_K, 256>(blocks, out);
    case DType::kQ5_K:
      return decode_all<BlockQ5_K, 256>(blocks, out);
    case DType::kQ6_K:
      return decode_all<BlockQ6_K, 256>(blocks, out);
  }
}

void quantize(DType type, std::span<const float> values, std::span<std::byte> blocks) {
  switch (type) {
    case DType::kF32:
      NOTSO_CHECK(blocks.size() == values.size_bytes());
      if (!values.empty()) std::memcpy(blocks.data(), values.data(), values.size_bytes());
      return;
    case DType::kF16:
      return encode_16_bit(values, blocks, float_to_half);
    case DType::kBF16:
      return encode_16_bit(values, blocks, float_to_bf16);
    case DType::kQ4_0:
      return encode_all<BlockQ4_0, 32>(values, blocks);
    case DType::kQ4_1:
      return encode_all<BlockQ4_1, 32>(values, blocks);
    case DType::kQ5_0:
      return encode_all<BlockQ5_0, 32>(values, blocks);
    case DType::kQ5_1:
      return encode_all<BlockQ5_1, 32>(values, blocks);
    case DType::kQ8_0:
      return encode_all<BlockQ8_0, 32>(values, blocks);
    case DType::kQ4_K:
      return encode_all<BlockQ4_K, 256>(values, blocks);
    case DType::kQ5_K:
      return encode_all<BlockQ5_K, 256>(values, blocks);
    case DType::kQ6_K:
      return encode_all<BlockQ6_K, 256>(values, blocks);
  }
}

}  // namespace notso
