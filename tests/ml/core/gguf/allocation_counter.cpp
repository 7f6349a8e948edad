#include "ml/core/gguf/allocation_counter.h"

#include <atomic>
#include <cstdlib>
#include <malloc.h>
#include <new>

namespace {

std::atomic<std::ptrdiff_t> held_bytes{0};
std::atomic<std::ptrdiff_t> peak_bytes{0};

void* counted_allocation(std::size_t size) {
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  const auto grown = static_cast<std::ptrdiff_t>(malloc_usable_size(memory));
  const std::ptrdiff_t held = held_bytes.fetch_add(grown) + grown;
  std::ptrdiff_t peak = peak_bytes.load();
  while (held > peak && !peak_bytes.compare_exchange_weak(peak, held)) {
  }
  return memory;
}

void counted_release(void* memory) {
  if (memory == nullptr) return;
  held_bytes.fetch_sub(static_cast<std::ptrdiff_t>(malloc_usable_size(memory)));
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) { return counted_allocation(size); }
void* operator new[](std::size_t size) { return counted_allocation(size); }
void operator delete(void* memory) noexcept { counted_release(memory); }
void operator delete[](void* memory) noexcept { counted_release(memory); }
void operator delete(void* memory, std::size_t) noexcept { counted_release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { counted_release(memory); }

namespace notso {

void reset_allocations() {
  held_bytes = 0;
  peak_bytes = 0;
}

std::size_t peak_allocated_bytes() { return static_cast<std::size_t>(peak_bytes.load()); }

}  // namespace notso
