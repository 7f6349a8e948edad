// How long a step of so many rows takes, learned from the steps that ran. A step reads all weights
// however few rows it has, so the first rows are nearly free and the later ones are not: where the
// bend lies depends on the machine, and everything that shares a step wants to know it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace notso {

// Measured seconds by row count, smoothed. Larger counts share a point with their neighbours.
class StepCost {
 public:
  // Takes in a step that ran. One that took far longer than expected (the machine was away) counts
  // only a little.
  void add(std::int32_t rows, double seconds);

  // The seconds that a step of `rows` rows takes. Between measured counts the line between them;
  // outside of them in proportion to the nearest one, which is too little for fewer rows and too
  // much for more: whoever stays under a limit by it is safe, and learns by running. 0 before the
  // first step.
  [[nodiscard]] double seconds(std::int32_t rows) const;

  // Whether steps of about so many rows have run.
  [[nodiscard]] bool is_known(std::int32_t rows) const;

  // The most rows, at most `most`, that stay within `limit_s`; 0 if one is too many.
  [[nodiscard]] std::int32_t rows_within(double limit_s, std::int32_t most) const;

 private:
  static constexpr std::array<std::int32_t, 36> kRows = {
      1,  2,  3,  4,  5,  6,  7,  8,  9,   10,  11,  12,  13,  14,  15,  16,  20,  24,
      28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512};

  static std::size_t point_of(std::int32_t rows);

  std::array<double, kRows.size()> seconds_ = {};  // of kRows[i] rows; 0: never measured
};

}  // namespace notso
