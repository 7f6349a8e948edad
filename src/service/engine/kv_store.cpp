#include "service/engine/kv_store.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>
#include <vector>

namespace notso {
namespace {

constexpr double kRetryS = 60;
constexpr double kMarkS = 60;  // how exactly the next start knows the order of use

// What a node's file says besides the page.
KvFileEntry entry_of(const PrefixNode& node, KvFileId id) {
  const PrefixNode* root = &node;
  while (root->parent != nullptr) root = root->parent;
  return {id, node.parent->file, root->scope, node.tokens};
}

}  // namespace

KvStore::KvStore(PrefixTree& tree, const KvCacheOptions& options) : tree_(tree), options_(options) {
  if (options.folder.empty()) return;
  Result<std::unique_ptr<KvFiles>> files =
      KvFiles::open(options.folder, options.identity, options.page_bytes);
  if (!files) {
    log(files.error().message + "; no KV pages are kept on disk");
    return;
  }
  files_ = std::move(*files);
  files_max_ = std::min(options.disk_bytes_max / files_->file_bytes(), kKvFilesMax);
  load();
}

void KvStore::log(const std::string& line) const {
  if (options_.log) options_.log(line);
}

// Adds the files to the tree from the first pages on. What is then left has lost the page before
// it, or says the same as another file.
void KvStore::load() {
  std::vector<std::string> lines;
  const std::vector<KvFileEntry> entries = files_->scan(lines);
  std::multimap<KvFileId, const KvFileEntry*> by_parent;
  for (const KvFileEntry& entry : entries) by_parent.emplace(entry.parent, &entry);
  std::map<KvFileId, PrefixNode*> nodes;
  std::vector<std::pair<KvFileId, PrefixNode*>> reached = {{KvFileId{}, nullptr}};
  while (!reached.empty()) {
    const auto [id, node] = reached.back();
    reached.pop_back();
    const auto [begin, end] = by_parent.equal_range(id);
    for (auto at = begin; at != end; ++at) {
      const KvFileEntry& entry = *at->second;
      if (node != nullptr && (!node->is_full() || entry.scope != entry_of(*node, id).scope))
        continue;
      PrefixNode& parent = node != nullptr ? *node : tree_.root(entry.scope);
      if (PrefixTree::child(parent, entry.tokens) != nullptr) continue;
      PrefixNode& child = tree_.add(parent, entry.tokens);
      tree_.set_file(child, entry.id);
      child.marked_s = -kMarkS;
      nodes[entry.id] = &child;
      reached.emplace_back(entry.id, &child);
    }
  }
  file_count_ = nodes.size();
  for (const KvFileEntry& entry : entries) {
    if (const auto found = nodes.find(entry.id); found != nodes.end()) {
      tree_.touch(*found->second, 0);
    } else {
      files_->remove(entry.id);
    }
  }
  if (nodes.size() < entries.size()) {
    lines.push_back(options_.folder + ": removed " + std::to_string(entries.size() - nodes.size()) +
                    " KV files whose prefix is incomplete");
  }
  while (file_count_ > files_max_) drop_file(**tree_.disk_leaves().begin());
  for (const std::string& line : lines) log(line);
}

bool KvStore::restore(PrefixNode& node, std::span<std::byte> page) {
  const Status read = files_->read(entry_of(node, node.file), page);
  if (read) {
    ++restored_;
    return true;
  }
  log(read.error().message + "; removed, its tokens are computed again");
  std::vector<PrefixNode*> lost = {&node};
  for (std::size_t i = 0; i < lost.size(); ++i) {
    for (const auto& child : lost[i]->children) lost.push_back(child.get());
  }
  for (auto at = lost.rbegin(); at != lost.rend(); ++at) drop_file(**at);
  return false;
}

void KvStore::mark_used(PrefixNode& node) {
  if (!node.file.is_set() || now_s_ - node.marked_s < kMarkS) return;
  node.marked_s = now_s_;
  files_->mark_used(node.file);
}

void KvStore::forget_write(const PrefixNode& node) {
  if (writing_ == &node) writing_ = nullptr;
}

void KvStore::drop_file(PrefixNode& node) {
  if (!node.file.is_set()) return;
  files_->remove(node.file);
  --file_count_;
  tree_.clear(node, false, true);
}

void KvStore::drop_all() {
  writing_ = nullptr;
  const std::vector<PrefixNode*> nodes = tree_.nodes();
  for (auto at = nodes.rbegin(); at != nodes.rend(); ++at) drop_file(**at);
}

// Pinned nodes stand at the end of the order. A node's ancestors are in memory if it is.
PrefixNode* KvStore::next_to_write(bool idle_or_not) {
  const PrefixTree::Order& unstored = tree_.unstored();
  if (unstored.empty()) return nullptr;
  PrefixNode* node = *unstored.rbegin();
  if (!node->pinned && !idle_or_not) {
    node = *unstored.begin();
    if (now_s_ - node->used_s < options_.store_idle_s) return nullptr;
  }
  return node;
}

bool KvStore::make_room_for(const PrefixNode& node) {
  const PrefixTree::ByUse used_before;
  while (file_count_ + 1 > files_max_) {
    const PrefixTree::Order& leaves = tree_.disk_leaves();
    auto oldest = leaves.begin();
    if (oldest != leaves.end() && *oldest == node.parent) ++oldest;
    if (oldest == leaves.end() || !used_before(*oldest, &node)) return false;
    drop_file(**oldest);
  }
  return true;
}

void KvStore::start_write(PrefixNode& node) {
  PrefixNode* first = &node;  // of those in its prefix that are not on disk
  while (first->parent->parent != nullptr && !first->parent->file.is_set()) first = first->parent;
  if (!make_room_for(*first)) {
    tree_.set_unwanted(node);
    return;
  }
  writing_ = first;
  writing_parent_ = first->parent->file;
  files_->write(entry_of(*first, random_kv_file_id()), {first->page, options_.page_bytes});
}

void KvStore::take_written(double seconds) {
  const std::optional<KvFiles::Written> written = files_->take_written(seconds);
  if (!written) return;
  PrefixNode* const node = std::exchange(writing_, nullptr);
  if (!written->status) {
    ++failures_;
    retry_s_ = now_s_ + kRetryS;
    if (!failing_) log(written->status.error().message + "; tried again every minute");
    failing_ = true;
    return;
  }
  if (failing_) log(options_.folder + ": KV pages can be written again");
  failing_ = false;
  if (node == nullptr || node->parent->file != writing_parent_) {
    files_->remove(written->id);
    return;
  }
  tree_.set_file(*node, written->id);
  node->marked_s = now_s_;
  ++file_count_;
  ++stored_;
}

void KvStore::maintain(double now_s) {
  now_s_ = now_s;
  if (files_ == nullptr) return;
  take_written(0);
  if (!files_->is_idle() || (failing_ && now_s < retry_s_)) return;
  if (PrefixNode* const node = next_to_write(false)) start_write(*node);
}

bool KvStore::flush(double seconds) {
  if (files_ == nullptr) return true;
  const auto start = std::chrono::steady_clock::now();
  const auto left_s = [&] {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    return std::max(seconds - passed.count(), 0.0);
  };
  while (true) {
    const std::uint64_t failures = failures_;
    take_written(left_s());
    if (failures_ > failures || !files_->is_idle()) return false;
    PrefixNode* const node = next_to_write(true);
    if (node == nullptr) return files_->wait_idle(left_s());
    if (left_s() == 0) return false;
    start_write(*node);
  }
}

void KvStore::count(KvCacheStats& stats) const {
  stats.pages_stored = stored_;
  stats.pages_restored = restored_;
  stats.store_failures = failures_;
  stats.disk_bytes = files_ == nullptr ? 0 : file_count_ * files_->file_bytes();
}

}  // namespace notso
