// Counts the heap allocations of a test program, and has one fail. Include it in exactly one source
// file of the program: it replaces the global operators new and delete. They are not inlined, since
// the compiler would then take each new with its free for a mistake.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace notso {

// All allocations through operator new so far, on all threads.
inline std::atomic<std::size_t> allocation_count = 0;

// Has the next allocation that may throw do so.
inline std::atomic<bool> next_allocation_fails = false;

}  // namespace notso

[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++notso::allocation_count;
  return std::malloc(size > 0 ? size : 1);
}
[[gnu::noinline]] void* operator new(std::size_t size) {
  const bool fails = notso::next_allocation_fails && notso::next_allocation_fails.exchange(false);
  void* const memory = fails ? nullptr : operator new(size, std::nothrow);
  if (memory != nullptr) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  ++notso::allocation_count;
  const auto unit = static_cast<std::size_t>(alignment);
  if (void* memory = std::aligned_alloc(unit, (size + unit - 1) / unit * unit)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
