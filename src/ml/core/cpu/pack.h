// Weights from the file's block layout into panels, and single rows back out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ml/core/cpu/panels.h"

namespace notso {

// Bytes that a matrix of this type and shape takes in panels.
[[nodiscard]] std::size_t packed_bytes(DType type, std::int64_t rows, std::int64_t columns);

// Panels of a strip, and strips of a matrix with so many rows.
inline constexpr std::int64_t kStripPanels = 2;
[[nodiscard]] std::int64_t strip_count(std::int64_t rows);

// Packs strip `strip` of the matrix `source` (rows * columns weights as in the file) to `out`,
// which is packed_bytes of the strip's rows.
void pack_strip(DType type, std::span<const std::byte> source, std::int64_t rows,
                std::int64_t columns, std::int64_t strip, std::byte* out);

// out[columns] = the weights of one row, exactly as dequantising the file's blocks gives them.
void unpack_row(const PanelView& matrix, std::int64_t row, std::span<float> out);

}  // namespace notso
