// The AVX2 kernels' functions, by file; kernel_table.h says what each does. They need AVX2, FMA and
// F16C.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ml/core/cpu/kernel_table.h"

namespace notso::avx2 {

// avx2_matmul.cpp
void matmul(const PanelView& weights, std::int64_t first_panel, std::int32_t panels,
            const TileView& tile, float* out, std::int64_t stride, bool add);

// avx2_rows.cpp
void quantize(const float* in, std::int32_t columns, const TileRow& out);
void rms_norm(const float* in, const float* weight, float epsilon, std::int32_t columns,
              float* out);
void silu_mul(float* gate, const float* up, std::int32_t count);

// avx2_attention.cpp
std::size_t kv_head_bytes(KvType type, std::int32_t head_dim);
void kv_store(KvType type, std::byte* head, std::int32_t index, std::int32_t head_dim,
              const float* key, const float* value);
void attend(KvType type, const AttentionRow* rows, std::int32_t count);

}  // namespace notso::avx2
