// The CPU as a Backend: the kernel tables, a thread pool, and weights in panels.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "ml/core/backend.h"

namespace notso {

// How to set the CPU up.
struct CpuOptions {
  int threads = 0;    // 0: one a physical core
  std::string table;  // a kernel table's name, "reference" for f32 without kernels, "" for the best
  std::string cache_folder;  // where packed weights are kept; "": packed in memory at every start
};

// Fails if the table does not exist or the thread count is out of range.
[[nodiscard]] Result<std::unique_ptr<Backend>> make_cpu_backend(const CpuOptions& options);

// The f32 reference: weights dequantised row by row, activations, keys and values in f32. Slow;
// what the quantised path is measured against.
[[nodiscard]] std::unique_ptr<Backend> make_reference_backend(int threads);

}  // namespace notso
