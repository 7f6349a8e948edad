// What this machine can do at most: how fast memory is read, and how many multiply-adds its vector
// units make. Every speed that `notso bench` prints is set against these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace notso {

// Highest rates, measured on this machine just now.
struct MachineLimits {
  std::vector<double> read_bytes_per_s;  // with 1, 2, .. threads
  double int8_macs_per_s = 0;            // with all threads, as are the others
  double bf16_macs_per_s = 0;            // 0 where the kernels do not use it
  double f32_macs_per_s = 0;
};

// Measures with the instructions that the kernel table `table` uses. Takes a few seconds and 1 GiB
// of memory.
[[nodiscard]] Result<MachineLimits> measure_limits(std::string_view table, int threads,
                                                   const std::function<void(double)>& progress);

// How fast `threads` threads together read memory, in bytes a second. Takes a fraction of a second
// and 256 MiB.
[[nodiscard]] Result<double> measure_read_rate(std::string_view table, int threads);

}  // namespace notso
