// Matrix products with `sdot`, which adds four products to each of four sums.

#include "ml/core/cpu/neon_matmul.h"

#include "ml/core/cpu/neon.h"

namespace notso::neon {

void matmul_dot(const PanelView& weights, std::int64_t first_panel, std::int32_t panels,
                const TileView& tile, float* out, std::int64_t stride, bool add) {
  switch (tile.rows) {
    case 1:
      return multiply_panels<DotLanes<1>>(weights, first_panel, panels, tile, out, stride, add);
    case 2:
      return multiply_panels<DotLanes<2>>(weights, first_panel, panels, tile, out, stride, add);
    case 3:
      return multiply_panels<DotLanes<3>>(weights, first_panel, panels, tile, out, stride, add);
    default:
      return multiply_panels<DotLanes<4>>(weights, first_panel, panels, tile, out, stride, add);
  }
}

}  // namespace notso::neon
