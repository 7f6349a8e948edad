// Which pages of the prefix tree are on disk: what is written when, what is removed to make room,
// what comes back after a restart. The files themselves are kv_files.h's business.
//
// A page is written once it has not been used for a while, pinned ones at once, those before it in
// its prefix first. When the disk is full by its limit, the file used longest ago goes, unless the
// page to be written was used even longer ago: that one stays unwritten, so that a disk smaller
// than memory settles. If writing fails, the cache goes on without, and tries again every minute.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "service/engine/kv_cache.h"
#include "service/engine/kv_files.h"
#include "service/engine/prefix_tree.h"

namespace notso {

// Moves nodes of one tree to disk and back. Without a folder it does nothing. Used from one thread.
class KvStore {
 public:
  // Opens the options' folder and adds what is in it to the tree. `tree` must outlive the store.
  KvStore(PrefixTree& tree, const KvCacheOptions& options);
  KvStore(const KvStore&) = delete;
  KvStore& operator=(const KvStore&) = delete;
  ~KvStore() = default;

  // Reads a node's page: page[page_bytes]. If it cannot be read, the node and all behind it are
  // gone, and the result is false.
  [[nodiscard]] bool restore(PrefixNode& node, std::span<std::byte> page);

  // Keeps the order of use for the next start.
  void mark_used(PrefixNode& node);

  // The node is about to change or to leave memory.
  void forget_write(const PrefixNode& node);
  // Removes a node's file; the node goes too unless it is in memory.
  void drop_file(PrefixNode& node);
  void drop_all();

  // See KvCache.
  void maintain(double now_s);
  bool flush(double seconds);

  [[nodiscard]] double now_s() const { return now_s_; }
  // Adds its counts.
  void count(KvCacheStats& stats) const;

 private:
  void log(const std::string& line) const;
  void load();
  [[nodiscard]] PrefixNode* next_to_write(bool idle_or_not);
  [[nodiscard]] bool make_room_for(const PrefixNode& node);
  void start_write(PrefixNode& node);
  void take_written(double seconds);

  PrefixTree& tree_;
  const KvCacheOptions& options_;
  std::unique_ptr<KvFiles> files_;  // none: nothing is kept on disk
  std::size_t files_max_ = 0;
  std::size_t file_count_ = 0;
  PrefixNode* writing_ = nullptr;  // whose page is being written; null if it has changed since
  KvFileId writing_parent_;
  bool failing_ = false;
  double retry_s_ = 0;
  double now_s_ = 0;
  std::uint64_t stored_ = 0;
  std::uint64_t restored_ = 0;
  std::uint64_t failures_ = 0;
};

}  // namespace notso
