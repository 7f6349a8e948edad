#include "service/engine/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "ml/core/backend.h"
#include "service/engine/kv_budget.h"
#include "service/engine/kv_pages.h"
#include "service/engine/kv_store.h"
#include "service/engine/prefix_tree.h"

namespace notso {
namespace {

using Tokens = std::span<const std::int32_t>;

constexpr std::size_t kPageTokens = kKvPageTokens;

// The tokens of page `i`, fewer than a page's at the end.
Tokens piece_of(Tokens tokens, std::size_t i) {
  const std::size_t begin = std::min(i * kPageTokens, tokens.size());
  return tokens.subspan(begin, std::min(kPageTokens, tokens.size() - begin));
}

}  // namespace

KvSequence::KvSequence(KvSequence&& other) noexcept { *this = std::move(other); }

KvSequence& KvSequence::operator=(KvSequence&& other) noexcept {
  if (this == &other) return *this;
  drop_pages_from(0);
  memory_ = std::exchange(other.memory_, nullptr);
  scope_ = std::move(other.scope_);
  pages_ = std::exchange(other.pages_, {});
  positions_ = std::exchange(other.positions_, 0);
  cached_positions_ = other.cached_positions_;
  removals_ = other.removals_;
  return *this;
}

KvSequence::~KvSequence() { drop_pages_from(0); }

void KvSequence::drop_pages_from(std::size_t first) {
  for (std::size_t i = first; i < pages_.size(); ++i) memory_->drop_user(pages_[i]);
  if (first < pages_.size()) pages_.resize(first);
}

class KvCache::Impl {
 public:
  Impl(KvCacheOptions given, std::unique_ptr<KvPages> memory)
      : options(std::move(given)), pages(std::move(memory)), store(tree, options) {}

  std::byte* take_page();
  [[nodiscard]] tl::unexpected<Error> out_of_pages() const;
  bool evict_one();
  void evict(PrefixNode& node);
  void touch(PrefixNode& node);
  bool restore(PrefixNode& node, std::byte* page);
  void share(KvSequence& sequence, std::size_t i, std::byte* page);
  bool copy(KvSequence& sequence, std::size_t i, std::byte* page);
  bool adopt_page(KvSequence& sequence, PrefixNode& node, std::size_t i, std::size_t common);
  PrefixNode* insert(PrefixNode& parent, Tokens piece, std::byte*& page);
  void extend(PrefixNode& node, Tokens piece, std::byte* page);
  void remove(PrefixNode& node);
  void remove_all_behind(PrefixNode& first);
  void set_pinned(std::string_view scope, Tokens tokens, bool pinned);

  struct Pinned {
    std::string scope;
    std::vector<std::int32_t> tokens;
  };

  KvCacheOptions options;
  std::unique_ptr<KvPages> pages;
  PrefixTree tree;
  KvStore store;
  std::vector<Pinned> pinned;  // the latest at the end
  std::uint64_t evicted = 0;
  std::uint64_t removals = 0;
};

// The least wanted page that nobody uses goes. A leaf that a sequence uses is passed over; there
// are at most as many as sequences.
bool KvCache::Impl::evict_one() {
  for (PrefixNode* node : tree.memory_leaves()) {
    if (pages->users(node->page) > 0) continue;
    evict(*node);
    return true;
  }
  return false;
}

void KvCache::Impl::evict(PrefixNode& node) {
  std::byte* const page = node.page;
  store.forget_write(node);
  tree.clear(node, true, false);
  pages->forget(page);
  ++evicted;
}

std::byte* KvCache::Impl::take_page() {
  while (true) {
    std::byte* const page = pages->take();
    if (page != nullptr || !evict_one()) return page;
  }
}

// Why take_page() gave none.
tl::unexpected<Error> KvCache::Impl::out_of_pages() const {
  if (pages->pages_used() < pages->pages_max()) {
    return fail(ErrorCode::kResourceExhausted, "the system has no more memory for KV pages");
  }
  return fail(ErrorCode::kResourceExhausted,
              "all " + std::to_string(pages->pages_max()) + " KV pages are in use");
}

void KvCache::Impl::touch(PrefixNode& node) {
  tree.touch(node, store.now_s());
  store.mark_used(node);
}

// Reads a node's page into `page`, which the caller uses; the tree keeps it.
bool KvCache::Impl::restore(PrefixNode& node, std::byte* page) {
  if (!store.restore(node, {page, pages->page_bytes()})) return false;
  pages->keep(page);
  pages->freeze(page, static_cast<std::int32_t>(node.tokens.size()));
  tree.set_page(node, page);
  return true;
}

// Makes `page` the sequence's page `i`, shared.
void KvCache::Impl::share(KvSequence& sequence, std::size_t i, std::byte* page) {
  pages->add_user(page);
  sequence.drop_pages_from(i);
  sequence.pages_.push_back(page);
}

// Makes a copy of `page` the sequence's page `i`.
bool KvCache::Impl::copy(KvSequence& sequence, std::size_t i, std::byte* page) {
  pages->add_user(page);  // or else it might be the one to go
  std::byte* const own = take_page();
  if (own != nullptr) {
    std::memcpy(own, page, pages->page_bytes());
    sequence.drop_pages_from(i);
    sequence.pages_.push_back(own);
  }
  pages->drop_user(page);
  return own != nullptr;
}

// Takes the first `common` positions of a node in memory for page `i`.
bool KvCache::Impl::adopt_page(KvSequence& sequence, PrefixNode& node, std::size_t i,
                               std::size_t common) {
  touch(node);
  if (common == kPageTokens) {
    share(sequence, i, node.page);
  } else if (!copy(sequence, i, node.page)) {
    return false;
  }
  sequence.positions_ = static_cast<std::int32_t>(i * kPageTokens + common);
  return true;
}

// The node for `piece` behind `parent`, whose page is then `page` or another with the same
// contents, which `page` becomes; null if a longer node holds the piece already.
PrefixNode* KvCache::Impl::insert(PrefixNode& parent, Tokens piece, std::byte*& page) {
  PrefixNode* node = PrefixTree::child(parent, piece);
  if (node != nullptr && node->page != nullptr) {
    if (node->page == page || !node->is_full()) return node;
    pages->add_user(node->page);
    pages->drop_user(std::exchange(page, node->page));
    return node;
  }
  if (node == nullptr) {
    const PrefixTree::Match match = PrefixTree::best_child(parent, piece);
    if (match.common == piece.size()) return nullptr;
    node = PrefixTree::child_to_extend(parent, piece);
    if (node != nullptr) {
      extend(*node, piece, page);
      return node;
    }
    node = &tree.add(parent, piece);
  }
  pages->keep(page);
  pages->freeze(page, static_cast<std::int32_t>(piece.size()));
  tree.set_page(*node, page);
  return node;
}

// The node becomes `piece`, whose first tokens are its own.
void KvCache::Impl::extend(PrefixNode& node, Tokens piece, std::byte* page) {
  store.forget_write(node);
  std::byte* const before = node.page;
  pages->keep(page);
  pages->freeze(page, static_cast<std::int32_t>(piece.size()));
  tree.set_page(node, page);
  store.drop_file(node);
  tree.extend(node, piece);
  if (before != nullptr) pages->forget(before);
}

// Takes a node without children out of memory and off the disk; whoever uses its page keeps it.
void KvCache::Impl::remove(PrefixNode& node) {
  const bool on_disk = node.file.is_set();
  if (node.page != nullptr) evict(node);
  if (on_disk) store.drop_file(node);
}

// Ends before beginnings; a node that is left with neither page nor file is gone.
void KvCache::Impl::remove_all_behind(PrefixNode& first) {
  while (true) {
    PrefixNode* end = &first;
    while (!end->children.empty()) end = end->children.back().get();
    const bool is_last = end == &first;
    remove(*end);
    if (is_last) return;
  }
}

void KvCache::Impl::set_pinned(std::string_view scope, Tokens tokens, bool pinned_now) {
  const PrefixNode* at = tree.find_root(scope);
  for (std::size_t i = 0; at != nullptr && i < kv_pages_for(tokens.size()); ++i) {
    const Tokens piece = piece_of(tokens, i);
    const PrefixTree::Match match = PrefixTree::best_child(*at, piece);
    if (match.common < piece.size()) return;
    PrefixNode* const exact = PrefixTree::child(*at, piece);
    PrefixNode* const node = exact != nullptr ? exact : match.node;
    tree.set_pinned(*node, pinned_now);
    at = node;
  }
}

KvCache::KvCache(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

KvCache::~KvCache() = default;

Result<std::unique_ptr<KvCache>> KvCache::make(KvCacheOptions options) {
  if (!options.folder.empty() && !kv_budget_allows_disk(options.bytes_max, options.page_bytes)) {
    if (options.log) options.log("the KV budget is too small to keep pages on disk");
    options.folder.clear();
  }
  const std::size_t bytes =
      kv_bytes_for_pages(options.bytes_max, options.page_bytes, !options.folder.empty());
  Result<std::unique_ptr<KvPages>> pages = KvPages::make(options.page_bytes, bytes);
  if (!pages) return pass_on(pages);
  options.restore_bytes_max = std::max(options.restore_bytes_max, options.page_bytes);
  auto impl = std::make_unique<Impl>(std::move(options), std::move(*pages));
  return std::unique_ptr<KvCache>(new KvCache(std::move(impl)));
}

KvSequence KvCache::open(std::string_view scope, std::span<const std::int32_t> tokens,
                         std::int32_t most) {
  KvSequence sequence;
  sequence.memory_ = impl_->pages.get();
  sequence.scope_ = scope;
  sequence.pages_.reserve(kv_pages_for(static_cast<std::size_t>(impl_->options.positions_max)));
  sequence.removals_ = impl_->removals;
  adopt(sequence, tokens, most);
  return sequence;
}

// What the sequence has is published first: so it holds the tree's own pages up to where the search
// goes on, and none of them can go while pages are made for the rest.
std::int32_t KvCache::adopt(KvSequence& sequence, std::span<const std::int32_t> tokens,
                            std::int32_t most) {
  Impl& impl = *impl_;
  const std::int32_t before = sequence.positions_;
  most = std::clamp(most, 0, impl.options.positions_max);
  tokens = tokens.first(std::min(tokens.size(), static_cast<std::size_t>(most)));
  std::size_t i = static_cast<std::size_t>(before) / kPageTokens;
  if (tokens.size() <= static_cast<std::size_t>(before)) return 0;
  if (sequence.removals_ != impl.removals) return 0;
  publish(sequence, tokens.first(i * kPageTokens));
  const PrefixNode* at = impl.tree.find_root(sequence.scope_);
  for (std::size_t j = 0; at != nullptr && j < i; ++j) {
    at = PrefixTree::child(*at, piece_of(tokens, j));
  }
  std::size_t restore_bytes = impl.options.restore_bytes_max;
  while (at != nullptr) {
    const PrefixTree::Match match = PrefixTree::best_child(*at, piece_of(tokens, i));
    const std::size_t reach = i * kPageTokens + match.common;
    if (match.node == nullptr || reach <= static_cast<std::size_t>(sequence.positions_)) break;
    const bool from_disk = match.node->page == nullptr;
    std::byte* page = nullptr;
    if (from_disk) {
      page = restore_bytes >= impl.options.page_bytes ? impl.take_page() : nullptr;
      if (page == nullptr) break;
      restore_bytes -= impl.options.page_bytes;
      if (!impl.restore(*match.node, page)) {
        impl.pages->drop_user(page);
        if (impl.tree.find_root(sequence.scope_) == nullptr) break;
        continue;
      }
    }
    const bool adopted = impl.adopt_page(sequence, *match.node, i, match.common);
    if (page != nullptr) impl.pages->drop_user(page);
    if (!adopted) break;
    if (match.common < kPageTokens) break;
    at = match.node;
    ++i;
  }
  sequence.cached_positions_ += sequence.positions_ - before;
  return sequence.positions_ - before;
}

Status KvCache::grow(KvSequence& sequence, std::int32_t positions) {
  Impl& impl = *impl_;
  if (positions > impl.options.positions_max) {
    return fail(ErrorCode::kInvalidArgument,
                "a sequence of " + std::to_string(positions) + " positions is longer than the " +
                    std::to_string(impl.options.positions_max) + " there are");
  }
  if (positions <= sequence.positions_) return {};
  const std::int32_t offset = sequence.positions_ % kKvPageTokens;
  if (offset != 0 && !impl.pages->is_writable(sequence.pages_.back(), offset) &&
      !impl.copy(sequence, sequence.pages_.size() - 1, sequence.pages_.back())) {
    return impl.out_of_pages();
  }
  const std::size_t before = sequence.pages_.size();
  while (sequence.pages_.size() < kv_pages_for(static_cast<std::size_t>(positions))) {
    std::byte* const page = impl.take_page();
    if (page == nullptr) {
      sequence.drop_pages_from(before);
      return impl.out_of_pages();
    }
    sequence.pages_.push_back(page);
  }
  sequence.positions_ = positions;
  return {};
}

void KvCache::truncate(KvSequence& sequence, std::int32_t positions) {
  if (positions >= sequence.positions_) return;
  sequence.drop_pages_from(kv_pages_for(static_cast<std::size_t>(positions)));
  sequence.positions_ = positions;
}

void KvCache::publish(KvSequence& sequence, std::span<const std::int32_t> tokens) {
  tokens = tokens.first(std::min(tokens.size(), static_cast<std::size_t>(sequence.positions_)));
  if (tokens.empty() || sequence.removals_ != impl_->removals) return;
  PrefixNode* at = &impl_->tree.root(sequence.scope_);
  for (std::size_t i = 0; i * kPageTokens < tokens.size(); ++i) {
    at = impl_->insert(*at, piece_of(tokens, i), sequence.pages_[i]);
    if (at == nullptr) return;
    impl_->touch(*at);
  }
}

void KvCache::close(KvSequence&& sequence, std::span<const std::int32_t> tokens) {
  publish(sequence, tokens);
  const KvSequence ended = std::move(sequence);
}

void KvCache::pin(std::string_view scope, std::span<const std::int32_t> tokens) {
  std::vector<Impl::Pinned>& pinned = impl_->pinned;
  for (const Impl::Pinned& one : pinned) impl_->set_pinned(one.scope, one.tokens, false);
  std::erase_if(pinned, [&](const Impl::Pinned& one) {
    return one.scope == scope &&
           std::equal(one.tokens.begin(), one.tokens.end(), tokens.begin(), tokens.end());
  });
  pinned.push_back({std::string(scope), {tokens.begin(), tokens.end()}});
  if (pinned.size() > kPinnedMax) pinned.erase(pinned.begin());
  for (const Impl::Pinned& one : pinned) impl_->set_pinned(one.scope, one.tokens, true);
}

void KvCache::maintain(double now_s) { impl_->store.maintain(now_s); }

bool KvCache::flush(double seconds) { return impl_->store.flush(seconds); }

// What is known of a first page is a node for all of it, and shorter ones where others ended. The
// root goes with the last of them.
void KvCache::remove(std::string_view scope, std::span<const std::int32_t> tokens) {
  ++impl_->removals;
  const Tokens piece = piece_of(tokens, 0);
  const PrefixNode* root = impl_->tree.find_root(scope);
  for (std::size_t i = 0; root != nullptr && i < root->children.size();) {
    PrefixNode& child = *root->children[i];
    const std::size_t size = std::min(piece.size(), child.tokens.size());
    if (!std::equal(child.tokens.begin(), child.tokens.begin() + static_cast<std::ptrdiff_t>(size),
                    piece.begin())) {
      ++i;
      continue;
    }
    impl_->remove_all_behind(child);
    root = impl_->tree.find_root(scope);
  }
}

std::size_t KvCache::shrink(std::size_t bytes) {
  const KvPages& pages = *impl_->pages;
  const auto held = [&] { return pages.pages_used() + pages.pages_kept(); };
  const std::size_t before = held();
  const auto freed = [&] { return (before - held()) * pages.page_bytes(); };
  while (freed() < bytes && impl_->evict_one()) {
  }
  impl_->pages->release_free_memory();
  return freed();
}

void KvCache::drop_all() {
  for (const Impl::Pinned& one : impl_->pinned) impl_->set_pinned(one.scope, one.tokens, false);
  impl_->pinned.clear();
  impl_->store.drop_all();
  shrink(impl_->options.bytes_max);
}

std::size_t KvCache::available_pages() const {
  return impl_->pages->pages_max() - impl_->pages->pages_used();
}

KvCacheStats KvCache::stats() const {
  KvCacheStats stats;
  stats.page_bytes = impl_->pages->page_bytes();
  stats.pages_max = impl_->pages->pages_max();
  stats.pages_used = impl_->pages->pages_used();
  stats.pages_cached = impl_->pages->pages_kept();
  stats.pages_evicted = impl_->evicted;
  impl_->store.count(stats);
  return stats;
}

}  // namespace notso
