// The radix tree of known prefixes. A node is one page of tokens behind its parent's: 64 of them,
// or fewer at an end, where nothing follows. Each scope has a tree of its own. A node is known in
// memory (it has a page), on disk (it has a file), or both; one that is neither does not stay.
//
// Whatever is in memory hangs on parents in memory, and whatever is on disk on parents on disk, so
// every prefix can be read from the front. Removal therefore takes leaves: a node whose children
// are all out of memory may leave memory. Three orders say which node is next, oldest use first
// and pinned ones at the end: to leave memory, to leave the disk, and to be written.
//
// Siblings are sorted by their tokens. The sibling that shares the most first tokens with a wanted
// piece is then next to where the piece itself would stand, and a search costs a few comparisons
// whether a page has one successor or ten thousand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "service/engine/kv_files.h"

namespace notso {

// One page of a prefix. Only PrefixTree changes what its orders depend on.
struct PrefixNode {
  PrefixNode* parent = nullptr;      // null: the root of a scope, which has no tokens
  std::vector<std::int32_t> tokens;  // [1 .. kKvPageTokens]
  std::vector<std::unique_ptr<PrefixNode>> children;  // sorted by tokens
  std::string scope;                                  // of roots only
  std::byte* page = nullptr;                          // in memory; null: only on disk
  KvFileId file;                                      // on disk; none: only in memory
  std::size_t children_in_memory = 0;
  std::size_t children_on_disk = 0;
  std::uint64_t used = 0;  // rises with every use
  double used_s = 0;       // the time of it
  double marked_s = 0;     // when the file was last marked as used
  bool pinned = false;
  bool storable = true;   // its scope's name fits a file
  bool unwanted = false;  // the disk has no room for it; until its next use

  [[nodiscard]] bool is_full() const;
};

// The trees of all scopes.
class PrefixTree {
 public:
  // Oldest use first, pinned ones at the end.
  struct ByUse {
    bool operator()(const PrefixNode* a, const PrefixNode* b) const {
      return a->pinned != b->pinned ? b->pinned : a->used < b->used;
    }
  };
  using Order = std::set<PrefixNode*, ByUse>;

  // A child, and how many first tokens it shares with what was looked for.
  struct Match {
    PrefixNode* node = nullptr;
    std::size_t common = 0;
  };

  // The scope's root, made when there is none.
  PrefixNode& root(std::string_view scope);
  // The same, or null.
  [[nodiscard]] PrefixNode* find_root(std::string_view scope) const;

  // The child that shares the most first tokens with `tokens`, one in memory where several do;
  // none when no child shares any.
  [[nodiscard]] static Match best_child(const PrefixNode& parent,
                                        std::span<const std::int32_t> tokens);
  // The child whose tokens are `tokens`; null when there is none.
  [[nodiscard]] static PrefixNode* child(const PrefixNode& parent,
                                         std::span<const std::int32_t> tokens);
  // The longest child that is not pinned and whose tokens are the first of `tokens`, not all.
  [[nodiscard]] static PrefixNode* child_to_extend(const PrefixNode& parent,
                                                   std::span<const std::int32_t> tokens);

  // A new child without page and file: give it one of them next. Its tokens must be new there.
  PrefixNode& add(PrefixNode& parent, std::span<const std::int32_t> tokens);
  // Gives a node without children more tokens, of which its present ones are the first.
  void extend(PrefixNode& node, std::span<const std::int32_t> tokens);

  // Changes where a node is known; a node that is left with neither and has no children goes, and
  // so do ancestors that only it kept.
  void set_page(PrefixNode& node, std::byte* page);
  void set_file(PrefixNode& node, KvFileId file);
  void clear(PrefixNode& node, bool page, bool file);

  // Marks a use.
  void touch(PrefixNode& node, double now_s);
  void set_pinned(PrefixNode& node, bool pinned);
  // Takes a node out of the unstored ones until its next use.
  void set_unwanted(PrefixNode& node);

  // Nodes in memory without children there.
  [[nodiscard]] const Order& memory_leaves() const { return memory_leaves_; }
  // Nodes on disk without children there.
  [[nodiscard]] const Order& disk_leaves() const { return disk_leaves_; }
  // Nodes in memory that are not on disk and may go there.
  [[nodiscard]] const Order& unstored() const { return unstored_; }

  // All nodes but roots, parents first.
  [[nodiscard]] std::vector<PrefixNode*> nodes() const;
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  void list(PrefixNode& node);
  void unlist(PrefixNode& node);
  void remove_if_empty(PrefixNode& node);

  std::map<std::string, PrefixNode, std::less<>> roots_;
  Order memory_leaves_;
  Order disk_leaves_;
  Order unstored_;
  std::uint64_t uses_ = 0;
  std::size_t size_ = 0;
};

}  // namespace notso
