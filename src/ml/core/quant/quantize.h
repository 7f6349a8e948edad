// Scalar conversions between f32 and every block type: the oracle that all kernels are tested
// against, and what `notso synth` and the tests write files with. Exact and simple; not meant to be
// fast.
#pragma once

#include <cstddef>
#include <span>

#include "ml/core/quant/dtype.h"

namespace notso {

// The f32 value of a half, and the nearest half (ties to even; overflow gives infinity).
[[nodiscard]] float half_to_float(Half value);
[[nodiscard]] Half float_to_half(float value);

// The f32 value of a bfloat16, and the nearest bfloat16 (ties to even; a NaN stays a NaN).
[[nodiscard]] float bf16_to_float(std::uint16_t value);
[[nodiscard]] std::uint16_t float_to_bf16(float value);

// Bytes of `count` elements; count is a multiple of the block size.
[[nodiscard]] std::size_t dtype_bytes(DType type, std::size_t count);

// out[count] = the weights in `blocks`, which are dtype_bytes(type, out.size()) bytes. out.size()
// is a multiple of the block size.
void dequantize(DType type, std::span<const std::byte> blocks, std::span<float> out);

// blocks = `values` in `type`, each block with scales that keep the squared error small (searched
// as llama.cpp's reference quantisers do, without importance weights).
void quantize(DType type, std::span<const float> values, std::span<std::byte> blocks);

}  // namespace notso
