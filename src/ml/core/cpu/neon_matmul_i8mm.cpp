// Matrix products with `smmla`, which adds eight products to each of two by two sums. Tiles of one
// and three tokens leave half an instruction idle, so they take `sdot`; the sums are the same.

#include "ml/core/cpu/neon.h"
#include "ml/core/cpu/neon_matmul.h"

namespace notso::neon {
namespace {

template <int T>
struct I8mmLanes {
  static_assert(T == 2 || T == 4);
  static constexpr int kTokens = T;

  static int32x4_t rows(int32x4_t of_rows, int u) {
    return u % 2 == 0 ? vzip1q_s32(of_rows, of_rows) : vzip2q_s32(of_rows, of_rows);
  }
  static float32x4_t rows(float32x4_t of_rows, int u) {
    return u % 2 == 0 ? vzip1q_f32(of_rows, of_rows) : vzip2q_f32(of_rows, of_rows);
  }
  static int32x4_t tokens(const std::int32_t* words, int u) {
    const int32x2_t two = vld1_s32(words + u / 2 * 2);
    return vcombine_s32(two, two);
  }

  // Two quads of four rows as two matrices of two rows by eight columns.
  static int8x16_t zip(int8x16_t even, int8x16_t odd, int half) {
    const int32x4_t a = vreinterpretq_s32_s8(even);
    const int32x4_t b = vreinterpretq_s32_s8(odd);
    return vreinterpretq_s8_s32(half == 0 ? vzip1q_s32(a, b) : vzip2q_s32(a, b));
  }

  static void multiply(const Quad& even, const Quad& odd, const std::int8_t* q, Sums<T>& sums) {
    int8x16_t x[T / 2];
    const int8x16_t first = vld1q_s8(q);
    if constexpr (T == 2) {
      x[0] = zip(first, vextq_s8(first, first, 8), 0);
    } else {
      const int8x16_t second = vld1q_s8(q + 16);
      x[0] = zip(first, second, 0);
      x[1] = zip(first, second, 1);
    }
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        const int8x16_t w = zip(even.rows[k], odd.rows[k], half);
#pragma GCC unroll 2
        for (int i = 0; i < T / 2; ++i) {
          int32x4_t& sum = sums.of[2 * i + half][k];
          sum = vmmlaq_s32(sum, w, x[i]);
        }
      }
    }
  }

  static void to_rows(float32x4_t (&sums)[T][4]) {
    for (int u = 0; u < T; u += 2) {
      for (int k = 0; k < 4; ++k) {
        const float32x4_t upper = sums[u][k];
        const float32x4_t lower = sums[u + 1][k];
        sums[u][k] = vuzp1q_f32(upper, lower);
        sums[u + 1][k] = vuzp2q_f32(upper, lower);
      }
    }
  }
};

}  // namespace

void matmul_i8mm(const PanelView& weights, std::int64_t first_panel, std::int32_t panels,
                 const TileView& tile, float* out, std::int64_t stride, bool add) {
  switch (tile.rows) {
    case 1:
      return multiply_panels<DotLanes<1>>(weights, first_panel, panels, tile, out, stride, add);
    case 2:
      return multiply_panels<I8mmLanes<2>>(weights, first_panel, panels, tile, out, stride, add);
    case 3:
      return multiply_panels<DotLanes<3>>(weights, first_panel, panels, tile, out, stride, add);
    default:
      return multiply_panels<I8mmLanes<4>>(weights, first_panel, panels, tile, out, stride, add);
  }
}

}  // namespace notso::neon
