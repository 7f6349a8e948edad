#include "service/engine/engine_stats.h"

#include <algorithm>

namespace notso {

void Histogram::add(double value) {
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), value);
  ++counts[static_cast<std::size_t>(bound - kBounds.begin())];
  ++total;
  sum += value;
}

double Histogram::quantile(double part) const {
  if (total == 0) return 0;
  const double wanted = std::clamp(part, 0.0, 1.0) * static_cast<double>(total);
  double below = 0;
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    const auto here = static_cast<double>(counts[i]);
    if (here > 0 && below + here >= wanted) {
      const double low = i == 0 ? 0.0 : kBounds[i - 1];
      return low + (kBounds[i] - low) * (wanted - below) / here;
    }
    below += here;
  }
  return kBounds.back();
}

}  // namespace notso
