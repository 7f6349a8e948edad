// The NEON tables and their functions, by file; kernel_table.h says what each does.
//
// Both tables run on 64-bit ARM. Their products add up exact integers, so a group's sum loses
// nothing before it is scaled: those of 32-column and float types are the portable table's to the
// bit, those of the K types a little more exact. The two tables give the same bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ml/core/cpu/kernel_table.h"

namespace notso::neon {

// Needs the dot product extension (ARMv8.2 DotProd).
extern const KernelTable kTable;
// Needs the int8 matrix multiplication extension (I8MM) besides.
extern const KernelTable kI8mmTable;

// Products, by each extension.
void matmul_dot(const PanelView& weights, std::int64_t first_panel, std::int32_t panels,
                const TileView& tile, float* out, std::int64_t stride, bool add);
void matmul_i8mm(const PanelView& weights, std::int64_t first_panel, std::int32_t panels,
                 const TileView& tile, float* out, std::int64_t stride, bool add);

// Rows of f32.
void quantize(const float* in, std::int32_t columns, const TileRow& out);
void rms_norm(const float* in, const float* weight, float epsilon, std::int32_t columns,
              float* out);
void silu_mul(float* gate, const float* up, std::int32_t count);

// Keys and values as f16 or q8_0, products in f32.
std::size_t kv_head_bytes(KvType type, std::int32_t head_dim);
void kv_store(KvType type, std::byte* head, std::int32_t index, std::int32_t head_dim,
              const float* key, const float* value);
void attend(KvType type, const AttentionRow* rows, std::int32_t count);

}  // namespace notso::neon
