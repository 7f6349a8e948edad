// Counts what the test program takes from the heap through operator new.
#pragma once

#include <cstddef>

namespace notso {

// Starts counting from zero.
void reset_allocations();

// The most bytes that were held at one time since then, less what was held at the start.
[[nodiscard]] std::size_t peak_allocated_bytes();

}  // namespace notso
