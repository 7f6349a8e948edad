// The element types of GGUF tensors that this program reads, and their block layouts. Each block
// type below is the format, byte for byte as in the file (little endian); the comment over it says
// how a weight is made from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace notso {

// Element types; the values are GGUF's own type numbers.
enum class DType : std::uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kBF16 = 30,
};

// What one type costs: `block_bytes` bytes hold `block_size` elements.
struct DTypeInfo {
  DType type;
  std::string_view name;
  std::uint32_t block_size;
  std::uint32_t block_bytes;
};

// Facts about a type that is read; every DType has them.
[[nodiscard]] const DTypeInfo& dtype_info(DType type);

// The type with GGUF's number `raw`, or nothing if this program does not read it.
[[nodiscard]] std::optional<DType> dtype_from_raw(std::uint32_t raw);

// GGUF's name of type number `raw`, also for the types that are not read ("IQ2_XS"); "type 99" is
// "unknown".
[[nodiscard]] std::string_view dtype_raw_name(std::uint32_t raw);

// Half-precision numbers are stored as their 16 bits.
using Half = std::uint16_t;

// w = d * q, q in -128..127.
struct BlockQ8_0 {
  Half d;
  std::int8_t q[32];
};

// w = d * (q - 8). Weight i is the low nibble of qs[i], weight i + 16 the high one.
struct BlockQ4_0 {
  Half d;
  std::uint8_t qs[16];
};

// w = d * q + m; nibbles as in Q4_0.
struct BlockQ4_1 {
  Half d;
  Half m;
  std::uint8_t qs[16];
};

// w = d * (q - 16), q = nibble (as in Q4_0) + 16 * bit i of qh (little endian).
struct BlockQ5_0 {
  Half d;
  std::uint8_t qh[4];
  std::uint8_t qs[16];
};

// w = d * q + m; q as in Q5_0.
struct BlockQ5_1 {
  Half d;
  Half m;
  std::uint8_t qh[4];
  std::uint8_t qs[16];
};

// 8 groups of 32: w = d * scale[j] * q - dmin * min[j]. The 6-bit scales and mins are packed in 12
// bytes (k_scale_min). Groups 2i and 2i + 1 are the low and the high nibbles of qs[32 * i .. 32 * i
// + 31].
struct BlockQ4_K {
  Half d;
  Half dmin;
  std::uint8_t scales[12];
  std::uint8_t qs[128];
};

// As Q4_K; bit j of qh[i] adds 16 to weight i of group j.
struct BlockQ5_K {
  Half d;
  Half dmin;
  std::uint8_t scales[12];
  std::uint8_t qh[32];
  std::uint8_t qs[128];
};

// 16 groups of 16: w = d * scales[j] * (q - 32), q of 6 bits. In each half of 128 weights, for l in
// 0..31: weights l, l + 32, l + 64, l + 96 take the low nibble of ql[l], of ql[l + 32], the high
// nibble of ql[l], of ql[l + 32], and bits 0-1, 2-3, 4-5, 6-7 of qh[l] as their upper two bits.
struct BlockQ6_K {
  std::uint8_t ql[128];
  std::uint8_t qh[64];
  std::int8_t scales[16];
  Half d;
};

static_assert(sizeof(BlockQ8_0) == 34 && sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20);
static_assert(sizeof(BlockQ5_0) == 22 && sizeof(BlockQ5_1) == 24 && sizeof(BlockQ4_K) == 144);
static_assert(sizeof(BlockQ5_K) == 176 && sizeof(BlockQ6_K) == 210);

// The scale and the min of group j (0..7) of a Q4_K or Q5_K block, both 0..63.
struct ScaleMin {
  std::uint8_t scale;
  std::uint8_t min;
};
[[nodiscard]] inline ScaleMin k_scale_min(const std::uint8_t scales[12], int j) {
  const auto u8 = [](int x) { return static_cast<std::uint8_t>(x); };
  if (j < 4) return {u8(scales[j] & 63), u8(scales[j + 4] & 63)};
  return {u8((scales[j + 4] & 15) | ((scales[j - 4] >> 6) << 4)),
          u8((scales[j + 4] >> 4) | ((scales[j] >> 6) << 4))};
}

}  // namespace notso
