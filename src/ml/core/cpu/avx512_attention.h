// Attention with AVX-512, whatever the format of the keys and values.
//
// For each page a row's query keeps a running maximum, sum and weighted value (an online softmax).
// Pages are taken in order; tokens behind the row's position get probability zero, and their values
// are not touched, since they may be anything, not a number too. So a row's result depends neither
// on the rows that share the call nor on bytes that nobody has stored. Several rows share a call so
// that a page is read once for all of them.
//
// A Format has a State (one row's queries, ready to multiply) and four functions:
//   void load(row, state)                                  prepares the queries
//   void score<M>(row, head, state, scores)                scores[m][g] = query m times the keys of
//   16 tokens
//   void weigh<M>(row, head, tokens, probabilities)        the row's output += probabilities times
//   the values of the page's first tokens
// Everything here has internal linkage: see kernel_table.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <immintrin.h>

#include "ml/core/cpu/avx512_math.h"
#include "ml/core/cpu/kernel_table.h"

namespace notso::avx512 {
namespace {

constexpr int kTokenGroups = kKvPageTokens / 16;

// One 64-token page of scores or probabilities of M queries.
template <int M>
using PageScores = __m512[M][kTokenGroups];

// 1 / sqrt(head_dim), and in powers of two, which the softmax uses.
inline float query_scale(std::int32_t head_dim) {
  const __m128 root = _mm_sqrt_ss(_mm_set_ss(static_cast<float>(head_dim)));
  return 1.44269504F / _mm_cvtss_f32(root);
}

// Turns the scores of the page's first `tokens` tokens into probabilities relative to the new
// maximum (the others into zero), brings sum and maximum up to date, and returns the factor for
// what was summed before.
inline float softmax_step(__m512 (&scores)[kTokenGroups], std::int32_t tokens, float& maximum,
                          float& sum) {
  const __m512 nothing = _mm512_set1_ps(-3.0e38F);
#pragma GCC unroll 4
  for (int g = 0; g < kTokenGroups; ++g) {
    const std::int32_t left = tokens - 16 * g;
    scores[g] = _mm512_mask_mov_ps(nothing, tail_mask(left > 0 ? left : 0), scores[g]);
  }
  const float top = _mm512_reduce_max_ps(
      _mm512_max_ps(_mm512_max_ps(scores[0], scores[1]), _mm512_max_ps(scores[2], scores[3])));
  const float next = top > maximum ? top : maximum;
  const __m512 base = _mm512_set1_ps(next);
#pragma GCC unroll 4
  for (int g = 0; g < kTokenGroups; ++g) scores[g] = exp2(_mm512_sub_ps(scores[g], base));
  const float factor = _mm512_cvtss_f32(exp2(_mm512_set1_ps(maximum - next)));
  sum = sum * factor + _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(scores[0], scores[1]),
                                                          _mm512_add_ps(scores[2], scores[3])));
  maximum = next;
  return factor;
}

// values[0 .. count) *= factor; count is a multiple of 16.
inline void rescale(float* values, std::int32_t count, float factor) {
  if (factor == 1.0F) return;
  const __m512 by = _mm512_set1_ps(factor);
  for (std::int32_t i = 0; i < count; i += 16) {
    _mm512_storeu_ps(values + i, _mm512_mul_ps(_mm512_loadu_ps(values + i), by));
  }
}

// Running state of one row.
template <class Format>
struct RowState {
  typename Format::State queries;
  float maximum[kMaxQueries];
  float sum[kMaxQueries];
};

// Loads a row's queries; clears its running state and its output.
template <class Format>
void start_row(const AttentionRow& row, RowState<Format>& state) {
  Format::load(row, state.queries);
  for (int m = 0; m < row.queries; ++m) {
    state.maximum[m] = -3.0e38F;
    state.sum[m] = 0.0F;
  }
  for (std::int32_t i = 0; i < row.queries * row.head_dim; i += 16) {
    _mm512_storeu_ps(row.out + i, _mm512_setzero_ps());
  }
}

// Takes the first `tokens` tokens of one page into the running softmax and output of a row of M
// queries.
template <class Format, int M>
void attend_page(const AttentionRow& row, const std::byte* head, std::int32_t tokens,
                 RowState<Format>& state) {
  PageScores<M> scores;
  Format::template score<M>(row, head, state.queries, scores);
#pragma GCC unroll 4
  for (int m = 0; m < M; ++m) {
    const float factor = softmax_step(scores[m], tokens, state.maximum[m], state.sum[m]);
    rescale(row.out + m * row.head_dim, row.head_dim, factor);
  }
  Format::template weigh<M>(row, head, tokens, scores);
}

// The whole attention of `count` rows over their pages.
template <class Format>
void attend_rows(const AttentionRow* rows, std::int32_t count) {
  RowState<Format> states[kAttendRows];
  std::int32_t last = 0;
  for (std::int32_t r = 0; r < count; ++r) {
    start_row<Format>(rows[r], states[r]);
    last = rows[r].position > last ? rows[r].position : last;
  }
  for (std::int32_t page = 0; page <= last / kKvPageTokens; ++page) {
    const std::byte* head = rows[0].pages[page] + rows[0].head_offset;
    for (std::int32_t r = 0; r < count; ++r) {
      const std::int32_t left = rows[r].position + 1 - page * kKvPageTokens;
      if (left <= 0) continue;
      const std::int32_t tokens = left < kKvPageTokens ? left : kKvPageTokens;
      switch (rows[r].queries) {
        case 1:
          attend_page<Format, 1>(rows[r], head, tokens, states[r]);
          break;
        case 2:
          attend_page<Format, 2>(rows[r], head, tokens, states[r]);
          break;
        case 3:
          attend_page<Format, 3>(rows[r], head, tokens, states[r]);
          break;
        default:
          attend_page<Format, 4>(rows[r], head, tokens, states[r]);
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

// acc[m][d] over D * 16 dimensions of the output, for M queries.
template <int M, int D>
inline void load_output(const float* out, std::int32_t head_dim, __m512 (&acc)[M][D]) {
#pragma GCC unroll 4
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int d = 0; d < D; ++d) acc[m][d] = _mm512_loadu_ps(out + m * head_dim + 16 * d);
  }
}

// The reverse of load_output.
template <int M, int D>
inline void store_output(const __m512 (&acc)[M][D], std::int32_t head_dim, float* out) {
#pragma GCC unroll 4
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int d = 0; d < D; ++d) _mm512_storeu_ps(out + m * head_dim + 16 * d, acc[m][d]);
  }
}

}  // namespace
}  // namespace notso::avx512
