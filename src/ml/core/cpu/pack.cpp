#include "ml/core/cpu/pack.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#include "base/check.h"
#include "ml/core/quant/quantize.h"

namespace notso {
namespace {

constexpr std::size_t kHalves = kPanelRows * sizeof(Half);
constexpr std::size_t kNibbles = 2048;
constexpr std::size_t kFifths = 512;
constexpr std::size_t kSixths = 1024;

// type, bytes, scales, d, mins, nibbles, high
constexpr std::array<PanelFormat, 11> kFormats = {{
    {DType::kQ4_K, 2304, 0, 192, 0, 256, 0},
    {DType::kQ5_K, 2816, 0, 192, 0, 256, 256 + kNibbles},
    {DType::kQ6_K, 3360, kNibbles + kSixths, kNibbles + kSixths + 256, 0, 0, kNibbles},
    {DType::kQ4_0, 2304, 0, 0, 0, 256, 0},
    {DType::kQ4_1, 2560, 0, 0, 256, 512, 0},
    {DType::kQ5_0, 2816, 0, 0, 0, 256, 256 + kNibbles},
    {DType::kQ5_1, 3072, 0, 0, 256, 512, 512 + kNibbles},
    {DType::kQ8_0, 4352, 0, 0, 0, 256, 0},
    {DType::kF16, 8192, 0, 0, 0, 0, 0},
    {DType::kBF16, 8192, 0, 0, 0, 0, 0},
    {DType::kF32, 16384, 0, 0, 0, 0, 0},
}};

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

int nibble_shift(int column) { return (column / 4) % 2 * 4; }

// The unsigned weights of one row of a block, one a byte, before they are packed.
using RowBytes = std::array<std::uint8_t, kBlockColumns>;

std::uint32_t quad_of(const RowBytes& q, int quad) {
  std::uint32_t word;
  std::memcpy(&word, q.data() + quad * 4, sizeof word);
  return word;
}

// Writes a row's weights of 4, 5 or 6 bits, four columns at a time.
void put_row(std::byte* block, const PanelFormat& format, int row, const RowBytes& q) {
  constexpr std::uint32_t kNibbleMask = 0x0f0f0f0f;
  for (int line = 0; line < kBlockColumns / 8; ++line) {
    const std::uint32_t even = quad_of(q, 2 * line) & kNibbleMask;
    const std::uint32_t odd = quad_of(q, 2 * line + 1) & kNibbleMask;
    store(block + format.nibbles + line * kQuadBytes + row * 4, even | odd << 4);
  }
  if (format.high == 0) return;
  const bool sixths = format.type == DType::kQ6_K;
  const int quads = sixths ? 4 : 8;  // that share a line of upper bits
  const std::uint32_t mask = sixths ? 0x03030303 : 0x01010101;
  for (int line = 0; line < kBlockColumns / 4 / quads; ++line) {
    std::uint32_t word = 0;
    for (int i = 0; i < quads; ++i) {
      word |= (quad_of(q, line * quads + i) >> 4 & mask) << (i * 8 / quads);
    }
    store(block + format.high + line * kQuadBytes + row * 4, word);
  }
}

unsigned get_bits(const std::byte* block, const PanelFormat& format, int row, int column) {
  const int lane = row * 4 + column % 4;
  unsigned q = byte_at(block + format.nibbles + (column / 8) * kQuadBytes + lane);
  q = (q >> nibble_shift(column)) & 15U;
  if (format.high == 0) return q;
  if (format.type == DType::kQ6_K) {
    const unsigned high = byte_at(block + format.high + (column / 16) * kQuadBytes + lane);
    return q | ((high >> (column / 4 % 4 * 2)) & 3U) << 4;
  }
  const unsigned high = byte_at(block + format.high + (column / 32) * kQuadBytes + lane);
  return q | ((high >> (column / 4 % 8)) & 1U) << 4;
}

// The 12 bytes of 6-bit scales and mins: the file's bytes, four at a time in pair order.
void put_k_scales(std::byte* lines, int row, const std::uint8_t scales[12]) {
  for (int line = 0; line < 3; ++line) {
    for (int i = 0; i < 4; ++i) {
      lines[line * kQuadBytes + row * 4 + i] =
          static_cast<std::byte>(scales[line * 4 + kPairOrder[i]]);
    }
  }
}

void get_k_scales(const std::byte* lines, int row, std::uint8_t scales[12]) {
  for (int line = 0; line < 3; ++line) {
    for (int i = 0; i < 4; ++i) {
      scales[line * 4 + kPairOrder[i]] = byte_at(lines + line * kQuadBytes + row * 4 + i);
    }
  }
}

template <class Block>
void pack_k_block(const Block& source, const PanelFormat& format, int row, std::byte* out) {
  put_k_scales(out + format.scales, row, source.scales);
  store(out + format.d + row * sizeof(Half), source.d);
  store(out + format.d + kHalves + row * sizeof(Half), source.dmin);
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
  put_row(out, format, row, q);
}

void pack_q6_block(const BlockQ6_K& source, const PanelFormat& format, int row, std::byte* out) {
  store(out + format.d + row * sizeof(Half), source.d);
  for (int group = 0; group < 16; ++group) {
    const int byte = kPairOrder[group % 4];  // its own inverse
    out[format.scales + group / 4 * kQuadBytes + row * 4 + byte] =
        static_cast<std::byte>(source.scales[group]);
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
  put_row(out, format, row, q);
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
void pack_small_row(const std::byte* source, std::int64_t block, std::int64_t columns,
                    const PanelFormat& format, int row, std::byte* out) {
  RowBytes q{};
  const std::int64_t first = block * 8;
  const std::int64_t count = std::min<std::int64_t>(8, columns / 32 - first);
  for (std::int64_t group = 0; group < count; ++group) {
    const auto piece =
        load<Block>(source + static_cast<std::size_t>(first + group) * sizeof(Block));
    const std::size_t half_at =
        static_cast<std::size_t>(group) * kHalves + static_cast<std::size_t>(row) * sizeof(Half);
    store(out + format.scales + half_at, piece.d);
    if constexpr (requires { piece.m; }) store(out + format.mins + half_at, piece.m);
    small_bytes(piece, q.data() + group * 32);
  }
  if constexpr (!std::is_same_v<Block, BlockQ8_0>) return put_row(out, format, row, q);
  for (int quad = 0; quad < kBlockColumns / 4; ++quad) {
    store(out + format.nibbles + quad * kQuadBytes + row * 4, quad_of(q, quad));
  }
}

template <class Number>
void pack_number_row(const std::byte* source, std::int64_t block, std::int64_t columns, int row,
                     std::byte* out) {
  const std::int64_t first = block * kBlockColumns;
  const std::int64_t count = std::min<std::int64_t>(kBlockColumns, columns - first);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto number = load<Number>(source + static_cast<std::size_t>(first + i) * sizeof(Number));
    store(out + static_cast<std::size_t>(i * kPanelRows + row) * sizeof(Number), number);
  }
}

void pack_row_block(const PanelFormat& format, const std::byte* source, std::int64_t block,
                    std::int64_t columns, int row, std::byte* out) {
  const auto k_block = [&](auto sample) {
    return load<decltype(sample)>(source + static_cast<std::size_t>(block) * sizeof sample);
  };
  switch (format.type) {
    case DType::kQ4_K:
      return pack_k_block(k_block(BlockQ4_K{}), format, row, out);
    case DType::kQ5_K:
      return pack_k_block(k_block(BlockQ5_K{}), format, row, out);
    case DType::kQ6_K:
      return pack_q6_block(k_block(BlockQ6_K{}), format, row, out);
    case DType::kQ4_0:
      return pack_small_row<BlockQ4_0>(source, block, columns, format, row, out);
    case DType::kQ4_1:
      return pack_small_row<BlockQ4_1>(source, block, columns, format, row, out);
    case DType::kQ5_0:
      return pack_small_row<BlockQ5_0>(source, block, columns, format, row, out);
    case DType::kQ5_1:
      return pack_small_row<BlockQ5_1>(source, block, columns, format, row, out);
    case DType::kQ8_0:
      return pack_small_row<BlockQ8_0>(source, block, columns, format, row, out);
    case DType::kF16:
    case DType::kBF16:
      return pack_number_row<std::uint16_t>(source, block, columns, row, out);
    case DType::kF32:
      return pack_number_row<float>(source, block, columns, row, out);
  }
}

// The weight at (row, column) of one block.
float unpack_weight(const PanelFormat& format, const std::byte* block, int row, int column) {
  const auto half_at = [&](std::size_t offset) {
    return half_to_float(load<Half>(block + offset + static_cast<std::size_t>(row) * sizeof(Half)));
  };
  const std::size_t group = static_cast<std::size_t>(column / 32) * kHalves;
  switch (format.type) {
    case DType::kQ4_K:
    case DType::kQ5_K: {
      std::uint8_t scales[12];
      get_k_scales(block + format.scales, row, scales);
      const ScaleMin sm = k_scale_min(scales, column / 32);
      return half_at(format.d) * static_cast<float>(sm.scale) *
                 static_cast<float>(get_bits(block, format, row, column)) -
             half_at(format.d + kHalves) * static_cast<float>(sm.min);
    }
    case DType::kQ6_K: {
      const int g = column / 16;
      const auto scale = static_cast<std::int8_t>(
          byte_at(block + format.scales + g / 4 * kQuadBytes + row * 4 + kPairOrder[g % 4]));
      const int q = static_cast<int>(get_bits(block, format, row, column)) - 32;
      return half_at(format.d) * static_cast<float>(scale) * static_cast<float>(q);
    }
    case DType::kQ4_0:
    case DType::kQ5_0: {
      const int offset = format.type == DType::kQ4_0 ? 8 : 16;
      const int q = static_cast<int>(get_bits(block, format, row, column)) - offset;
      return half_at(format.scales + group) * static_cast<float>(q);
    }
    case DType::kQ4_1:
    case DType::kQ5_1:
      return half_at(format.scales + group) *
                 static_cast<float>(get_bits(block, format, row, column)) +
             half_at(format.mins + group);
    case DType::kQ8_0: {
      const int q =
          byte_at(block + format.nibbles + (column / 4) * kQuadBytes + row * 4 + column % 4);
      return half_at(format.scales + group) * static_cast<float>(q - 128);
    }
    default:
      break;
  }
  const std::size_t number = static_cast<std::size_t>(column * kPanelRows + row);
  if (format.type == DType::kF32) return load<float>(block + number * sizeof(float));
  const auto bits = load<std::uint16_t>(block + number * sizeof(std::uint16_t));
  return format.type == DType::kF16 ? half_to_float(bits) : bf16_to_float(bits);
}

std::int64_t blocks_of(std::int64_t columns) {
  return (columns + kBlockColumns - 1) / kBlockColumns;
}

}  // namespace

const PanelFormat& panel_format(DType type) {
  const auto found = std::find_if(kFormats.begin(), kFormats.end(),
                                  [&](const PanelFormat& format) { return format.type == type; });
  NOTSO_CHECK(found != kFormats.end());
  return *found;
}

std::size_t packed_bytes(DType type, std::int64_t rows, std::int64_t columns) {
  const auto panels = static_cast<std::size_t>((rows + kPanelRows - 1) / kPanelRows);
  return panels * static_cast<std::size_t>(blocks_of(columns)) * panel_format(type).block_bytes;
}

void pack_panel(DType type, std::span<const std::byte> source, std::int64_t rows,
                std::int64_t columns, std::int64_t panel, std::byte* out) {
  const PanelFormat& format = panel_format(type);
  const std::int64_t blocks = blocks_of(columns);
  const std::size_t row_bytes = dtype_bytes(type, static_cast<std::size_t>(columns));
  std::memset(out, 0, static_cast<std::size_t>(blocks) * format.block_bytes);
  const std::int64_t first = panel * kPanelRows;
  const int count = static_cast<int>(std::min<std::int64_t>(kPanelRows, rows - first));
  for (int row = 0; row < count; ++row) {
    const std::byte* from = source.data() + static_cast<std::size_t>(first + row) * row_bytes;
    for (std::int64_t block = 0; block < blocks; ++block) {
      pack_row_block(format, from, block, columns, row,
                     out + static_cast<std::size_t>(block) * format.block_bytes);
    }
  }
}

void unpack_row(const PanelView& matrix, std::int64_t row, std::span<float> out) {
  const PanelFormat& format = panel_format(matrix.type);
  const std::byte* panel =
      matrix.data + static_cast<std::size_t>(row / kPanelRows) * matrix.panel_bytes;
  const int lane = static_cast<int>(row % kPanelRows);
  for (std::size_t column = 0; column < out.size(); ++column) {
    const std::byte* block = panel + column / kBlockColumns * format.block_bytes;
    out[column] = unpack_weight(format, block, lane, static_cast<int>(column % kBlockColumns));
  }
}

}  // namespace notso
