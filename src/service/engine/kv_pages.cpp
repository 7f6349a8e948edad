// Slots lie side by side, so that huge pages span them; at full size one is 4.5 MiB. Addresses
// become writable from the start on, as slots are first used: that is where a limit of the system
// shows as an error. Freed slots are used again last in, first out, and all beyond the first 64 MiB
// of free ones give their memory back.
#include "service/engine/kv_pages.h"

#include <algorithm>
#include <sys/mman.h>

#include "base/check.h"

namespace notso {
namespace {

constexpr std::size_t kSystemPageBytes = 4096;
constexpr std::size_t kSlotAlignment = 64;
constexpr std::size_t kWarmBytesMax = std::size_t{64} << 20U;
constexpr std::size_t kCommitBytes = std::size_t{2} << 20U;

std::size_t round_up(std::size_t value, std::size_t unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace

Result<std::unique_ptr<KvPages>> KvPages::make(std::size_t page_bytes, std::size_t bytes_max) {
  if (page_bytes == 0 || bytes_max < page_bytes) {
    return fail(ErrorCode::kInvalidArgument, "a KV budget of " + std::to_string(bytes_max) +
                                                 " bytes holds no page of " +
                                                 std::to_string(page_bytes) + " bytes: raise it");
  }
  if (bytes_max > SIZE_MAX / 4) {
    return fail(ErrorCode::kInvalidArgument,
                "a KV budget of " + std::to_string(bytes_max) + " bytes is more than any machine");
  }
  std::unique_ptr<KvPages> pages(new KvPages);
  pages->page_bytes_ = page_bytes;
  pages->stride_ =
      round_up(page_bytes, page_bytes < kSystemPageBytes ? kSlotAlignment : kSystemPageBytes);
  const std::size_t count = std::max<std::size_t>(bytes_max / pages->stride_, 1);
  const std::size_t bytes = round_up(count * pages->stride_, kCommitBytes);
  void* const memory =
      ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    return fail(ErrorCode::kResourceExhausted, "the system has no room for a KV budget of " +
                                                   std::to_string(bytes_max) + " bytes: lower it");
  }
  ::madvise(memory, bytes, MADV_HUGEPAGE);
  pages->memory_ = static_cast<std::byte*>(memory);
  pages->reserved_bytes_ = bytes;
  pages->slots_.resize(count);
  pages->warm_.reserve(count);
  pages->cold_.reserve(count);
  pages->warm_max_ = kWarmBytesMax / pages->stride_;
  return pages;
}

KvPages::~KvPages() {
  if (memory_ != nullptr) ::munmap(memory_, reserved_bytes_);
}

std::size_t KvPages::index(const std::byte* page) const {
  const std::size_t offset = static_cast<std::size_t>(page - memory_);
  NOTSO_DCHECK(page >= memory_ && offset % stride_ == 0 && offset / stride_ < touched_);
  return offset / stride_;
}

// Makes one more slot's addresses writable.
bool KvPages::commit_next() {
  const std::size_t end = (touched_ + 1) * stride_;
  if (end > committed_bytes_) {
    const std::size_t more = round_up(end - committed_bytes_, kCommitBytes);
    if (::mprotect(memory_ + committed_bytes_, more, PROT_READ | PROT_WRITE) != 0) return false;
    committed_bytes_ += more;
  }
  ++touched_;
  return true;
}

std::byte* KvPages::take() {
  std::byte* page = nullptr;
  if (!warm_.empty()) {
    page = warm_.back();
    warm_.pop_back();
  } else if (!cold_.empty()) {
    page = cold_.back();
    cold_.pop_back();
  } else if (touched_ < slots_.size() && commit_next()) {
    page = memory_ + (touched_ - 1) * stride_;
  }
  if (page == nullptr) return nullptr;
  slot(page) = Slot{.users = 1};
  ++used_;
  return page;
}

void KvPages::add_user(std::byte* page) {
  Slot& at = slot(page);
  if (at.users++ > 0) return;
  ++used_;
  if (at.kept > 0) --kept_;
}

void KvPages::drop_user(std::byte* page) {
  Slot& at = slot(page);
  NOTSO_DCHECK(at.users > 0);
  if (--at.users > 0) return;
  --used_;
  if (at.kept > 0) ++kept_;
  free_if_unheld(page);
}

void KvPages::keep(std::byte* page) {
  Slot& at = slot(page);
  if (at.kept++ == 0 && at.users == 0) ++kept_;
}

void KvPages::forget(std::byte* page) {
  Slot& at = slot(page);
  NOTSO_DCHECK(at.kept > 0);
  if (--at.kept == 0 && at.users == 0) --kept_;
  free_if_unheld(page);
}

void KvPages::freeze(std::byte* page, std::int32_t positions) {
  Slot& at = slot(page);
  at.frozen = std::max(at.frozen, positions);
}

bool KvPages::is_writable(std::byte* page, std::int32_t position) {
  Slot& at = slot(page);
  if (at.users == 1 && at.kept == 0) at.frozen = 0;  // whoever relied on it has gone
  return position >= at.frozen;
}

void KvPages::free_if_unheld(std::byte* page) {
  const Slot& at = slot(page);
  if (at.users > 0 || at.kept > 0) return;
  if (warm_.size() < warm_max_) {
    warm_.push_back(page);
    return;
  }
  release_memory(page);
  cold_.push_back(page);
}

// Whole pages of the system only: at sizes below one, a slot shares them with its neighbours.
void KvPages::release_memory(std::byte* page) {
  const std::size_t offset = static_cast<std::size_t>(page - memory_);
  const std::size_t begin = round_up(offset, kSystemPageBytes);
  const std::size_t end = (offset + stride_) / kSystemPageBytes * kSystemPageBytes;
  if (end > begin) ::madvise(memory_ + begin, end - begin, MADV_DONTNEED);
}

void KvPages::release_free_memory() {
  for (std::byte* page : warm_) release_memory(page);
  cold_.insert(cold_.end(), warm_.begin(), warm_.end());
  warm_.clear();
}

}  // namespace notso
