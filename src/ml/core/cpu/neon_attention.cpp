// Attention with NEON. A page of 64 tokens of one head is
//   keys:   4 groups of 16 tokens, each [head_dim][16 tokens],
//   values: [64 tokens][head_dim],
// in halves or, in q8_0, in bytes with 64 f32 scales (one a token) behind the keys and behind the
// values. Products and sums are f32.
//
// For each page a row's query keeps a running maximum, sum and weighted value (an online softmax).
// Pages are taken in order, and of the last one only the tokens up to the row's position; so a
// row's result does not depend on the rows that share the call or on what lies behind. Several rows
// share a call so that a page is read once for all of them.

#include <arm_neon.h>
#include <cstddef>
#include <cstdint>

#include "ml/core/cpu/neon.h"
#include "ml/core/cpu/neon_math.h"

namespace notso::neon {
namespace {

constexpr float kNothing = -3.0e38F;

// 16 numbers.
struct Wide {
  float32x4_t of[4];
};

struct F16 {
  static constexpr int kBytes = 2;
  static constexpr bool kScales = false;

  static Wide load(const std::byte* at) {
    return {{load_halves(at), load_halves(at + 8), load_halves(at + 16), load_halves(at + 24)}};
  }
};

struct Q8 {
  static constexpr int kBytes = 1;
  static constexpr bool kScales = true;

  static Wide load(const std::byte* at) {
    const int8x16_t bytes = vld1q_s8(reinterpret_cast<const std::int8_t*>(at));
    const int16x8_t low = vmovl_s8(vget_low_s8(bytes));
    const int16x8_t high = vmovl_s8(vget_high_s8(bytes));
    return {{vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))),
             vcvtq_f32_s32(vmovl_s16(vget_high_s16(low))),
             vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))),
             vcvtq_f32_s32(vmovl_s16(vget_high_s16(high)))}};
  }
};

// Offset of a part's scales, and the bytes of a part.
template <class Format>
constexpr std::ptrdiff_t scales_at(std::int32_t head_dim) {
  return std::ptrdiff_t{kKvPageTokens} * head_dim * Format::kBytes;
}
template <class Format>
constexpr std::ptrdiff_t part_bytes(std::int32_t head_dim) {
  return scales_at<Format>(head_dim) + (Format::kScales ? kKvPageTokens * 4 : 0);
}

// The scales of 4 tokens from `token`.
inline float32x4_t load_scales(const std::byte* scales, int token) {
  return vld1q_f32(reinterpret_cast<const float*>(scales) + token);
}

// Running state of one row.
struct RowState {
  float query[kMaxQueries][kMaxHeadDim];  // times log2(e) / sqrt(head_dim)
  float maximum[kMaxQueries];
  float sum[kMaxQueries];
};

using PageScores = float[kKvPageTokens];

// values[0 .. count) *= factor; count is a multiple of 16.
inline void rescale(float* values, std::int32_t count, float factor) {
  for (std::int32_t i = 0; i < count; i += 4) {
    vst1q_f32(values + i, vmulq_n_f32(vld1q_f32(values + i), factor));
  }
}

void start_row(const AttentionRow& row, RowState& state) {
  const float32x4_t root = vsqrtq_f32(vdupq_n_f32(static_cast<float>(row.head_dim)));
  const float scale = 1.44269504F / vgetq_lane_f32(root, 0);
  for (int m = 0; m < row.queries; ++m) {
    const float* from = row.query + m * row.head_dim;
    for (std::int32_t i = 0; i < row.head_dim; i += 4) {
      vst1q_f32(state.query[m] + i, vmulq_n_f32(vld1q_f32(from + i), scale));
      vst1q_f32(row.out + m * row.head_dim + i, vdupq_n_f32(0.0F));
    }
    state.maximum[m] = kNothing;
    state.sum[m] = 0.0F;
  }
}

// scores[m][0 .. 16) = query m times the keys of 16 tokens from `token`.
template <class Format, int M>
void score_16(const std::byte* keys, int token, std::int32_t head_dim, const RowState& state,
              PageScores (&scores)[M]) {
  Wide acc[M];
#pragma GCC unroll 4
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) acc[m].of[k] = vdupq_n_f32(0.0F);
  }
  const std::byte* at = keys + std::ptrdiff_t{token} * head_dim * Format::kBytes;
  for (std::int32_t i = 0; i < head_dim; ++i, at += 16 * Format::kBytes) {
    const Wide key = Format::load(at);
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) {
        acc[m].of[k] = vfmaq_n_f32(acc[m].of[k], key.of[k], state.query[m][i]);
      }
    }
  }
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) {
    const float32x4_t scale = Format::kScales
                                  ? load_scales(keys + scales_at<Format>(head_dim), token + 4 * k)
                                  : vdupq_n_f32(1.0F);
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) {
      vst1q_f32(scores[m] + token + 4 * k, vmulq_f32(acc[m].of[k], scale));
    }
  }
}

// Turns the page's scores into probabilities relative to the new maximum, brings sum and maximum up
// to date, and returns the factor for what was summed before.
inline float softmax_step(PageScores& scores, std::int32_t tokens, float& maximum, float& sum) {
  for (std::int32_t i = tokens; i < kKvPageTokens; ++i) scores[i] = kNothing;
  float32x4_t top = vdupq_n_f32(maximum);
  for (int i = 0; i < kKvPageTokens; i += 4) top = vmaxq_f32(top, vld1q_f32(scores + i));
  const float next = vmaxvq_f32(top);
  float32x4_t total = vdupq_n_f32(0.0F);
  for (int i = 0; i < kKvPageTokens; i += 4) {
    const float32x4_t p = exp2(vsubq_f32(vld1q_f32(scores + i), vdupq_n_f32(next)));
    total = vaddq_f32(total, p);
    vst1q_f32(scores + i, p);
  }
  const float factor = vgetq_lane_f32(exp2(vdupq_n_f32(maximum - next)), 0);
  sum = sum * factor + vaddvq_f32(total);
  maximum = next;
  return factor;
}

// out[m] += probabilities[m] times 16 dimensions of the first `tokens` tokens' values.
template <class Format, int M>
void weigh_16(const std::byte* values, std::int32_t tokens, std::int32_t head_dim,
              const PageScores (&probabilities)[M], float* out) {
  Wide acc[M];
#pragma GCC unroll 4
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) acc[m].of[k] = vld1q_f32(out + m * head_dim + 4 * k);
  }
  const std::ptrdiff_t row_bytes = std::ptrdiff_t{head_dim} * Format::kBytes;
  for (std::int32_t i = 0; i < tokens; ++i, values += row_bytes) {
    const Wide value = Format::load(values);
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) {
        acc[m].of[k] = vfmaq_n_f32(acc[m].of[k], value.of[k], probabilities[m][i]);
      }
    }
  }
#pragma GCC unroll 4
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) vst1q_f32(out + m * head_dim + 4 * k, acc[m].of[k]);
  }
}

template <class Format, int M>
void attend_page(const AttentionRow& row, const std::byte* head, std::int32_t left,
                 RowState& state) {
  const std::int32_t tokens = left < kKvPageTokens ? left : kKvPageTokens;
  const std::byte* values = head + part_bytes<Format>(row.head_dim);
  const std::byte* value_scales = values + scales_at<Format>(row.head_dim);
  PageScores scores[M];
  for (std::int32_t token = 0; token < tokens; token += 16) {
    score_16<Format, M>(head, token, row.head_dim, state, scores);
  }
  for (int m = 0; m < M; ++m) {
    const float factor = softmax_step(scores[m], tokens, state.maximum[m], state.sum[m]);
    rescale(row.out + m * row.head_dim, row.head_dim, factor);
    if constexpr (Format::kScales) {
      for (int i = 0; i < kKvPageTokens; i += 4) {
        vst1q_f32(scores[m] + i, vmulq_f32(vld1q_f32(scores[m] + i), load_scales(value_scales, i)));
      }
    }
  }
  for (std::int32_t d = 0; d < row.head_dim; d += 16) {
    weigh_16<Format, M>(values + d * Format::kBytes, tokens, row.head_dim, scores, row.out + d);
  }
}

template <class Format>
void attend_rows(const AttentionRow* rows, std::int32_t count) {
  RowState states[kAttendRows];
  std::int32_t last = 0;
  for (std::int32_t r = 0; r < count; ++r) {
    start_row(rows[r], states[r]);
    last = rows[r].position > last ? rows[r].position : last;
  }
  for (std::int32_t page = 0; page <= last / kKvPageTokens; ++page) {
    const std::byte* head = rows[0].pages[page] + rows[0].head_offset;
    for (std::int32_t r = 0; r < count; ++r) {
      const std::int32_t left = rows[r].position + 1 - page * kKvPageTokens;
      if (left <= 0) continue;
      switch (rows[r].queries) {
        case 1:
          attend_page<Format, 1>(rows[r], head, left, states[r]);
          break;
        case 2:
          attend_page<Format, 2>(rows[r], head, left, states[r]);
          break;
        case 3:
          attend_page<Format, 3>(rows[r], head, left, states[r]);
          break;
        default:
          attend_page<Format, 4>(rows[r], head, left, states[r]);
          break;
      }
    }
  }
  for (std::int32_t r = 0; r < count; ++r) {
    for (int m = 0; m < rows[r].queries; ++m) {
      rescale(rows[r].out + m * rows[r].head_dim, rows[r].head_dim, 1.0F / states[r].sum[m]);
    }
  }
}

// Four numbers as halves.
inline void store_f16_4(const float* in, std::uint16_t* out) {
  vst1_u16(out, vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(in))));
}

void store_f16(std::byte* head, std::int32_t index, std::int32_t head_dim, const float* key,
               const float* value) {
  auto* keys = reinterpret_cast<std::uint16_t*>(head) + std::ptrdiff_t{index / 16} * head_dim * 16 +
               index % 16;
  auto* values = reinterpret_cast<std::uint16_t*>(head + part_bytes<F16>(head_dim)) +
                 std::ptrdiff_t{index} * head_dim;
  for (std::int32_t i = 0; i < head_dim; i += 4) {
    std::uint16_t k[4];
    store_f16_4(key + i, k);
    for (int j = 0; j < 4; ++j) keys[(i + j) * 16] = k[j];
    store_f16_4(value + i, values + i);
  }
}

// One vector in bytes with one scale, `step` bytes apart.
void store_bytes(const float* in, std::int32_t head_dim, std::byte* scale, std::byte* out,
                 std::ptrdiff_t step) {
  float32x4_t most = vdupq_n_f32(0.0F);
  for (std::int32_t i = 0; i < head_dim; i += 4) {
    most = vmaxq_f32(most, vabsq_f32(vld1q_f32(in + i)));
  }
  const float top = vmaxvq_f32(most);
  *reinterpret_cast<float*>(scale) = top / 127.0F;
  const float inverse = top > kSmallestTop ? 127.0F / top : 0.0F;
  for (std::int32_t i = 0; i < head_dim; i += 4) {
    std::int32_t q[4];
    vst1q_s32(q, vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(in + i), inverse)));
    for (int j = 0; j < 4; ++j) out[(i + j) * step] = static_cast<std::byte>(q[j]);
  }
}

}  // namespace

std::size_t kv_head_bytes(KvType type, std::int32_t head_dim) {
  const std::ptrdiff_t part =
      type == KvType::kF16 ? part_bytes<F16>(head_dim) : part_bytes<Q8>(head_dim);
  return 2 * static_cast<std::size_t>(part);
}

void kv_store(KvType type, std::byte* head, std::int32_t index, std::int32_t head_dim,
              const float* key, const float* value) {
  if (type == KvType::kF16) return store_f16(head, index, head_dim, key, value);
  const std::ptrdiff_t scales = scales_at<Q8>(head_dim) + std::ptrdiff_t{index} * 4;
  std::byte* values = head + part_bytes<Q8>(head_dim);
  store_bytes(key, head_dim, head + scales,
              head + std::ptrdiff_t{index / 16} * head_dim * 16 + index % 16, 16);
  store_bytes(value, head_dim, values + scales, values + std::ptrdiff_t{index} * head_dim, 1);
}

void attend(KvType type, const AttentionRow* rows, std::int32_t count) {
  if (type == KvType::kQ8_0) return attend_rows<Q8>(rows, count);
  attend_rows<F16>(rows, count);
}

}  // namespace notso::neon
