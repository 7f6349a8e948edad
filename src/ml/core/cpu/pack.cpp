#include "ml/core/cpu/pack.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#include "base/check.h"
#include "ml/core/quant/quantize.h"

namespace notso {
namespace {

// The order of four groups' bytes in a dword: see panels.h.
constexpr int kPairOrder[4] = {0, 2, 1, 3};

template <class T>
T load(const std::byte* at) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <class T>
void store(std::byte* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

std::uint8_t byte_at(const std::byte* at) { return std::to_integer<std::uint8_t>(*at); }

// The unsigned weights of one row of a block, one a byte, before they are packed.
using RowBytes = std::array<std::uint8_t, kBlockColumns>;

std::uint32_t quad_of(const RowBytes& q, int quad) {
  std::uint32_t word;
  std::memcpy(&word, q.data() + quad * 4, sizeof word);
  return word;
}

// One panel's part of a block, which begins at `block`. Byte is std::byte, const or not.
template <class Byte>
struct BlockPlace {
  const PanelFormat& format;
  const PanelPlace& place;
  Byte* block;

  // Line `index` of a group, or the line or the halves at an offset of a panel's block.
  [[nodiscard]] Byte* line(int group, std::size_t index) const {
    return line(format.group(group) + index * format.line_bytes);
  }
  [[nodiscard]] Byte* line(std::size_t offset) const {
    return block + place.piece(offset, format.line_bytes);
  }
  [[nodiscard]] Byte* halves(std::size_t offset) const {
    return block + place.piece(offset, kHalvesBytes);
  }
};
using BlockOut = BlockPlace<std::byte>;
using BlockIn = BlockPlace<const std::byte>;

// Writes a row's weights of 4, 5 or 6 bits, four columns at a time.
void put_row(const BlockOut& block, int row, const RowBytes& q) {
  const PanelFormat& format = block.format;
  constexpr std::uint32_t kNibbleMask = 0x0f0f0f0f;
  const bool sixths = format.type == DType::kQ6_K;
  const int quads = sixths ? 4 : 8;  // that share a line of upper bits
  const std::uint32_t mask = sixths ? 0x03030303 : 0x01010101;
  for (int group = 0; group < kBlockGroups; ++group) {
    for (std::size_t line = 0; line < 4; ++line) {
      const int quad = group * 8 + 2 * static_cast<int>(line);
      const std::uint32_t even = quad_of(q, quad) & kNibbleMask;
      const std::uint32_t odd = quad_of(q, quad + 1) & kNibbleMask;
      store(block.line(group, format.nibble_line(line)) + row * 4, even | odd << 4);
    }
    for (std::size_t line = 0; line < format.high_lines; ++line) {
      const int quad = group * 8 + static_cast<int>(line) * quads;
      std::uint32_t word = 0;
      for (int i = 0; i < quads; ++i) {
        word |= (quad_of(q, quad + i) >> 4 & mask) << (i * 8 / quads);
      }
      store(block.line(group, format.high_line(line)) + row * 4, word);
    }
  }
}

unsigned get_bits(const BlockIn& block, int row, int column) {
  const PanelFormat& format = block.format;
  const int group = column / 32;
  const int lane = row * 4 + column % 4;
  const int quad = column / 4 % 8;
  const std::size_t line = format.nibble_line(static_cast<std::size_t>(quad / 2));
  unsigned q = byte_at(block.line(group, line) + lane);
  q = (q >> (quad % 2 * 4)) & 15U;
  if (format.high_lines == 2) {
    const std::size_t high_line = format.high_line(static_cast<std::size_t>(quad / 4));
    const unsigned high = byte_at(block.line(group, high_line) + lane);
    return q | ((high >> (quad % 4 * 2)) & 3U) << 4;
  }
  if (format.high_lines == 1) return q | ((byte_at(block.line(group, 0) + lane) >> quad) & 1U) << 4;
  return q;
}

// Where the 12 bytes of a row's 6-bit scales and mins are: the file's bytes, four at a time in pair
// order.
template <class Byte>
Byte* k_scale(const BlockPlace<Byte>& block, int row, int index) {
  const std::size_t lines[3] = {kScalesAt, k_mins_at(block.format), kBothAt};
  return block.line(lines[index / 4]) + row * 4 + kPairOrder[index % 4];  // its own inverse
}

template <class Block>
void pack_k_block(const Block& source, int row, const BlockOut& out) {
  for (int i = 0; i < 12; ++i) *k_scale(out, row, i) = static_cast<std::byte>(source.scales[i]);
  std::byte* halves = out.line(k_d_at(out.format)) + row * sizeof(Half);
  store(halves, source.d);
  store(halves + kHalvesBytes, source.dmin);
  RowBytes q;
  for (std::size_t pair = 0; pair < 4; ++pair) {
    for (std::size_t i = 0; i < 32; ++i) {
      const std::uint8_t both = source.qs[pair * 32 + i];
      q[pair * 64 + i] = both & 15;
      q[pair * 64 + 32 + i] = both >> 4;
    }
  }
  if constexpr (std::is_same_v<Block, BlockQ5_K>) {
    for (std::size_t group = 0; group < 8; ++group) {
      for (std::size_t i = 0; i < 32; ++i) {
        const int bit = source.qh[i] >> group & 1;
        q[group * 32 + i] = static_cast<std::uint8_t>(q[group * 32 + i] | bit << 4);
      }
    }
  }
  put_row(out, row, q);
}

// Where the scale of 16 columns of a row of Q6_K is.
template <class Byte>
Byte* q6_scale(const BlockPlace<Byte>& block, int row, int group) {
  return block.line(q6_scales_at(group / 4)) + row * 4 + kPairOrder[group % 4];
}

void pack_q6_block(const BlockQ6_K& source, int row, const BlockOut& out) {
  store(out.halves(kQ6DAt) + row * sizeof(Half), source.d);
  for (int group = 0; group < 16; ++group) {
    *q6_scale(out, row, group) = static_cast<std::byte>(source.scales[group]);
  }
  RowBytes q;
  for (std::size_t half = 0; half < 2; ++half) {
    const std::uint8_t* low = source.ql + half * 64;
    const std::uint8_t* high = source.qh + half * 32;
    for (std::size_t l = 0; l < 32; ++l) {
      std::uint8_t* to = q.data() + half * 128 + l;
      to[0] = static_cast<std::uint8_t>((low[l] & 15) | (high[l] & 3) << 4);
      to[32] = static_cast<std::uint8_t>((low[l + 32] & 15) | (high[l] >> 2 & 3) << 4);
      to[64] = static_cast<std::uint8_t>(low[l] >> 4 | (high[l] >> 4 & 3) << 4);
      to[96] = static_cast<std::uint8_t>(low[l + 32] >> 4 | (high[l] >> 6) << 4);
    }
  }
  put_row(out, row, q);
}

// The 32 weights of one block, a byte each; those of Q8_0 plus 128.
template <class Block>
void small_bytes(const Block& source, std::uint8_t* q) {
  if constexpr (std::is_same_v<Block, BlockQ8_0>) {
    for (int i = 0; i < 32; ++i) q[i] = static_cast<std::uint8_t>(source.q[i] + 128);
    return;
  } else {
    for (int i = 0; i < 16; ++i) {
      q[i] = source.qs[i] & 15;
      q[i + 16] = source.qs[i] >> 4;
    }
    if constexpr (requires { source.qh; }) {
      for (int i = 0; i < 32; ++i) {
        q[i] = static_cast<std::uint8_t>(q[i] | (source.qh[i / 8] >> (i % 8) & 1) << 4);
      }
    }
  }
}

// One row's weights of one block, from the file's bytes `source` of that row; `columns` real
// columns are left.
template <class Block>
void pack_small_row(const std::byte* source, std::int64_t block, std::int64_t columns, int row,
                    const BlockOut& out) {
  RowBytes q{};
  const std::int64_t first = block * 8;
  const std::int64_t count = std::min<std::int64_t>(8, columns / 32 - first);
  for (std::int64_t group = 0; group < count; ++group) {
    const auto piece =
        load<Block>(source + static_cast<std::size_t>(first + group) * sizeof(Block));
    const std::size_t d = small_d_at(out.format, static_cast<int>(group));
    store(out.halves(d) + row * sizeof(Half), piece.d);
    if constexpr (requires { piece.m; }) {
      store(out.halves(d + kHalvesBytes) + row * sizeof(Half), piece.m);
    }
    small_bytes(piece, q.data() + group * 32);
  }
  if constexpr (!std::is_same_v<Block, BlockQ8_0>) return put_row(out, row, q);
  for (int quad = 0; quad < kBlockColumns / 4; ++quad) {
    store(out.line(quad / 8, static_cast<std::size_t>(quad % 8)) + row * 4, quad_of(q, quad));
  }
}

template <class Number>
void pack_number_row(const std::byte* source, std::int64_t block, std::int64_t columns, int row,
                     const BlockOut& out) {
  const std::int64_t first = block * kBlockColumns;
  const std::int64_t count = std::min<std::int64_t>(kBlockColumns, columns - first);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto number = load<Number>(source + static_cast<std::size_t>(first + i) * sizeof(Number));
    store(out.line(static_cast<int>(i / 32), static_cast<std::size_t>(i % 32)) +
              static_cast<std::size_t>(row) * sizeof(Number),
          number);
  }
}

void pack_row_block(const std::byte* source, std::int64_t block, std::int64_t columns, int row,
                    const BlockOut& out) {
  const auto k_block = [&](auto sample) {
    return load<decltype(sample)>(source + static_cast<std::size_t>(block) * sizeof sample);
  };
  switch (out.format.type) {
    case DType::kQ4_K:
      return pack_k_block(k_block(BlockQ4_K{}), row, out);
    case DType::kQ5_K:
      return pack_k_block(k_block(BlockQ5_K{}), row, out);
    case DType::kQ6_K:
      return pack_q6_block(k_block(BlockQ6_K{}), row, out);
    case DType::kQ4_0:
      return pack_small_row<BlockQ4_0>(source, block, columns, row, out);
    case DType::kQ4_1:
      return pack_small_row<BlockQ4_1>(source, block, columns, row, out);
    case DType::kQ5_0:
      return pack_small_row<BlockQ5_0>(source, block, columns, row, out);
    case DType::kQ5_1:
      return pack_small_row<BlockQ5_1>(source, block, columns, row, out);
    case DType::kQ8_0:
      return pack_small_row<BlockQ8_0>(source, block, columns, row, out);
    case DType::kF16:
    case DType::kBF16:
      return pack_number_row<std::uint16_t>(source, block, columns, row, out);
    case DType::kF32:
      return pack_number_row<float>(source, block, columns, row, out);
  }
}

// The weight at (row, column) of one block.
float unpack_weight(const BlockIn& block, int row, int column) {
  const PanelFormat& format = block.format;
  const auto half_at = [&](const std::byte* halves) {
    return half_to_float(load<Half>(halves + static_cast<std::size_t>(row) * sizeof(Half)));
  };
  const std::size_t small_d = small_d_at(format, column / 32);
  switch (format.type) {
    case DType::kQ4_K:
    case DType::kQ5_K: {
      std::uint8_t scales[12];
      for (int i = 0; i < 12; ++i) scales[i] = byte_at(k_scale(block, row, i));
      const std::byte* d = block.line(k_d_at(format));
      const ScaleMin sm = k_scale_min(scales, column / 32);
      return half_at(d) * static_cast<float>(sm.scale) *
                 static_cast<float>(get_bits(block, row, column)) -
             half_at(d + kHalvesBytes) * static_cast<float>(sm.min);
    }
    case DType::kQ6_K: {
      const auto scale = static_cast<std::int8_t>(byte_at(q6_scale(block, row, column / 16)));
      const int q = static_cast<int>(get_bits(block, row, column)) - 32;
      return half_at(block.halves(kQ6DAt)) * static_cast<float>(scale) * static_cast<float>(q);
    }
    case DType::kQ4_0:
    case DType::kQ5_0: {
      const int offset = format.type == DType::kQ4_0 ? 8 : 16;
      const int q = static_cast<int>(get_bits(block, row, column)) - offset;
      return half_at(block.halves(small_d)) * static_cast<float>(q);
    }
    case DType::kQ4_1:
    case DType::kQ5_1:
      return half_at(block.halves(small_d)) * static_cast<float>(get_bits(block, row, column)) +
             half_at(block.halves(small_d + kHalvesBytes));
    case DType::kQ8_0: {
      const int q = byte_at(block.line(column / 32, static_cast<std::size_t>(column / 4 % 8)) +
                            row * 4 + column % 4);
      return half_at(block.halves(small_d)) * static_cast<float>(q - 128);
    }
    default:
      break;
  }
  const std::byte* numbers = block.line(column / 32, static_cast<std::size_t>(column % 32));
  const auto number = static_cast<std::size_t>(row);
  if (format.type == DType::kF32) return load<float>(numbers + number * sizeof(float));
  const auto bits = load<std::uint16_t>(numbers + number * sizeof(std::uint16_t));
  return format.type == DType::kF16 ? half_to_float(bits) : bf16_to_float(bits);
}

std::int64_t blocks_of(std::int64_t columns) {
  return (columns + kBlockColumns - 1) / kBlockColumns;
}

std::int64_t panels_of(std::int64_t rows) { return (rows + kPanelRows - 1) / kPanelRows; }

}  // namespace

std::size_t packed_bytes(DType type, std::int64_t rows, std::int64_t columns) {
  return static_cast<std::size_t>(panels_of(rows)) * static_cast<std::size_t>(blocks_of(columns)) *
         panel_format(type).block_bytes;
}

std::int64_t strip_count(std::int64_t rows) {
  return (panels_of(rows) + kStripPanels - 1) / kStripPanels;
}

PanelPlace panel_place(const PanelView& matrix, std::int64_t panel) {
  const std::int64_t first = panel / kStripPanels * kStripPanels;
  const auto width =
      static_cast<std::size_t>(std::min(kStripPanels, panels_of(matrix.rows) - first));
  return {matrix.data + static_cast<std::size_t>(first) * matrix.panel_bytes, width,
          static_cast<std::size_t>(panel - first), width * panel_format(matrix.type).block_bytes};
}

void pack_strip(DType type, std::span<const std::byte> source, std::int64_t rows,
                std::int64_t columns, std::int64_t strip, std::byte* out) {
  const PanelFormat format = panel_format(type);
  const std::int64_t blocks = blocks_of(columns);
  const std::size_t row_bytes = dtype_bytes(type, static_cast<std::size_t>(columns));
  const std::int64_t first = strip * kStripPanels * kPanelRows;
  const std::int64_t count = std::min<std::int64_t>(kStripPanels * kPanelRows, rows - first);
  std::memset(out, 0, packed_bytes(type, count, columns));
  // The strip as a matrix of its own, whose panels know their places.
  const PanelView view{type, out, static_cast<std::size_t>(blocks) * format.block_bytes,
                       static_cast<std::int32_t>(blocks), count};
  for (std::int64_t row = 0; row < count; ++row) {
    const std::byte* from = source.data() + static_cast<std::size_t>(first + row) * row_bytes;
    const PanelPlace place = panel_place(view, row / kPanelRows);
    for (std::int64_t block = 0; block < blocks; ++block) {
      const BlockOut to{format, place, out + static_cast<std::size_t>(block) * place.block_step};
      pack_row_block(from, block, columns, static_cast<int>(row % kPanelRows), to);
    }
  }
}

void unpack_row(const PanelView& matrix, std::int64_t row, std::span<float> out) {
  const PanelFormat format = panel_format(matrix.type);
  const PanelPlace place = panel_place(matrix, row / kPanelRows);
  const int lane = static_cast<int>(row % kPanelRows);
  for (std::size_t column = 0; column < out.size(); ++column) {
    const BlockIn block{format, place, place.strip + column / kBlockColumns * place.block_step};
    out[column] = unpack_weight(block, lane, static_cast<int>(column % kBlockColumns));
  }
}

}  // namespace notso
