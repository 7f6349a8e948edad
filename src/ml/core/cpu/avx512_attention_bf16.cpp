// Attention with AVX-512 BF16. A page of 64 tokens of one head is
//   keys:   4 groups of 16 tokens, each [head_dim / 2][16 tokens] pairs of neighbouring dimensions,
//   values: [32 pairs of neighbouring tokens][head_dim] pairs,
// so that one `vdpbf16ps` multiplies a pair of dimensions of 16 tokens with a query's, and another
// a pair of tokens' probabilities with 16 dimensions: no shuffles, no sums across a register but
// those of the softmax.

#include <cstddef>
#include <cstdint>
#include <immintrin.h>

#include "ml/core/cpu/avx512.h"
#include "ml/core/cpu/avx512_attention.h"

namespace notso::avx512 {
namespace {

constexpr int kPairs = kKvPageTokens / 2;

inline std::size_t key_bytes(std::int32_t head_dim) {
  return static_cast<std::size_t>(kKvPageTokens) * static_cast<std::size_t>(head_dim) * 2;
}

inline __m512bh as_bf16(__m512i bits) { return reinterpret_cast<__m512bh>(bits); }

struct Bf16 {
  struct State {
    alignas(64) std::int32_t query[kMaxQueries][kMaxHeadDim / 2];  // pairs, scaled
  };

  static void load(const AttentionRow& row, State& state) {
    const __m512 scale = _mm512_set1_ps(query_scale(row.head_dim));
    for (int m = 0; m < row.queries; ++m) {
      const float* from = row.query + m * row.head_dim;
      for (int i = 0; i < row.head_dim; i += 16) {
        const __m512 x = _mm512_mul_ps(_mm512_loadu_ps(from + i), scale);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(&state.query[m][i / 2]),
                            reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x)));
      }
    }
  }

  template <int M>
  static void score(const AttentionRow& row, const std::byte* head, const State& state,
                    PageScores<M>& scores) {
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
      for (int g = 0; g < kTokenGroups; ++g) scores[m][g] = _mm512_setzero_ps();
    }
    const std::ptrdiff_t pairs = row.head_dim / 2;
    for (std::ptrdiff_t i = 0; i < pairs; ++i) {
      __m512i k[kTokenGroups];
#pragma GCC unroll 4
      for (int g = 0; g < kTokenGroups; ++g) {
        k[g] = _mm512_loadu_si512(head + (g * pairs + i) * 64);
      }
#pragma GCC unroll 4
      for (int m = 0; m < M; ++m) {
        const __m512i q = _mm512_set1_epi32(state.query[m][i]);
#pragma GCC unroll 4
        for (int g = 0; g < kTokenGroups; ++g) {
          scores[m][g] = _mm512_dpbf16_ps(scores[m][g], as_bf16(k[g]), as_bf16(q));
        }
      }
    }
  }

  // acc += pair i of probabilities times the pair of values that `mask` leaves.
  template <int M, int D>
  static void weigh_pair(const std::byte* values, __m512i mask,
                         const std::int32_t (&probabilities)[M][kPairs], int i,
                         __m512 (&acc)[M][D]) {
    __m512i v[D];
#pragma GCC unroll 4
    for (int d = 0; d < D; ++d) {
      v[d] = _mm512_and_si512(_mm512_loadu_si512(values + d * 64), mask);
    }
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) {
      const __m512i p = _mm512_set1_epi32(probabilities[m][i]);
#pragma GCC unroll 4
      for (int d = 0; d < D; ++d) {
        acc[m][d] = _mm512_dpbf16_ps(acc[m][d], as_bf16(v[d]), as_bf16(p));
      }
    }
  }

  template <int M, int D>
  static void weigh_part(const std::byte* values, std::int32_t head_dim, std::int32_t tokens,
                         const std::int32_t (&probabilities)[M][kPairs], float* out) {
    const std::ptrdiff_t step = std::ptrdiff_t{head_dim} * 4;
    __m512 acc[M][D];
    load_output<M, D>(out, head_dim, acc);
    for (int i = 0; i < tokens / 2; ++i) {
      weigh_pair(values + i * step, _mm512_set1_epi32(-1), probabilities, i, acc);
    }
    if (tokens % 2 != 0) {
      const int i = tokens / 2;
      weigh_pair(values + i * step, _mm512_set1_epi32(0xffff), probabilities, i, acc);
    }
    store_output<M, D>(acc, head_dim, out);
  }

  template <int M>
  static void weigh(const AttentionRow& row, const std::byte* head, std::int32_t tokens,
                    const PageScores<M>& scores) {
    alignas(64) std::int32_t probabilities[M][kPairs];
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) {
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        const __m512bh packed = _mm512_cvtne2ps_pbh(scores[m][2 * half + 1], scores[m][2 * half]);
        _mm512_store_si512(&probabilities[m][16 * half], reinterpret_cast<__m512i>(packed));
      }
    }
    const std::byte* values = head + key_bytes(row.head_dim);
    std::int32_t d = 0;
    for (; d + 64 <= row.head_dim; d += 64) {
      weigh_part<M, 4>(values + d * 4, row.head_dim, tokens, probabilities, row.out + d);
    }
    for (; d < row.head_dim; d += 16) {
      weigh_part<M, 1>(values + d * 4, row.head_dim, tokens, probabilities, row.out + d);
    }
  }
};

// The bits of 16 floats rounded to bf16.
inline void round_16(const float* in, std::uint16_t* out) {
  _mm256_store_si256(reinterpret_cast<__m256i*>(out),
                     reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_loadu_ps(in))));
}

}  // namespace

void kv_store_bf16(KvType type, std::byte* head, std::int32_t index, std::int32_t head_dim,
                   const float* key, const float* value) {
  if (type == KvType::kQ8_0) return kv_store(type, head, index, head_dim, key, value);
  auto* keys = reinterpret_cast<std::uint16_t*>(head) +
               static_cast<std::ptrdiff_t>(index / 16) * head_dim * 16 + index % 16 * 2;
  auto* values = reinterpret_cast<std::uint16_t*>(head + key_bytes(head_dim)) +
                 static_cast<std::ptrdiff_t>(index / 2) * head_dim * 2 + index % 2;
  alignas(32) std::uint16_t k[16];
  alignas(32) std::uint16_t v[16];
  for (std::int32_t i = 0; i < head_dim; i += 16) {
    round_16(key + i, k);
    round_16(value + i, v);
    for (int j = 0; j < 16; ++j) {
      keys[(i + j) / 2 * 32 + j % 2] = k[j];
      values[(i + j) * 2] = v[j];
    }
  }
}

void attend_bf16(KvType type, const AttentionRow* rows, std::int32_t count) {
  if (type == KvType::kQ8_0) return attend(type, rows, count);
  attend_rows<Bf16>(rows, count);
}

}  // namespace notso::avx512
