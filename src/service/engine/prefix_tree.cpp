#include "service/engine/prefix_tree.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "ml/core/backend.h"

namespace notso {
namespace {

using Tokens = std::span<const std::int32_t>;

std::size_t common_prefix(Tokens a, Tokens b) {
  const std::size_t size = std::min(a.size(), b.size());
  return static_cast<std::size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(size), b.begin()).first -
      a.begin());
}

// Where a child with `tokens` stands or would stand.
std::size_t position_of(const PrefixNode& parent, Tokens tokens) {
  const auto at = std::lower_bound(parent.children.begin(), parent.children.end(), tokens,
                                   [](const std::unique_ptr<PrefixNode>& child, Tokens wanted) {
                                     return std::lexicographical_compare(
                                         child->tokens.begin(), child->tokens.end(), wanted.begin(),
                                         wanted.end());
                                   });
  return static_cast<std::size_t>(at - parent.children.begin());
}

}  // namespace

bool PrefixNode::is_full() const { return tokens.size() == kKvPageTokens; }

PrefixNode& PrefixTree::root(std::string_view scope) {
  const auto found = roots_.find(scope);
  if (found != roots_.end()) return found->second;
  PrefixNode& root = roots_[std::string(scope)];
  root.scope = scope;
  root.storable = scope.size() <= kKvScopeBytesMax;
  return root;
}

PrefixNode* PrefixTree::find_root(std::string_view scope) const {
  const auto found = roots_.find(scope);
  return found == roots_.end() ? nullptr : const_cast<PrefixNode*>(&found->second);
}

// The best two are the neighbours of where the piece would stand. Others that share as much stand
// beside them; the first of all is the shortest, which a pinned end often is. A few are looked at,
// so that one in memory is found where there is one nearby.
PrefixTree::Match PrefixTree::best_child(const PrefixNode& parent, Tokens tokens) {
  constexpr std::size_t kLookAround = 8;
  const std::size_t at = position_of(parent, tokens);
  Match best;
  const auto consider = [&](std::size_t i) {
    if (i >= parent.children.size()) return;
    PrefixNode* const node = parent.children[i].get();
    const std::size_t common = common_prefix(node->tokens, tokens);
    if (common == 0 || common < best.common) return;
    const bool nearer = best.node == nullptr || (best.node->page == nullptr && node->page);
    if (common > best.common || nearer) best = {node, common};
  };
  consider(at);
  if (at > 0) consider(at - 1);
  if (best.node == nullptr || best.node->page != nullptr) return best;
  consider(position_of(parent, tokens.first(best.common)));
  for (std::size_t away = 1; away <= kLookAround && best.node->page == nullptr; ++away) {
    consider(at + away);
    if (at > away) consider(at - away - 1);
  }
  return best;
}

PrefixNode* PrefixTree::child(const PrefixNode& parent, Tokens tokens) {
  const std::size_t at = position_of(parent, tokens);
  if (at == parent.children.size()) return nullptr;
  PrefixNode* const node = parent.children[at].get();
  return std::equal(tokens.begin(), tokens.end(), node->tokens.begin(), node->tokens.end())
             ? node
             : nullptr;
}

PrefixNode* PrefixTree::child_to_extend(const PrefixNode& parent, Tokens tokens) {
  std::size_t size = best_child(parent, tokens).common;
  for (size = std::min(size, tokens.size() - 1); size > 0; --size) {
    PrefixNode* const node = child(parent, tokens.first(size));
    if (node != nullptr && !node->pinned) return node;
  }
  return nullptr;
}

PrefixNode& PrefixTree::add(PrefixNode& parent, Tokens tokens) {
  NOTSO_DCHECK(!tokens.empty() && tokens.size() <= kKvPageTokens);
  NOTSO_DCHECK(parent.parent == nullptr || parent.is_full());
  auto node = std::make_unique<PrefixNode>();
  node->parent = &parent;
  node->tokens.assign(tokens.begin(), tokens.end());
  node->used = ++uses_;
  node->storable = parent.storable;
  const auto at =
      parent.children.begin() + static_cast<std::ptrdiff_t>(position_of(parent, tokens));
  ++size_;
  return **parent.children.insert(at, std::move(node));
}

// A longer piece may sort behind siblings that the shorter one stood before, so the node moves.
void PrefixTree::extend(PrefixNode& node, Tokens tokens) {
  NOTSO_DCHECK(node.children.empty());
  auto& siblings = node.parent->children;
  const auto at =
      siblings.begin() + static_cast<std::ptrdiff_t>(position_of(*node.parent, node.tokens));
  NOTSO_DCHECK(at->get() == &node);
  std::unique_ptr<PrefixNode> moved = std::move(*at);
  siblings.erase(at);
  node.tokens.assign(tokens.begin(), tokens.end());
  siblings.insert(siblings.begin() + static_cast<std::ptrdiff_t>(position_of(*node.parent, tokens)),
                  std::move(moved));
}

void PrefixTree::list(PrefixNode& node) {
  if (node.parent == nullptr) return;
  if (node.page != nullptr && node.children_in_memory == 0) memory_leaves_.insert(&node);
  if (node.file.is_set() && node.children_on_disk == 0) disk_leaves_.insert(&node);
  if (node.page != nullptr && !node.file.is_set() && node.storable && !node.unwanted) {
    unstored_.insert(&node);
  }
}

void PrefixTree::unlist(PrefixNode& node) {
  memory_leaves_.erase(&node);
  disk_leaves_.erase(&node);
  unstored_.erase(&node);
}

void PrefixTree::set_page(PrefixNode& node, std::byte* page) {
  PrefixNode& parent = *node.parent;
  NOTSO_DCHECK(parent.parent == nullptr || parent.page != nullptr);
  unlist(parent);
  unlist(node);
  if (node.page == nullptr) ++parent.children_in_memory;
  node.page = page;
  list(node);
  list(parent);
}

void PrefixTree::set_file(PrefixNode& node, KvFileId file) {
  PrefixNode& parent = *node.parent;
  NOTSO_DCHECK(parent.parent == nullptr || parent.file.is_set());
  unlist(parent);
  unlist(node);
  if (!node.file.is_set()) ++parent.children_on_disk;
  node.file = file;
  list(node);
  list(parent);
}

void PrefixTree::clear(PrefixNode& node, bool page, bool file) {
  PrefixNode& parent = *node.parent;
  unlist(parent);
  unlist(node);
  if (page && node.page != nullptr) {
    NOTSO_DCHECK(node.children_in_memory == 0);
    node.page = nullptr;
    --parent.children_in_memory;
  }
  if (file && node.file.is_set()) {
    NOTSO_DCHECK(node.children_on_disk == 0);
    node.file = {};
    --parent.children_on_disk;
  }
  list(node);
  list(parent);
  remove_if_empty(node);
}

void PrefixTree::remove_if_empty(PrefixNode& node) {
  PrefixNode* at = &node;
  while (at->parent != nullptr && at->page == nullptr && !at->file.is_set() &&
         at->children.empty()) {
    PrefixNode* const parent = at->parent;
    parent->children.erase(parent->children.begin() +
                           static_cast<std::ptrdiff_t>(position_of(*parent, at->tokens)));
    --size_;
    at = parent;
  }
  if (at->parent == nullptr && at->children.empty()) roots_.erase(roots_.find(at->scope));
}

void PrefixTree::touch(PrefixNode& node, double now_s) {
  unlist(node);
  node.used = ++uses_;
  node.used_s = now_s;
  node.unwanted = false;
  list(node);
}

void PrefixTree::set_unwanted(PrefixNode& node) {
  unlist(node);
  node.unwanted = true;
  list(node);
}

void PrefixTree::set_pinned(PrefixNode& node, bool pinned) {
  unlist(node);
  node.pinned = pinned;
  list(node);
}

std::vector<PrefixNode*> PrefixTree::nodes() const {
  std::vector<PrefixNode*> nodes;
  nodes.reserve(size_);
  for (const auto& [scope, root] : roots_) {
    for (const auto& child : root.children) nodes.push_back(child.get());
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const auto& child : nodes[i]->children) nodes.push_back(child.get());
  }
  return nodes;
}

}  // namespace notso
