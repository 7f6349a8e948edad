// Attention with AVX-512 over f16 and int8 pages. A page of 64 tokens of one head is, in f16,
//   keys:   4 groups of 16 tokens, each [head_dim][16 tokens],
//   values: [64 tokens][head_dim],
// and in int8, with one f32 scale a token for its key and one for its value,
//   keys:   4 groups of 16 tokens, each [head_dim / 4][16 tokens][4 dimensions] bytes k + 128; then
//   64 scales, values: [32 pairs of tokens][head_dim][2 tokens] bytes; then 64 scales.
// In int8 both products are integers: queries are int8, probabilities (times the values' scales) 15
// bits.

#include "ml/core/cpu/avx512_attention.h"

#include <cstddef>
#include <cstdint>
#include <immintrin.h>

#include "ml/core/cpu/avx512.h"

namespace notso::avx512 {
namespace {

constexpr int kPairs = kKvPageTokens / 2;

inline std::ptrdiff_t page_elements(std::int32_t head_dim) {
  return std::ptrdiff_t{kKvPageTokens} * head_dim;
}

inline __m512 load_halves(const std::byte* at) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
}

struct F16 {
  struct State {
    alignas(64) float query[kMaxQueries][kMaxHeadDim];
  };

  static void load(const AttentionRow& row, State& state) {
    const __m512 scale = _mm512_set1_ps(query_scale(row.head_dim));
    for (int m = 0; m < row.queries; ++m) {
      const float* from = row.query + m * row.head_dim;
      for (int i = 0; i < row.head_dim; i += 16) {
        _mm512_storeu_ps(state.query[m] + i, _mm512_mul_ps(_mm512_loadu_ps(from + i), scale));
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
    const std::ptrdiff_t dims = row.head_dim;
    for (std::ptrdiff_t i = 0; i < dims; ++i) {
      __m512 k[kTokenGroups];
#pragma GCC unroll 4
      for (int g = 0; g < kTokenGroups; ++g) k[g] = load_halves(head + (g * dims + i) * 32);
#pragma GCC unroll 4
      for (int m = 0; m < M; ++m) {
        const __m512 q = _mm512_set1_ps(state.query[m][i]);
#pragma GCC unroll 4
        for (int g = 0; g < kTokenGroups; ++g) {
          scores[m][g] = _mm512_fmadd_ps(k[g], q, scores[m][g]);
        }
      }
    }
  }

  template <int M, int D>
  static void weigh_part(const std::byte* values, std::int32_t head_dim, std::int32_t tokens,
                         const float (&probabilities)[M][kKvPageTokens], float* out) {
    __m512 acc[M][D];
    load_output<M, D>(out, head_dim, acc);
    for (int i = 0; i < tokens; ++i, values += std::ptrdiff_t{head_dim} * 2) {
      __m512 v[D];
#pragma GCC unroll 4
      for (int d = 0; d < D; ++d) v[d] = load_halves(values + d * 32);
#pragma GCC unroll 4
      for (int m = 0; m < M; ++m) {
        const __m512 p = _mm512_set1_ps(probabilities[m][i]);
#pragma GCC unroll 4
        for (int d = 0; d < D; ++d) acc[m][d] = _mm512_fmadd_ps(v[d], p, acc[m][d]);
      }
    }
    store_output<M, D>(acc, head_dim, out);
  }

  template <int M>
  static void weigh(const AttentionRow& row, const std::byte* head, std::int32_t tokens,
                    const PageScores<M>& scores) {
    alignas(64) float probabilities[M][kKvPageTokens];
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
      for (int g = 0; g < kTokenGroups; ++g) {
        _mm512_store_ps(&probabilities[m][16 * g], scores[m][g]);
      }
    }
    const std::byte* values = head + page_elements(row.head_dim) * 2;
    std::int32_t d = 0;
    for (; d + 64 <= row.head_dim; d += 64) {
      weigh_part<M, 4>(values + d * 2, row.head_dim, tokens, probabilities, row.out + d);
    }
    for (; d < row.head_dim; d += 16) {
      weigh_part<M, 1>(values + d * 2, row.head_dim, tokens, probabilities, row.out + d);
    }
  }
};

// Offsets inside an int8 page of one head.
struct Q8Layout {
  std::ptrdiff_t key_scales;
  std::ptrdiff_t values;
  std::ptrdiff_t value_scales;
};

inline Q8Layout q8_layout(std::int32_t head_dim) {
  const std::ptrdiff_t elements = page_elements(head_dim);
  constexpr std::ptrdiff_t kScaleBytes = kKvPageTokens * sizeof(float);
  return {elements, elements + kScaleBytes, 2 * elements + kScaleBytes};
}

inline __m512 load_floats(const std::byte* at) { return _mm512_loadu_ps(at); }

// Largest magnitude of `count` floats (a multiple of 16).
inline float largest(const float* in, std::int32_t count) {
  __m512 top = _mm512_setzero_ps();
  for (std::int32_t i = 0; i < count; i += 16) {
    top = _mm512_max_ps(top, _mm512_abs_ps(_mm512_loadu_ps(in + i)));
  }
  return _mm512_reduce_max_ps(top);
}

// 16 floats times `inverse`, rounded, as bytes -127..127.
inline __m128i to_bytes(const float* in, float inverse) {
  const __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(in), _mm512_set1_ps(inverse)));
  return _mm512_cvtsepi32_epi8(_mm512_max_epi32(q, _mm512_set1_epi32(-127)));
}

struct Q8 {
  struct State {
    alignas(64) std::int32_t query[kMaxQueries][kMaxHeadDim / 4];  // four bytes a word
    float scale[kMaxQueries];
    std::int32_t offset[kMaxQueries];  // what the keys' offset of 128 adds to every sum
  };

  static void load(const AttentionRow& row, State& state) {
    const float scale = query_scale(row.head_dim);
    for (int m = 0; m < row.queries; ++m) {
      const float* from = row.query + m * row.head_dim;
      const float top = largest(from, row.head_dim);
      const float inverse = top > 0.0F ? 127.0F / top : 0.0F;
      __m512i sum = _mm512_setzero_si512();
      for (int i = 0; i < row.head_dim; i += 16) {
        const __m128i bytes = to_bytes(from + i, inverse);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(&state.query[m][i / 4]), bytes);
        sum = _mm512_add_epi32(sum, _mm512_cvtepi8_epi32(bytes));
      }
      state.scale[m] = top / 127.0F * scale;
      state.offset[m] = -128 * _mm512_reduce_add_epi32(sum);
    }
  }

  template <int M>
  static void score(const AttentionRow& row, const std::byte* head, const State& state,
                    PageScores<M>& scores) {
    __m512i acc[M][kTokenGroups];
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
      for (int g = 0; g < kTokenGroups; ++g) acc[m][g] = _mm512_set1_epi32(state.offset[m]);
    }
    const std::ptrdiff_t quads = row.head_dim / 4;
    for (std::ptrdiff_t i = 0; i < quads; ++i) {
      __m512i k[kTokenGroups];
#pragma GCC unroll 4
      for (int g = 0; g < kTokenGroups; ++g) {
        k[g] = _mm512_loadu_si512(head + (g * quads + i) * 64);
      }
#pragma GCC unroll 4
      for (int m = 0; m < M; ++m) {
        const __m512i q = _mm512_set1_epi32(state.query[m][i]);
#pragma GCC unroll 4
        for (int g = 0; g < kTokenGroups; ++g) {
          acc[m][g] = _mm512_dpbusd_epi32(acc[m][g], k[g], q);
        }
      }
    }
    const std::byte* scales = head + q8_layout(row.head_dim).key_scales;
#pragma GCC unroll 4
    for (int g = 0; g < kTokenGroups; ++g) {
      const __m512 scale = load_floats(scales + g * 64);
#pragma GCC unroll 4
      for (int m = 0; m < M; ++m) {
        scores[m][g] = _mm512_mul_ps(_mm512_cvtepi32_ps(acc[m][g]),
                                     _mm512_mul_ps(scale, _mm512_set1_ps(state.scale[m])));
      }
    }
  }

  template <int M>
  static void weigh_part(const std::byte* values, std::int32_t head_dim, std::int32_t tokens,
                         const std::int32_t (&pairs)[M][kPairs], const float (&units)[M],
                         float* out) {
    __m512i acc[M];
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) acc[m] = _mm512_setzero_si512();
    for (int i = 0; i < (tokens + 1) / 2; ++i, values += std::ptrdiff_t{head_dim} * 2) {
      const __m512i v =
          _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(values)));
#pragma GCC unroll 4
      for (int m = 0; m < M; ++m) {
        acc[m] = _mm512_dpwssd_epi32(acc[m], v, _mm512_set1_epi32(pairs[m][i]));
      }
    }
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) {
      float* to = out + m * head_dim;
      _mm512_storeu_ps(to, _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc[m]), _mm512_set1_ps(units[m]),
                                           _mm512_loadu_ps(to)));
    }
  }

  template <int M>
  static void weigh(const AttentionRow& row, const std::byte* head, std::int32_t tokens,
                    const PageScores<M>& scores) {
    const Q8Layout layout = q8_layout(row.head_dim);
    alignas(64) std::int32_t pairs[M][kPairs];
    float units[M];
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) {
      __m512 scaled[kTokenGroups];
      __m512 top = _mm512_setzero_ps();
#pragma GCC unroll 4
      for (int g = 0; g < kTokenGroups; ++g) {
        const std::int32_t left = tokens - 16 * g;
        const __m512 scales = _mm512_maskz_loadu_ps(tail_mask(left > 0 ? left : 0),
                                                    head + layout.value_scales + g * 64);
        scaled[g] = _mm512_mul_ps(scores[m][g], scales);
        top = _mm512_max_ps(top, scaled[g]);
      }
      const float most = _mm512_reduce_max_ps(top);
      const __m512 inverse = _mm512_set1_ps(most > 0.0F ? 16383.0F / most : 0.0F);
      units[m] = most / 16383.0F;
#pragma GCC unroll 4
      for (int g = 0; g < kTokenGroups; ++g) {
        const __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(scaled[g], inverse));
        _mm256_store_si256(reinterpret_cast<__m256i*>(&pairs[m][8 * g]), _mm512_cvtsepi32_epi16(q));
      }
    }
    for (std::int32_t d = 0; d < row.head_dim; d += 16) {
      weigh_part<M>(head + layout.values + d * 2, row.head_dim, tokens, pairs, units, row.out + d);
    }
  }

  static void store(std::byte* head, std::int32_t index, std::int32_t head_dim, const float* key,
                    const float* value) {
    const Q8Layout layout = q8_layout(head_dim);
    auto* keys = reinterpret_cast<std::uint8_t*>(head) +
                 std::ptrdiff_t{index / 16} * head_dim * 16 + index % 16 * 4;
    auto* values = reinterpret_cast<std::int8_t*>(head + layout.values) +
                   std::ptrdiff_t{index / 2} * head_dim * 2 + index % 2;
    const float key_top = largest(key, head_dim);
    const float value_top = largest(value, head_dim);
    reinterpret_cast<float*>(head + layout.key_scales)[index] = key_top / 127.0F;
    reinterpret_cast<float*>(head + layout.value_scales)[index] = value_top / 127.0F;
    alignas(16) std::int8_t k[16];
    alignas(16) std::int8_t v[16];
    for (std::int32_t i = 0; i < head_dim; i += 16) {
      _mm_store_si128(reinterpret_cast<__m128i*>(k),
                      to_bytes(key + i, key_top > 0.0F ? 127.0F / key_top : 0.0F));
      _mm_store_si128(reinterpret_cast<__m128i*>(v),
                      to_bytes(value + i, value_top > 0.0F ? 127.0F / value_top : 0.0F));
      for (int j = 0; j < 16; ++j) {
        keys[(i + j) / 4 * 64 + j % 4] = static_cast<std::uint8_t>(k[j] + 128);
        values[(i + j) * 2] = v[j];
      }
    }
  }
};

// 16 floats rounded to f16.
inline void round_16(const float* in, std::uint16_t* out) {
  _mm256_store_si256(reinterpret_cast<__m256i*>(out),
                     _mm512_cvtps_ph(_mm512_loadu_ps(in), _MM_FROUND_TO_NEAREST_INT));
}

void store_f16(std::byte* head, std::int32_t index, std::int32_t head_dim, const float* key,
               const float* value) {
  auto* keys = reinterpret_cast<std::uint16_t*>(head) + std::ptrdiff_t{index / 16} * head_dim * 16 +
               index % 16;
  auto* values = reinterpret_cast<std::uint16_t*>(head) + page_elements(head_dim) +
                 std::ptrdiff_t{index} * head_dim;
  alignas(32) std::uint16_t k[16];
  alignas(32) std::uint16_t v[16];
  for (std::int32_t i = 0; i < head_dim; i += 16) {
    round_16(key + i, k);
    round_16(value + i, v);
    for (int j = 0; j < 16; ++j) {
      keys[(i + j) * 16] = k[j];
      values[i + j] = v[j];
    }
  }
}

}  // namespace

std::size_t kv_head_bytes(KvType type, std::int32_t head_dim) {
  const auto elements = static_cast<std::size_t>(page_elements(head_dim));
  if (type == KvType::kF16) return 4 * elements;
  return 2 * (elements + kKvPageTokens * sizeof(float));
}

void kv_store(KvType type, std::byte* head, std::int32_t index, std::int32_t head_dim,
              const float* key, const float* value) {
  if (type == KvType::kQ8_0) return Q8::store(head, index, head_dim, key, value);
  store_f16(head, index, head_dim, key, value);
}

void attend(KvType type, const AttentionRow* rows, std::int32_t count) {
  if (type == KvType::kQ8_0) return attend_rows<Q8>(rows, count);
  attend_rows<F16>(rows, count);
}

}  // namespace notso::avx512
