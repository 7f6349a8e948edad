// The KV cache of an engine: pages for the sequences that run, and what earlier ones computed, kept
// for whoever begins with the same tokens.
//
// What sequences leave is a radix tree over token ids, one for each scope; nothing is ever found
// across scopes. A node is one page: 64 tokens, or fewer at the end of a sequence. Full pages are
// shared by count. A page that matches only in part, or is not full, is copied into the sequence
// that wants it: 4.7 MB at full size, a millisecond, where a single token of a prompt takes seven.
// Pages that nobody uses stay until their memory is wanted; the ones used longest ago go first,
// ends before beginnings, pinned prefixes after all others.
//
// With a folder, nodes are also written to disk, one file each, by a thread of its own
// (kv_files.h), and found again after a restart. Reading back happens inside open() and adopt(), at
// most `restore_bytes_max` a call: a page needs some 3 ms where computing it takes half a second,
// so reading in pieces between the steps holds up other streams less than their own next step does,
// and needs neither callbacks nor half-present pages. An unreadable page is never used: it is
// computed again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ml/core/backend.h"

namespace notso {

class KvPages;

// Pages that `positions` positions need.
[[nodiscard]] constexpr std::size_t kv_pages_for(std::size_t positions) {
  return (positions + kKvPageTokens - 1) / kKvPageTokens;
}

// Limits and habits of a cache.
struct KvCacheOptions {
  std::size_t page_bytes = 0;      // of kKvPageTokens positions
  std::size_t bytes_max = 0;       // hard budget of all pages, running and cached; >= page_bytes
  std::int32_t positions_max = 0;  // the longest sequence; page tables never grow beyond
  std::string identity;            // what pages depend on besides tokens: StepModel::identity()
  std::string folder;              // where pages are kept between runs; "": nowhere
  std::size_t disk_bytes_max = 0;  // of all files in the folder
  std::size_t restore_bytes_max = std::size_t{32} << 20U;  // from disk in one call; >= one page
  double store_idle_s = 20;  // unused for so long, a page is written; pinned ones at once
  // Takes one line about files that were dropped or cannot be written; called on the cache's own
  // thread of use.
  std::function<void(const std::string& line)> log;
};

// What a cache counts.
struct KvCacheStats {
  std::size_t page_bytes = 0;
  std::size_t pages_max = 0;
  std::size_t pages_used = 0;    // by sequences
  std::size_t pages_cached = 0;  // by nobody, kept for their prefix; evicted when wanted
  std::uint64_t pages_evicted = 0;
  std::uint64_t pages_stored = 0;    // written to disk
  std::uint64_t pages_restored = 0;  // read back
  std::uint64_t store_failures = 0;
  std::size_t disk_bytes = 0;
};

// One sequence's pages. Dropping it frees them and leaves nothing in the tree beyond what was
// published. Must not outlive its cache.
class KvSequence {
 public:
  KvSequence() = default;
  KvSequence(KvSequence&& other) noexcept;
  KvSequence& operator=(KvSequence&& other) noexcept;
  KvSequence(const KvSequence&) = delete;
  KvSequence& operator=(const KvSequence&) = delete;
  ~KvSequence();

  // Positions that are computed, or that grow() made room for.
  [[nodiscard]] std::int32_t positions() const { return positions_; }
  // The page table, for SequenceRows; valid until the next call that changes the sequence.
  [[nodiscard]] std::span<std::byte* const> pages() const { return pages_; }
  // How many positions came from the cache so far.
  [[nodiscard]] std::int32_t cached_positions() const { return cached_positions_; }

 private:
  friend class KvCache;
  void drop_pages_from(std::size_t first);

  KvPages* memory_ = nullptr;
  std::string scope_;
  std::vector<std::byte*> pages_;
  std::int32_t positions_ = 0;
  std::int32_t cached_positions_ = 0;
  std::uint64_t removals_ = 0;  // that the cache had seen when the sequence was opened
};

// The cache. All members are called from one thread; none waits for the disk but the bounded reads
// of open() and adopt(), and flush().
class KvCache {
 public:
  // Reserves the pages' addresses and looks through the folder's files (their headers only). A
  // folder that cannot be used is logged, and the cache works without. Errors: a budget below one
  // page, no address space.
  static Result<std::unique_ptr<KvCache>> make(KvCacheOptions options);
  KvCache(const KvCache&) = delete;
  KvCache& operator=(const KvCache&) = delete;
  ~KvCache();

  // A sequence with the longest known prefix of `tokens`, at most `most` positions of it. Never
  // fails: without memory it begins empty.
  [[nodiscard]] KvSequence open(std::string_view scope, std::span<const std::int32_t> tokens,
                                std::int32_t most);

  // Lengthens a sequence that so far holds the first positions of `tokens` by what the cache knows
  // of the rest: what another sequence has published meanwhile, and what open() left on disk. Call
  // it before each piece of a prompt; returns how many positions came, 0 when that is all for now.
  std::int32_t adopt(KvSequence& sequence, std::span<const std::int32_t> tokens, std::int32_t most);

  // Makes the sequence `positions` long, the new ones writable. On failure it stays as it was:
  // kResourceExhausted says that all pages are in use, or that the system has no more memory.
  [[nodiscard]] Status grow(KvSequence& sequence, std::int32_t positions);

  // Cuts the sequence to `positions`: rejected drafts.
  void truncate(KvSequence& sequence, std::int32_t positions);

  // Makes findable what the sequence has computed: `tokens` are its first tokens, at most
  // positions(). The sequence goes on as before.
  void publish(KvSequence& sequence, std::span<const std::int32_t> tokens);

  // The same, and ends the sequence.
  void close(KvSequence&& sequence, std::span<const std::int32_t> tokens);

  // Keeps a cached prefix warm: evicted last, written to disk at once. Call it after close(). Only
  // the last kPinnedMax pinned prefixes are; an older one becomes like any other.
  void pin(std::string_view scope, std::span<const std::int32_t> tokens);
  static constexpr std::size_t kPinnedMax = 8;

  // Background work: takes in what the disk thread did and gives it the next page. Call it between
  // steps, and about every second when there are none. `now_s` never falls.
  void maintain(double now_s);

  // Writes what is not yet on disk, idle or not, for at most `seconds`; for the shutdown. True if
  // nothing is left.
  bool flush(double seconds);

  // Forgets, in memory and on disk, what is known of `tokens` and of all that begins with the same
  // page: what it holds is not to be trusted. Sequences that are open now may have taken some of it
  // over, so they neither publish nor adopt anything any more.
  void remove(std::string_view scope, std::span<const std::int32_t> tokens);

  // Frees at least `bytes` of cached pages if there are as many, and gives all free memory back to
  // the system; returns the bytes that were freed. For failed allocations.
  std::size_t shrink(std::size_t bytes);

  // Forgets all prefixes: in memory those that nobody uses, and all files.
  void drop_all();

  // Pages that grow() could still provide: free ones and cached ones.
  [[nodiscard]] std::size_t available_pages() const;
  [[nodiscard]] KvCacheStats stats() const;

 private:
  class Impl;
  explicit KvCache(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace notso
