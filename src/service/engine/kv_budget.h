// What of a memory budget is left for KV pages, for the cache itself and for whoever plans with it.
#pragma once

#include <cstddef>

namespace notso {

// Whether a budget has room for the copy that the disk's thread writes from, beside a page.
[[nodiscard]] constexpr bool kv_budget_allows_disk(std::size_t bytes, std::size_t page_bytes) {
  return bytes >= 2 * page_bytes;
}

// The bytes for pages: all, or a page less where they are kept on disk.
[[nodiscard]] constexpr std::size_t kv_bytes_for_pages(std::size_t bytes, std::size_t page_bytes,
                                                       bool on_disk) {
  return on_disk && kv_budget_allows_disk(bytes, page_bytes) ? bytes - page_bytes : bytes;
}

}  // namespace notso
