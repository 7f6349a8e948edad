// The portable table: plain C++ for machines without a table of their own, and the specification of
// the others. Its matrix products are those of the AVX-512 table to the bit (integers, then the
// same few fused multiply-adds), so a test can demand equality; the rest agrees to rounding.

#include "ml/core/cpu/scalar.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "ml/core/quant/quantize.h"

namespace notso::scalar {
namespace {

using Bytes = const std::uint8_t*;
using Quad = std::array<std::uint8_t, kQuadBytes>;

float half_at(Bytes at, int row) {
  Half bits;
  std::memcpy(&bits, at + row * 2, sizeof bits);
  return half_to_float(bits);
}

// The facts of a format that the products need besides panels.h's offsets.
struct Traits {
  PanelFormat format;
  bool k_type;      // Q4_K, Q5_K, Q6_K
  int shift;        // K types: bits that a group's sum loses before it is scaled
  int offset_bits;  // weights are stored plus 2^offset_bits; -1: plus nothing
  bool has_mins;    // m halves behind a group's d halves
};

Traits traits_of(DType type) {
  switch (type) {
    case DType::kQ4_K:
      return {panel_format(type), true, 1, -1, false};
    case DType::kQ5_K:
      return {panel_format(type), true, 2, -1, false};
    case DType::kQ6_K:
      return {panel_format(type), true, 0, 5, false};
    case DType::kQ4_0:
      return {panel_format(type), false, 0, 3, false};
    case DType::kQ5_0:
      return {panel_format(type), false, 0, 4, false};
    case DType::kQ8_0:
      return {panel_format(type), false, 0, 7, false};
    default:
      return {panel_format(type), false, 0, -1, type == DType::kQ4_1 || type == DType::kQ5_1};
  }
}

// One panel's part of a block, which begins at `at`.
struct Block {
  const PanelFormat& format;
  const PanelPlace& place;
  Bytes at;
  // Line `index` of a group, or the line or the halves at an offset of a panel's block.
  [[nodiscard]] Bytes line(int group, std::size_t index) const {
    return line(format.group(group) + index * format.line_bytes);
  }
  [[nodiscard]] Bytes line(std::size_t offset) const {
    return at + place.piece(offset, format.line_bytes);
  }
  [[nodiscard]] Bytes halves(std::size_t offset) const {
    return at + place.piece(offset, kHalvesBytes);
  }
};

// Quad `index` (0..63) of a block, as bytes.
Quad unpack_quad(const Traits& traits, const Block& block, int index) {
  const PanelFormat& format = traits.format;
  const int group = index / 8;
  const auto quad_index = static_cast<std::size_t>(index % 8);
  Quad quad;
  if (format.type == DType::kQ8_0) {
    std::memcpy(quad.data(), block.line(group, quad_index), kQuadBytes);
    return quad;
  }
  Bytes line = block.line(group, format.nibble_line(quad_index / 2));
  for (int i = 0; i < kQuadBytes; ++i) {
    quad[i] = static_cast<std::uint8_t>((line[i] >> (index % 2 * 4)) & 15);
  }
  if (format.high_lines == 0) return quad;
  const bool sixths = format.high_lines == 2;
  Bytes high = block.line(group, format.high_line(sixths ? quad_index / 4 : 0));
  const int shift = sixths ? index % 4 * 2 : index % 8;
  const int mask = sixths ? 3 : 1;
  for (int i = 0; i < kQuadBytes; ++i) {
    quad[i] = static_cast<std::uint8_t>(quad[i] | ((high[i] >> shift) & mask) << 4);
  }
  return quad;
}

// One token's view of a tile.
struct Token {
  const TileView& tile;
  int row;
  std::int32_t word(std::int32_t block, int index) const {
    return tile
        .meta[(static_cast<std::int64_t>(block) * TileMeta::kWords + index) * tile.rows + row];
  }
  float number(std::int32_t block, int index) const {
    return std::bit_cast<float>(word(block, index));
  }
  const std::int8_t* quad(std::int32_t block, int index) const {
    return tile.q + ((static_cast<std::int64_t>(block) * 64 + index) * tile.rows + row) * 4;
  }
};

using Sums = std::array<std::int32_t, kPanelRows>;

// acc[r] += the quads [first, first + count) of row r times the token's activations.
void dot_quads(const Traits& traits, const Block& block, std::int32_t b, const Token& token,
               int first, int count, Sums& acc) {
  for (int k = first; k < first + count; ++k) {
    const Quad w = unpack_quad(traits, block, k);
    const std::int8_t* x = token.quad(b, k);
    for (int r = 0; r < kPanelRows; ++r) {
      for (int i = 0; i < 4; ++i) acc[r] += w[r * 4 + i] * x[i];
    }
  }
}

std::int32_t low_word(std::int32_t pair) { return static_cast<std::int16_t>(pair & 0xffff); }
std::int32_t high_word(std::int32_t pair) { return pair >> 16; }

// Row r's twelve bytes of scales and mins, in the file's order.
ScaleMin scale_min(const Block& block, int row, int group) {
  static constexpr int kOrder[4] = {0, 2, 1, 3};
  const std::size_t lines[3] = {kScalesAt, k_mins_at(block.format), kBothAt};
  std::uint8_t bytes[12];
  for (int line = 0; line < 3; ++line) {
    for (int i = 0; i < 4; ++i) bytes[line * 4 + kOrder[i]] = block.line(lines[line])[row * 4 + i];
  }
  return k_scale_min(bytes, group);
}

// What a group's sum starts with, so that the bits it loses do not pull all results the same way:
// one group rounds down, its neighbour up by as much.
std::int32_t rounding(const Traits& traits, int group) {
  return traits.shift == 1 ? group % 2 : 1 + group % 2;
}

void add_k_block(const Traits& traits, const Block& block, std::int32_t b, const Token& token,
                 float* sums) {
  Sums total{};
  for (int j = 0; j < 8; ++j) {
    Sums acc;
    acc.fill(rounding(traits, j));
    dot_quads(traits, block, b, token, j * 8, 8, acc);
    const std::int32_t pair = token.word(b, TileMeta::kFactorPairs + j / 2);
    const std::int32_t factor = j % 2 == 0 ? low_word(pair) : high_word(pair);
    for (int r = 0; r < kPanelRows; ++r) {
      total[r] += (acc[r] >> traits.shift) * (scale_min(block, r, j).scale * factor);
    }
  }
  const float shifted = static_cast<float>(1 << traits.shift);
  for (int r = 0; r < kPanelRows; ++r) {
    std::int32_t low = 0;
    for (int j = 0; j < 8; ++j) {
      const std::int32_t pair = token.word(b, TileMeta::kSumPairs + j / 2);
      low += (j % 2 == 0 ? low_word(pair) : high_word(pair)) * scale_min(block, r, j).min;
    }
    Bytes halves = block.line(k_d_at(block.format));
    const float d = half_at(halves, r) * shifted;
    const float dmin = half_at(halves + kHalvesBytes, r) * 2.0F;
    const float value = std::fma(-static_cast<float>(low), dmin, static_cast<float>(total[r]) * d);
    sums[r] = std::fma(value, token.number(b, TileMeta::kScale), sums[r]);
  }
}

// The signed scale of a row's group of 16 columns.
float q6_scale(const Block& block, int group, int row) {
  static constexpr int kOrder[4] = {0, 2, 1, 3};
  const std::uint8_t byte = block.line(q6_scales_at(group / 4))[kOrder[group % 4] + row * 4];
  return static_cast<float>(static_cast<std::int8_t>(byte));
}

void add_q6_block(const Traits& traits, const Block& block, std::int32_t b, const Token& token,
                  float* sums) {
  std::array<float, kPanelRows> total{};
  for (int j = 0; j < 8; ++j) {
    Sums acc[2];
    for (int half = 0; half < 2; ++half) {
      acc[half].fill(token.word(b, TileMeta::kOffsets16 + 2 * j + half));
      dot_quads(traits, block, b, token, j * 8 + half * 4, 4, acc[half]);
    }
    for (int r = 0; r < kPanelRows; ++r) {
      const float first = static_cast<float>(acc[0][r]) * q6_scale(block, 2 * j, r);
      const float both =
          std::fma(static_cast<float>(acc[1][r]), q6_scale(block, 2 * j + 1, r), first);
      total[r] = std::fma(both, token.number(b, TileMeta::kGroupScales + j), total[r]);
    }
  }
  for (int r = 0; r < kPanelRows; ++r) {
    sums[r] = std::fma(total[r], half_at(block.halves(kQ6DAt), r), sums[r]);
  }
}

void add_small_block(const Traits& traits, const Block& block, std::int32_t b, const Token& token,
                     float* sums) {
  for (int j = 0; j < 8; ++j) {
    Sums acc{};
    if (traits.offset_bits >= 0) {
      acc.fill(token.word(b, TileMeta::kNegSums32 + j) * (1 << traits.offset_bits));
    }
    dot_quads(traits, block, b, token, j * 8, 8, acc);
    const std::size_t d = small_d_at(block.format, j);
    for (int r = 0; r < kPanelRows; ++r) {
      if (traits.has_mins) {
        sums[r] = std::fma(half_at(block.halves(d + kHalvesBytes), r),
                           token.number(b, TileMeta::kGroupSums + j), sums[r]);
      }
      const float value = static_cast<float>(acc[r]) * half_at(block.halves(d), r);
      sums[r] = std::fma(value, token.number(b, TileMeta::kGroupScales + j), sums[r]);
    }
  }
}

float number_at(DType type, Bytes at) {
  if (type == DType::kF32) {
    float value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  std::uint16_t bits;
  std::memcpy(&bits, at, sizeof bits);
  return type == DType::kF16 ? half_to_float(bits) : bf16_to_float(bits);
}

void add_float_block(const Traits& traits, const Block& block, std::int32_t b, const Token& token,
                     float* sums) {
  const int bytes = traits.format.type == DType::kF32 ? 4 : 2;
  const std::int64_t first = std::int64_t{b} * kBlockColumns;
  for (int c = 0; c < kBlockColumns; ++c) {
    Bytes column = block.line(c / 32, static_cast<std::size_t>(c % 32));
    const float x = token.tile.values[(first + c) * token.tile.rows + token.row];
    for (int r = 0; r < kPanelRows; ++r) {
      const float w = number_at(traits.format.type, column + r * bytes);
      sums[r] = std::fma(w, x, sums[r]);
    }
  }
}

void add_block(const Traits& traits, const Block& block, std::int32_t b, const Token& token,
               float* sums) {
  switch (traits.format.type) {
    case DType::kQ4_K:
    case DType::kQ5_K:
      return add_k_block(traits, block, b, token, sums);
    case DType::kQ6_K:
      return add_q6_block(traits, block, b, token, sums);
    case DType::kF16:
    case DType::kBF16:
    case DType::kF32:
      return add_float_block(traits, block, b, token, sums);
    default:
      return add_small_block(traits, block, b, token, sums);
  }
}

struct BlockWriter {
  const TileRow& tile;
  std::int64_t block;
  void word(int index, std::int32_t value) const {
    tile.meta[(block * TileMeta::kWords + index) * tile.rows + tile.row] = value;
  }
  void number(int index, float value) const { word(index, std::bit_cast<std::int32_t>(value)); }
  void byte(int column, std::int32_t value) const {
    tile.q[((block * 64 + column / 4) * tile.rows + tile.row) * 4 + column % 4] =
        static_cast<std::int8_t>(value);
  }
};

std::int32_t round_to_byte(float x) {
  if (!(x > -127.0F)) return -127;  // also for a NaN, whose block has a NaN scale
  return x < 127.0F ? static_cast<std::int32_t>(std::nearbyint(x)) : 127;
}

std::int32_t pair_of(std::int32_t low, std::int32_t high) {
  return static_cast<std::int32_t>((static_cast<std::uint32_t>(low) & 0xffffU) |
                                   static_cast<std::uint32_t>(high) << 16);
}

// Largest magnitude, compared as integers so that a NaN is larger than everything.
float largest_of(const float* in, int count) {
  std::uint32_t largest = 0;
  for (int i = 0; i < count; ++i) {
    largest = std::max(largest, std::bit_cast<std::uint32_t>(in[i]) & 0x7fffffffU);
  }
  return std::bit_cast<float>(largest);
}

void quantize_block(const float* in, const BlockWriter& out) {
  const float top = largest_of(in, kBlockColumns);
  const float a = top / (16.0F * 127.0F);
  const float steps = top > kSmallestTop ? 16.0F / top : 0.0F;
  std::array<std::int32_t, 8> factors{};
  std::array<std::int32_t, 8> halves{};
  for (int j = 0; j < 8; ++j) {
    const float wanted = std::ceil(largest_of(in + j * 32, 32) * steps);
    const auto factor = wanted >= 1.0F ? static_cast<std::int32_t>(std::min(wanted, 16.0F)) : 1;
    const auto e = static_cast<float>(factor);
    const float inverse = steps * 127.0F / e;
    std::int32_t sums[2] = {0, 0};
    for (int i = 0; i < 32; ++i) {
      const std::int32_t q = round_to_byte(in[j * 32 + i] * inverse);
      out.byte(j * 32 + i, q);
      sums[i / 16] += q;
    }
    const std::int32_t sum = sums[0] + sums[1];
    factors[j] = factor;
    halves[j] = (factor * sum + j % 2) >> 1;
    out.word(TileMeta::kFactorTwins + j, pair_of(factor, factor));
    out.word(TileMeta::kOffsets16 + 2 * j, -32 * sums[0]);
    out.word(TileMeta::kOffsets16 + 2 * j + 1, -32 * sums[1]);
    out.word(TileMeta::kNegSums32 + j, -sum);
    out.number(TileMeta::kGroupScales + j, a * e);
    out.number(TileMeta::kGroupSums + j, a * e * static_cast<float>(sum));
  }
  out.number(TileMeta::kScale, a);
  for (int i = 0; i < 4; ++i) {
    out.word(TileMeta::kFactorPairs + i, pair_of(factors[2 * i], factors[2 * i + 1]));
    out.word(TileMeta::kSumPairs + i, pair_of(halves[2 * i], halves[2 * i + 1]));
  }
}

}  // namespace

void matmul(const PanelView& weights, std::int64_t first_panel, std::int32_t panels,
            const TileView& tile, float* out, std::int64_t stride, bool add) {
  const Traits traits = traits_of(weights.type);
  for (std::int32_t p = 0; p < panels; ++p) {
    const PanelPlace place = panel_place(weights, first_panel + p);
    const std::int64_t left = weights.rows - (first_panel + p) * kPanelRows;
    const auto count = static_cast<int>(std::min<std::int64_t>(left, kPanelRows));
    for (int t = 0; t < tile.rows; ++t) {
      float sums[kPanelRows] = {};
      for (std::int32_t b = 0; b < weights.blocks; ++b) {
        const std::byte* at = place.strip + static_cast<std::size_t>(b) * place.block_step;
        const Block block{traits.format, place, reinterpret_cast<Bytes>(at)};
        add_block(traits, block, b, Token{tile, t}, sums);
      }
      float* to = out + t * stride + p * kPanelRows;
      for (int r = 0; r < count; ++r) to[r] = add ? to[r] + sums[r] : sums[r];
    }
  }
}

void quantize(const float* in, std::int32_t columns, const TileRow& out) {
  const std::int32_t blocks = (columns + kBlockColumns - 1) / kBlockColumns;
  std::array<float, kBlockColumns> padded;
  for (std::int32_t b = 0; b < blocks; ++b) {
    const float* block = in + std::int64_t{b} * kBlockColumns;
    const std::int32_t left = std::min(columns - b * kBlockColumns, kBlockColumns);
    padded.fill(0.0F);
    std::copy_n(block, left, padded.begin());
    quantize_block(padded.data(), {out, b});
    if (out.values == nullptr) continue;
    for (std::int64_t i = 0; i < kBlockColumns; ++i) {
      const std::int64_t column = std::int64_t{b} * kBlockColumns + i;
      out.values[column * out.rows + out.row] = padded[static_cast<std::size_t>(i)];
    }
  }
}

void rms_norm(const float* in, const float* weight, float epsilon, std::int32_t columns,
              float* out) {
  double sum = 0.0;
  for (std::int32_t i = 0; i < columns; ++i) sum += static_cast<double>(in[i]) * in[i];
  const double mean = sum / columns;
  const auto scale = static_cast<float>(1.0 / std::sqrt(mean + static_cast<double>(epsilon)));
  for (std::int32_t i = 0; i < columns; ++i) out[i] = in[i] * scale * weight[i];
}

void silu_mul(float* gate, const float* up, std::int32_t count) {
  for (std::int32_t i = 0; i < count; ++i) gate[i] = gate[i] / (1.0F + std::exp(-gate[i])) * up[i];
}

}  // namespace notso::scalar
