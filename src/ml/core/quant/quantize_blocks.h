// From f32 to one block of each type. Private to the quant library: `quantize` walks the blocks.
#pragma once

#include "ml/core/quant/dtype.h"

namespace notso {

// block = the block_size values x[0..] in the block's type. A NaN becomes the smallest level.
void encode_block(const float* x, BlockQ8_0& block);
void encode_block(const float* x, BlockQ4_0& block);
void encode_block(const float* x, BlockQ4_1& block);
void encode_block(const float* x, BlockQ5_0& block);
void encode_block(const float* x, BlockQ5_1& block);
void encode_block(const float* x, BlockQ4_K& block);
void encode_block(const float* x, BlockQ5_K& block);
void encode_block(const float* x, BlockQ6_K& block);

}  // namespace notso
