#include "service/engine/step_cost.h"

#include <algorithm>

namespace notso {
namespace {

// How much of a new measurement goes into the smoothed one. Noise only ever adds time, so what is
// below the expectation counts for more.
constexpr double kShareBelow = 0.3;
constexpr double kShareAbove = 0.1;
constexpr double kSurpriseMax = 2.0;  // times the expected; what is above it is cut off
// How much of a surprise is taken for a change of the whole machine: while a long prompt is read,
// no step without it runs from which to learn what such a step costs now.
constexpr double kCommonShare = 0.25;

}  // namespace

// The last point that is not above `rows`.
std::size_t StepCost::point_of(std::int32_t rows) {
  const auto above = std::upper_bound(kRows.begin(), kRows.end(), std::max(rows, 1));
  return static_cast<std::size_t>(above - kRows.begin()) - 1;
}

void StepCost::add(std::int32_t rows, double seconds) {
  const std::size_t point = point_of(rows);
  const double here = seconds * kRows[point] / std::max(rows, 1);
  const double known = seconds_[point];
  if (known == 0) {
    seconds_[point] = here;
    return;
  }
  const double surprise = std::min(here / known, kSurpriseMax) - 1;
  const double change = surprise * (surprise < 0 ? kShareBelow : kShareAbove);
  for (double& other : seconds_) other *= 1 + kCommonShare * change;
  seconds_[point] = known * (1 + change);
}

bool StepCost::is_known(std::int32_t rows) const { return seconds_[point_of(rows)] > 0; }

double StepCost::seconds(std::int32_t rows) const {
  std::size_t above = 0;
  while (above < kRows.size() && (seconds_[above] == 0 || kRows[above] < rows)) ++above;
  std::size_t below = std::min(point_of(rows) + 1, kRows.size());
  while (below > 0 && seconds_[below - 1] == 0) --below;
  const double count = rows;
  if (above == kRows.size() && below == 0) return 0;
  if (below == 0) return seconds_[above] * count / kRows[above];
  --below;
  if (above == kRows.size()) return seconds_[below] * count / kRows[below];
  if (above == below) return seconds_[below];
  const double part = (count - kRows[below]) / (kRows[above] - kRows[below]);
  return seconds_[below] + part * (seconds_[above] - seconds_[below]);
}

std::int32_t StepCost::rows_within(double limit_s, std::int32_t most) const {
  std::int32_t low = 0;
  std::int32_t high = most;
  while (low < high) {
    const std::int32_t middle = low + (high - low + 1) / 2;
    if (seconds(middle) <= limit_s) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

}  // namespace notso
