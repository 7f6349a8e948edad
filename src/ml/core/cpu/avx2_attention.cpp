// Attention with AVX2 over f16 and int8 pages. A page of 64 tokens of one head is, in f16,
//   keys:   4 groups of 16 tokens, each [head_dim][16 tokens],
//   values: head_dim / 16 slices, each [64 tokens][16 dimensions],
// and in int8, with one f32 scale a token for its key and one for its value,
//   keys:   4 groups of 16 tokens, each [head_dim / 2][16 tokens][2 dimensions], then 64 scales,
//   values: head_dim / 16 slices, each [32 pairs of tokens][16 dimensions][2 tokens], then 64
//   scales.
// So every pass reads its page strictly forwards. In f16 the products are f32. In int8 they are
// integers: the bytes are widened to 16 bits and multiplied with queries of 16 bits and
// probabilities (times the values' scales) of 15 bits.
//
// For each page a row's query keeps a running maximum, sum and weighted value (an online softmax).
// Pages are taken in order, and of a page only what holds tokens up to the row's position; so a
// row's result depends neither on the rows that share the call nor on bytes that nobody has stored.
// Several rows share a call so that a page is read once for all of them.

#include <cstddef>
#include <cstdint>
#include <immintrin.h>

#include "ml/core/cpu/avx2.h"
#include "ml/core/cpu/avx2_math.h"

namespace notso::avx2 {
namespace {

constexpr int kSlice = 16;  // tokens of a group of keys, dimensions of a slice of values
constexpr int kPairs = kKvPageTokens / 2;
constexpr float kLeastScore = -3.0e38F;

// Queries are scaled by this, so that scores are exponents of two.
inline float query_scale(std::int32_t head_dim) {
  const __m128 root = _mm_sqrt_ss(_mm_set_ss(static_cast<float>(head_dim)));
  return 1.44269504F / _mm_cvtss_f32(root);
}

// Offsets of a page's parts.
struct Layout {
  std::ptrdiff_t key_scales;
  std::ptrdiff_t values;
  std::ptrdiff_t value_scales;
};

inline Layout layout_of(KvType type, std::int32_t head_dim) {
  const std::ptrdiff_t elements = std::ptrdiff_t{kKvPageTokens} * head_dim;
  if (type == KvType::kF16) return {0, 2 * elements, 0};
  constexpr std::ptrdiff_t kScaleBytes = kKvPageTokens * sizeof(float);
  return {elements, elements + kScaleBytes, 2 * elements + kScaleBytes};
}

inline const float* floats_at(const std::byte* at) { return reinterpret_cast<const float*>(at); }

// Largest magnitude of `count` floats, a multiple of 8.
inline float largest(const float* in, std::int32_t count) {
  const __m256 sign = _mm256_set1_ps(-0.0F);
  __m256 top = _mm256_setzero_ps();
  for (std::int32_t i = 0; i < count; i += 8) {
    top = _mm256_max_ps(top, _mm256_andnot_ps(sign, _mm256_loadu_ps(in + i)));
  }
  return reduce_max(top);
}

// 16 floats times `inverse`, rounded, as 16-bit numbers.
inline __m256i to_words(const float* in, float inverse) {
  const __m256 by = _mm256_set1_ps(inverse);
  const __m256i a = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(in), by));
  const __m256i b = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(in + 8), by));
  return _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8);
}

// What a row's queries and its page's scores and probabilities look like in one call.
struct RowState {
  alignas(32) float query[kMaxQueries][kMaxHeadDim];             // f16 pages
  alignas(32) std::int32_t pairs[kMaxQueries][kMaxHeadDim / 2];  // int8 pages: two words
  float scale[kMaxQueries];                                      // of the pairs
  float maximum[kMaxQueries];
  float sum[kMaxQueries];
};
using PageScores = float[kMaxQueries][kKvPageTokens];

void load_queries(KvType type, const AttentionRow& row, RowState& state) {
  const float scale = query_scale(row.head_dim);
  for (int m = 0; m < row.queries; ++m) {
    const float* from = row.query + m * row.head_dim;
    if (type == KvType::kF16) {
      for (int i = 0; i < row.head_dim; i += 8) {
        _mm256_store_ps(state.query[m] + i,
                        _mm256_mul_ps(_mm256_loadu_ps(from + i), _mm256_set1_ps(scale)));
      }
      continue;
    }
    // 127 * 32767 * kMaxHeadDim stays below 2^31.
    const float top = largest(from, row.head_dim);
    const float inverse = top > 0.0F ? 32767.0F / top : 0.0F;
    state.scale[m] = top / 32767.0F * scale;
    for (int i = 0; i < row.head_dim; i += 16) {
      _mm256_store_si256(reinterpret_cast<__m256i*>(&state.pairs[m][i / 2]),
                         to_words(from + i, inverse));
    }
  }
}

// scores[m][16 g ..] = the queries times the f16 keys of the page's first groups.
template <int M>
void score_f16(const AttentionRow& row, const std::byte* keys, std::int32_t tokens,
               const RowState& state, PageScores& scores) {
  for (std::int32_t first = 0; first < tokens; first += kSlice) {
    __m256 acc[M][2];
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) acc[m][0] = acc[m][1] = _mm256_setzero_ps();
    for (std::ptrdiff_t i = 0; i < row.head_dim; ++i, keys += 2 * kSlice) {
      const __m256 k[2] = {load_halves(keys), load_halves(keys + kSlice)};
#pragma GCC unroll 4
      for (int m = 0; m < M; ++m) {
        const __m256 q = _mm256_set1_ps(state.query[m][i]);
        acc[m][0] = _mm256_fmadd_ps(k[0], q, acc[m][0]);
        acc[m][1] = _mm256_fmadd_ps(k[1], q, acc[m][1]);
      }
    }
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) {
      _mm256_store_ps(&scores[m][first], acc[m][0]);
      _mm256_store_ps(&scores[m][first + 8], acc[m][1]);
    }
  }
}

// 16 bytes as 16-bit numbers.
inline __m256i load_bytes(const std::byte* at) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
}

// acc[m] += `count` lines of 32 bytes at `lines` times the pairs [m][0 .. count).
template <int M>
inline void dot_pairs(const std::byte* lines, std::ptrdiff_t count, const std::int32_t* pairs,
                      std::ptrdiff_t stride, __m256i (&acc)[M][2]) {
#pragma GCC unroll 4
  for (int m = 0; m < M; ++m) acc[m][0] = acc[m][1] = _mm256_setzero_si256();
  for (std::ptrdiff_t i = 0; i < count; ++i, lines += 2 * kSlice) {
    const __m256i k[2] = {load_bytes(lines), load_bytes(lines + kSlice)};
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) {
      const __m256i q = _mm256_set1_epi32(pairs[m * stride + i]);
      acc[m][0] = _mm256_add_epi32(acc[m][0], _mm256_madd_epi16(k[0], q));
      acc[m][1] = _mm256_add_epi32(acc[m][1], _mm256_madd_epi16(k[1], q));
    }
  }
}

// The same for int8 keys.
template <int M>
void score_q8(const AttentionRow& row, const std::byte* keys, const float* scales,
              std::int32_t tokens, const RowState& state, PageScores& scores) {
  for (std::int32_t first = 0; first < tokens; first += kSlice) {
    __m256i acc[M][2];
    dot_pairs<M>(keys, row.head_dim / 2, state.pairs[0], kMaxHeadDim / 2, acc);
    keys += std::ptrdiff_t{kSlice} * row.head_dim;
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const std::int32_t at = first + 8 * half;
      const __m256 scale = _mm256_loadu_ps(scales + at);
#pragma GCC unroll 4
      for (int m = 0; m < M; ++m) {
        const __m256 by = _mm256_mul_ps(scale, _mm256_set1_ps(state.scale[m]));
        _mm256_store_ps(&scores[m][at], _mm256_mul_ps(_mm256_cvtepi32_ps(acc[m][half]), by));
      }
    }
  }
}

// Turns the scores of the page's first `tokens` tokens into probabilities relative to the new
// maximum (the others into zero), brings sum and maximum up to date, and returns the factor for
// what was summed before.
inline float softmax_step(float (&scores)[kKvPageTokens], std::int32_t tokens, float& maximum,
                          float& sum) {
  const __m256 nothing = _mm256_set1_ps(kLeastScore);
  __m256 top = nothing;
  for (std::int32_t i = 0; i < kKvPageTokens; i += 8) {
    const __m256 mask = _mm256_castsi256_ps(tail_mask(tokens - i));
    const __m256 score = _mm256_blendv_ps(nothing, _mm256_load_ps(scores + i), mask);
    _mm256_store_ps(scores + i, score);
    top = _mm256_max_ps(top, score);
  }
  const float highest = reduce_max(top);
  const float next = highest > maximum ? highest : maximum;
  __m256 total = _mm256_setzero_ps();
  for (std::int32_t i = 0; i < kKvPageTokens; i += 8) {
    const __m256 p = exp2(_mm256_sub_ps(_mm256_load_ps(scores + i), _mm256_set1_ps(next)));
    _mm256_store_ps(scores + i, p);
    total = _mm256_add_ps(total, p);
  }
  const float factor = _mm256_cvtss_f32(exp2(_mm256_set1_ps(maximum - next)));
  sum = sum * factor + reduce_add(total);
  maximum = next;
  return factor;
}

// out[m][d] += the probabilities times the f16 values of the page's first tokens.
template <int M>
void weigh_f16(const AttentionRow& row, const std::byte* values, std::int32_t tokens,
               const PageScores& probabilities) {
  for (std::int32_t d = 0; d < row.head_dim; d += kSlice, values += kKvPageTokens * kSlice * 2) {
    __m256 acc[M][2];
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) {
      acc[m][0] = _mm256_loadu_ps(row.out + m * row.head_dim + d);
      acc[m][1] = _mm256_loadu_ps(row.out + m * row.head_dim + d + 8);
    }
    for (std::ptrdiff_t i = 0; i < tokens; ++i) {
      const std::byte* at = values + i * kSlice * 2;
      const __m256 v[2] = {load_halves(at), load_halves(at + 16)};
#pragma GCC unroll 4
      for (int m = 0; m < M; ++m) {
        const __m256 p = _mm256_set1_ps(probabilities[m][i]);
        acc[m][0] = _mm256_fmadd_ps(v[0], p, acc[m][0]);
        acc[m][1] = _mm256_fmadd_ps(v[1], p, acc[m][1]);
      }
    }
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) {
      _mm256_storeu_ps(row.out + m * row.head_dim + d, acc[m][0]);
      _mm256_storeu_ps(row.out + m * row.head_dim + d + 8, acc[m][1]);
    }
  }
}

// The same for int8 values.
template <int M>
void weigh_q8(const AttentionRow& row, const std::byte* values, const float* scales,
              std::int32_t tokens, const PageScores& probabilities) {
  alignas(32) std::int32_t pairs[M][kPairs];
  float units[M];
  for (int m = 0; m < M; ++m) {
    alignas(32) float scaled[kKvPageTokens];
    for (std::int32_t i = 0; i < kKvPageTokens; i += 8) {
      const __m256 scale = _mm256_maskload_ps(scales + i, tail_mask(tokens - i));
      _mm256_store_ps(scaled + i, _mm256_mul_ps(_mm256_load_ps(&probabilities[m][i]), scale));
    }
    const float most = largest(scaled, kKvPageTokens);
    const float inverse = most > 0.0F ? 16383.0F / most : 0.0F;
    units[m] = most / 16383.0F;
    for (std::int32_t i = 0; i < kKvPageTokens; i += 16) {
      _mm256_store_si256(reinterpret_cast<__m256i*>(&pairs[m][i / 2]),
                         to_words(scaled + i, inverse));
    }
  }
  for (std::int32_t d = 0; d < row.head_dim; d += kSlice, values += kKvPageTokens * kSlice) {
    __m256i acc[M][2];
    dot_pairs<M>(values, (tokens + 1) / 2, pairs[0], kPairs, acc);
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) {
      float* to = row.out + m * row.head_dim + d;
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        _mm256_storeu_ps(to + 8 * half,
                         _mm256_fmadd_ps(_mm256_cvtepi32_ps(acc[m][half]), _mm256_set1_ps(units[m]),
                                         _mm256_loadu_ps(to + 8 * half)));
      }
    }
  }
}

// values[0 .. count) *= factor; count is a multiple of 8.
inline void rescale(float* values, std::int32_t count, float factor) {
  if (factor == 1.0F) return;
  const __m256 by = _mm256_set1_ps(factor);
  for (std::int32_t i = 0; i < count; i += 8) {
    _mm256_storeu_ps(values + i, _mm256_mul_ps(_mm256_loadu_ps(values + i), by));
  }
}

template <int M>
void attend_page(KvType type, const AttentionRow& row, const std::byte* head, std::int32_t tokens,
                 RowState& state) {
  const Layout layout = layout_of(type, row.head_dim);
  alignas(32) PageScores scores = {};
  if (type == KvType::kF16) {
    score_f16<M>(row, head, tokens, state, scores);
  } else {
    score_q8<M>(row, head, floats_at(head + layout.key_scales), tokens, state, scores);
  }
  for (int m = 0; m < M; ++m) {
    const float factor = softmax_step(scores[m], tokens, state.maximum[m], state.sum[m]);
    rescale(row.out + m * row.head_dim, row.head_dim, factor);
  }
  if (type == KvType::kF16) {
    weigh_f16<M>(row, head + layout.values, tokens, scores);
  } else {
    weigh_q8<M>(row, head + layout.values, floats_at(head + layout.value_scales), tokens, scores);
  }
}

void store_f16(std::byte* head, std::int32_t index, std::int32_t head_dim, const float* key,
               const float* value) {
  auto* keys = reinterpret_cast<std::uint16_t*>(head) +
               std::ptrdiff_t{index / kSlice} * head_dim * kSlice + index % kSlice;
  std::byte* values = head + layout_of(KvType::kF16, head_dim).values + index * kSlice * 2;
  for (std::int32_t i = 0; i < head_dim; i += 8) {
    alignas(16) std::uint16_t k[8];
    _mm_store_si128(reinterpret_cast<__m128i*>(k),
                    _mm256_cvtps_ph(_mm256_loadu_ps(key + i), _MM_FROUND_TO_NEAREST_INT));
    for (int j = 0; j < 8; ++j) keys[(i + j) * kSlice] = k[j];
    std::byte* to =
        values + std::ptrdiff_t{i / kSlice} * kKvPageTokens * kSlice * 2 + i % kSlice * 2;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                     _mm256_cvtps_ph(_mm256_loadu_ps(value + i), _MM_FROUND_TO_NEAREST_INT));
  }
}

// Quantises `count` floats to bytes -127..127 and returns their scale.
inline float to_bytes(const float* in, std::int32_t count, std::int8_t* out) {
  const float top = largest(in, count);
  const float inverse = top > 0.0F ? 127.0F / top : 0.0F;
  for (std::int32_t i = 0; i < count; i += 16) {
    const __m256i words = _mm256_max_epi16(to_words(in + i, inverse), _mm256_set1_epi16(-127));
    _mm_store_si128(
        reinterpret_cast<__m128i*>(out + i),
        _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
  }
  return top / 127.0F;
}

void store_q8(std::byte* head, std::int32_t index, std::int32_t head_dim, const float* key,
              const float* value) {
  const Layout layout = layout_of(KvType::kQ8_0, head_dim);
  alignas(16) std::int8_t k[kMaxHeadDim];
  alignas(16) std::int8_t v[kMaxHeadDim];
  reinterpret_cast<float*>(head + layout.key_scales)[index] = to_bytes(key, head_dim, k);
  reinterpret_cast<float*>(head + layout.value_scales)[index] = to_bytes(value, head_dim, v);
  auto* keys = reinterpret_cast<std::int8_t*>(head) +
               std::ptrdiff_t{index / kSlice} * head_dim * kSlice + index % kSlice * 2;
  auto* values =
      reinterpret_cast<std::int8_t*>(head + layout.values) + index / 2 * kSlice * 2 + index % 2;
  for (std::int32_t i = 0; i < head_dim; ++i) {
    keys[i / 2 * kSlice * 2 + i % 2] = k[i];
    values[i / kSlice * kKvPageTokens * kSlice + i % kSlice * 2] = v[i];
  }
}

void start_row(KvType type, const AttentionRow& row, RowState& state) {
  load_queries(type, row, state);
  for (int m = 0; m < row.queries; ++m) {
    state.maximum[m] = kLeastScore;
    state.sum[m] = 0.0F;
  }
  for (std::int32_t i = 0; i < row.queries * row.head_dim; i += 8) {
    _mm256_storeu_ps(row.out + i, _mm256_setzero_ps());
  }
}

}  // namespace

std::size_t kv_head_bytes(KvType type, std::int32_t head_dim) {
  const Layout layout = layout_of(type, head_dim);
  return 2 * static_cast<std::size_t>(layout.values);
}

void kv_store(KvType type, std::byte* head, std::int32_t index, std::int32_t head_dim,
              const float* key, const float* value) {
  if (type == KvType::kQ8_0) return store_q8(head, index, head_dim, key, value);
  store_f16(head, index, head_dim, key, value);
}

void attend(KvType type, const AttentionRow* rows, std::int32_t count) {
  RowState states[kAttendRows];
  std::int32_t last = 0;
  for (std::int32_t r = 0; r < count; ++r) {
    start_row(type, rows[r], states[r]);
    last = rows[r].position > last ? rows[r].position : last;
  }
  for (std::int32_t page = 0; page <= last / kKvPageTokens; ++page) {
    const std::byte* head = rows[0].pages[page] + rows[0].head_offset;
    for (std::int32_t r = 0; r < count; ++r) {
      const std::int32_t left = rows[r].position + 1 - page * kKvPageTokens;
      const std::int32_t tokens = left < kKvPageTokens ? left : kKvPageTokens;
      if (tokens <= 0) continue;
      switch (rows[r].queries) {
        case 1:
          attend_page<1>(type, rows[r], head, tokens, states[r]);
          break;
        case 2:
          attend_page<2>(type, rows[r], head, tokens, states[r]);
          break;
        case 3:
          attend_page<3>(type, rows[r], head, tokens, states[r]);
          break;
        default:
          attend_page<4>(type, rows[r], head, tokens, states[r]);
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

}  // namespace notso::avx2
