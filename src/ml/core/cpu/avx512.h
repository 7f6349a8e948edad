// The AVX-512 kernels' functions, by file; kernel_table.h says what each does.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ml/core/cpu/kernel_table.h"

namespace notso::avx512 {

// Needs F, BW, DQ, VL and VNNI.
void matmul(const PanelView& weights, std::int64_t first_panel, std::int32_t panels,
            const TileView& tile, float* out, std::int64_t stride, bool add);
void quantize(const float* in, std::int32_t columns, const TileRow& out);
void rms_norm(const float* in, const float* weight, float epsilon, std::int32_t columns,
              float* out);
void silu_mul(float* gate, const float* up, std::int32_t count);

// Keys and values as f16 (or q8_0), products in f32.
std::size_t kv_head_bytes(KvType type, std::int32_t head_dim);
void kv_store(KvType type, std::byte* head, std::int32_t index, std::int32_t head_dim,
              const float* key, const float* value);
void attend(KvType type, const AttentionRow* rows, std::int32_t count);

// Keys and values as bf16 (or q8_0); needs BF16 besides.
void kv_store_bf16(KvType type, std::byte* head, std::int32_t index, std::int32_t head_dim,
                   const float* key, const float* value);
void attend_bf16(KvType type, const AttentionRow* rows, std::int32_t count);

}  // namespace notso::avx512
