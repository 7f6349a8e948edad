// Memory for KV pages: equal slots in one range of addresses that is reserved at the start and
// provided by the system as slots are first used, so that an idle server is small. The number of
// slots is the hard budget. A slot belongs to the sequences that use it and to the nodes of the
// prefix tree that keep it, both counted; it is free once none holds it.
//
// A page is written from its first position on, and a part of it may be relied on by others while
// its sequence still writes behind that part. So each page has a frozen count: its first positions
// that must stay as they are. A reader of a page that is not full copies it, so a page has one
// writer at most, and appending behind the frozen part is safe; anything else needs a copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"

namespace notso {

// The slots. Used from one thread.
class KvPages {
 public:
  // Reserves addresses for as many pages of `page_bytes` as `bytes_max` holds; at least one.
  static Result<std::unique_ptr<KvPages>> make(std::size_t page_bytes, std::size_t bytes_max);
  KvPages(const KvPages&) = delete;
  KvPages& operator=(const KvPages&) = delete;
  ~KvPages();

  [[nodiscard]] std::size_t page_bytes() const { return page_bytes_; }
  [[nodiscard]] std::size_t pages_max() const { return slots_.size(); }
  // Pages that sequences use, and pages that only the tree keeps.
  [[nodiscard]] std::size_t pages_used() const { return used_; }
  [[nodiscard]] std::size_t pages_kept() const { return kept_; }

  // A free page with one user, its contents undefined; nullptr when no slot is free or the system
  // has no memory for it.
  [[nodiscard]] std::byte* take();

  // One user more or less.
  void add_user(std::byte* page);
  void drop_user(std::byte* page);
  // A node of the tree keeps the page, or no longer does.
  void keep(std::byte* page);
  void forget(std::byte* page);

  // Others rely on the first `positions` positions of the page from now on.
  void freeze(std::byte* page, std::int32_t positions);
  // Whether the user that asks may write from `position` on without a copy.
  [[nodiscard]] bool is_writable(std::byte* page, std::int32_t position);
  [[nodiscard]] std::int32_t users(const std::byte* page) const { return slot(page).users; }

  // Gives the memory of all free pages back to the system.
  void release_free_memory();

 private:
  struct Slot {
    std::int32_t users = 0;
    std::int32_t frozen = 0;
    std::int32_t kept = 0;  // nodes
  };

  KvPages() = default;
  [[nodiscard]] std::size_t index(const std::byte* page) const;
  [[nodiscard]] Slot& slot(const std::byte* page) { return slots_[index(page)]; }
  [[nodiscard]] const Slot& slot(const std::byte* page) const { return slots_[index(page)]; }
  void free_if_unheld(std::byte* page);
  void release_memory(std::byte* page);
  [[nodiscard]] bool commit_next();

  std::byte* memory_ = nullptr;
  std::size_t reserved_bytes_ = 0;
  std::size_t committed_bytes_ = 0;  // from the start: readable and writable
  std::size_t page_bytes_ = 0;
  std::size_t stride_ = 0;        // bytes from one slot to the next
  std::size_t touched_ = 0;       // slots below were used before
  std::vector<Slot> slots_;       // [pages_max]
  std::vector<std::byte*> warm_;  // free slots that still have memory, the last freed at the end
  std::vector<std::byte*> cold_;  // free slots without
  std::size_t warm_max_ = 0;
  std::size_t used_ = 0;
  std::size_t kept_ = 0;
};

}  // namespace notso
