// Attention in plain C++: one query at a time over all its positions, softmax with a running
// maximum by page.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "ml/core/cpu/scalar.h"
#include "ml/core/quant/quantize.h"

namespace notso::scalar {
namespace {

// Keys first, then values; each part is 64 rows of elements and, in q8_0, 64 scales.
std::size_t part_bytes(KvType type, std::int32_t head_dim) {
  const auto elements =
      static_cast<std::size_t>(kKvPageTokens) * static_cast<std::size_t>(head_dim);
  if (type == KvType::kF16) return elements * sizeof(Half);
  return elements + kKvPageTokens * sizeof(float);
}

std::byte* scale_at(std::byte* part, std::int32_t index, std::int32_t head_dim) {
  return part + static_cast<std::size_t>(kKvPageTokens) * static_cast<std::size_t>(head_dim) +
         static_cast<std::size_t>(index) * sizeof(float);
}

void store_row(KvType type, std::byte* part, std::int32_t index, std::int32_t head_dim,
               const float* in) {
  const auto first = static_cast<std::size_t>(index) * static_cast<std::size_t>(head_dim);
  if (type == KvType::kF16) {
    auto* out = reinterpret_cast<Half*>(part) + first;
    for (std::int32_t i = 0; i < head_dim; ++i) out[i] = float_to_half(in[i]);
    return;
  }
  float top = 0.0F;
  for (std::int32_t i = 0; i < head_dim; ++i) top = std::max(top, std::fabs(in[i]));
  const float scale = top / 127.0F;
  std::memcpy(scale_at(part, index, head_dim), &scale, sizeof scale);
  auto* out = reinterpret_cast<std::int8_t*>(part) + first;
  const float inverse = top > 0.0F ? 127.0F / top : 0.0F;
  for (std::int32_t i = 0; i < head_dim; ++i) {
    out[i] = static_cast<std::int8_t>(std::clamp(std::nearbyint(in[i] * inverse), -127.0F, 127.0F));
  }
}

void load_row(KvType type, const std::byte* part, std::int32_t index, std::int32_t head_dim,
              float* out) {
  const auto first = static_cast<std::size_t>(index) * static_cast<std::size_t>(head_dim);
  if (type == KvType::kF16) {
    const auto* in = reinterpret_cast<const Half*>(part) + first;
    for (std::int32_t i = 0; i < head_dim; ++i) out[i] = half_to_float(in[i]);
    return;
  }
  float scale;
  std::memcpy(&scale, scale_at(const_cast<std::byte*>(part), index, head_dim), sizeof scale);
  const auto* in = reinterpret_cast<const std::int8_t*>(part) + first;
  for (std::int32_t i = 0; i < head_dim; ++i) out[i] = static_cast<float>(in[i]) * scale;
}

// The running softmax of one query.
struct Softmax {
  float maximum = -3.0e38F;
  float sum = 0.0F;
};

// Takes one page's `tokens` tokens into the query's output.
void attend_page(KvType type, const std::byte* head, std::int32_t tokens, std::int32_t head_dim,
                 const float* query, Softmax& state, float* out) {
  std::array<float, kMaxHeadDim> row;
  std::array<float, kKvPageTokens> scores;
  float top = state.maximum;
  for (std::int32_t i = 0; i < tokens; ++i) {
    load_row(type, head, i, head_dim, row.data());
    float score = 0.0F;
    for (std::int32_t d = 0; d < head_dim; ++d) score += row[d] * query[d];
    scores[i] = score / std::sqrt(static_cast<float>(head_dim));
    top = scores[i] > top ? scores[i] : top;
  }
  const float factor = std::exp(state.maximum - top);
  for (std::int32_t d = 0; d < head_dim; ++d) out[d] *= factor;
  state.sum *= factor;
  state.maximum = top;
  const std::byte* values = head + part_bytes(type, head_dim);
  for (std::int32_t i = 0; i < tokens; ++i) {
    const float p = std::exp(scores[i] - top);
    state.sum += p;
    load_row(type, values, i, head_dim, row.data());
    for (std::int32_t d = 0; d < head_dim; ++d) out[d] += p * row[d];
  }
}

}  // namespace

std::size_t kv_head_bytes(KvType type, std::int32_t head_dim) {
  return 2 * part_bytes(type, head_dim);
}

void kv_store(KvType type, std::byte* head, std::int32_t index, std::int32_t head_dim,
              const float* key, const float* value) {
  store_row(type, head, index, head_dim, key);
  store_row(type, head + part_bytes(type, head_dim), index, head_dim, value);
}

void attend(KvType type, const AttentionRow* rows, std::int32_t count) {
  for (std::int32_t r = 0; r < count; ++r) {
    const AttentionRow& row = rows[r];
    for (std::int32_t m = 0; m < row.queries; ++m) {
      const float* query = row.query + m * row.head_dim;
      float* out = row.out + m * row.head_dim;
      std::fill_n(out, row.head_dim, 0.0F);
      Softmax state;
      for (std::int32_t page = 0; page * kKvPageTokens <= row.position; ++page) {
        const std::int32_t tokens =
            std::min(row.position + 1 - page * kKvPageTokens, kKvPageTokens);
        attend_page(type, row.pages[page] + row.head_offset, tokens, row.head_dim, query, state,
                    out);
      }
      for (std::int32_t d = 0; d < row.head_dim; ++d) out[d] /= state.sum;
    }
  }
}

}  // namespace notso::scalar
