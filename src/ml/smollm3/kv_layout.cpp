#include "ml/smollm3/kv_layout.h"

#include <string>
#include <sys/mman.h>
#include <utility>

namespace notso::smollm3 {

Result<SequencePages> SequencePages::make(const KvLayout& layout, std::int32_t positions) {
  SequencePages pages;
  const std::size_t count = KvLayout::pages_for(positions);
  pages.bytes_ = count * layout.page_bytes();
  void* memory = ::mmap(nullptr, pages.bytes_, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    return fail(ErrorCode::kResourceExhausted, "not enough memory for the keys and values of " +
                                                   std::to_string(positions) + " tokens (" +
                                                   std::to_string(pages.bytes_ >> 20) +
                                                   " MiB); use a shorter context");
  }
  ::madvise(memory, pages.bytes_, MADV_HUGEPAGE);
  pages.memory_ = static_cast<std::byte*>(memory);
  for (std::size_t i = 0; i < count; ++i) {
    pages.table_.push_back(pages.memory_ + i * layout.page_bytes());
  }
  return pages;
}

SequencePages::SequencePages(SequencePages&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      table_(std::move(other.table_)) {}

SequencePages& SequencePages::operator=(SequencePages&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(bytes_, other.bytes_);
  std::swap(table_, other.table_);
  return *this;
}

SequencePages::~SequencePages() {
  if (memory_ != nullptr) ::munmap(memory_, bytes_);
}

}  // namespace notso::smollm3
