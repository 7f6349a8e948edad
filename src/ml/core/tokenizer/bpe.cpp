#include "ml/core/tokenizer/bpe.h"

#include <algorithm>
#include <array>
#include <bit>
#include <fmt/format.h>
#include <optional>
#include <queue>

namespace notso {

namespace {

std::uint64_t pair_key(TokenId left, TokenId right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

std::size_t hash_pair(std::uint64_t pair) {
  pair *= 0x9E3779B97F4A7C15u;
  pair ^= pair >> 29;
  pair *= 0xBF58476D1CE4E5B9u;
  return static_cast<std::size_t>(pair ^ pair >> 32);
}

// A merge that names something that is not a token of ordinary text.
tl::unexpected<Error> bad_merge(const VocabSource& source, std::size_t rank) {
  const auto& [left, right] = source.merges[rank];
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{}: merge {} ({} and {}) uses or makes something that is not a normal "
                          "token of the vocabulary: the file is damaged, get it again",
                          source.path, rank, quote_token(left), quote_token(right)));
}

}  // namespace

Result<BpeMerges> BpeMerges::build(const VocabSource& source, const Vocabulary& vocab) {
  BpeMerges merges;
  merges.slots_.resize(std::bit_ceil(source.merges.size() * 2 + 2));
  for (std::size_t rank = 0; rank < source.merges.size(); ++rank) {
    const auto left = decode_byte_alphabet(source.merges[rank].first);
    const auto right = decode_byte_alphabet(source.merges[rank].second);
    if (!left || !right) return bad_merge(source, rank);
    const TokenId left_id = vocab.find_word(*left);
    const TokenId right_id = vocab.find_word(*right);
    const TokenId result = vocab.find_word(*left + *right);
    if (left_id == kNoToken || right_id == kNoToken || result == kNoToken) {
      return bad_merge(source, rank);
    }
    merges.insert(left_id, right_id, {static_cast<std::uint32_t>(rank), result});
  }
  return merges;
}

// Of merges of the same pair the first one counts.
void BpeMerges::insert(TokenId left, TokenId right, Merge merge) {
  const std::uint64_t pair = pair_key(left, right);
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash_pair(pair) & mask;
  while (slots_[at].merge.rank != kNoRank) {
    if (slots_[at].pair == pair) return;
    at = (at + 1) & mask;
  }
  slots_[at] = {pair, merge};
}

BpeMerges::Merge BpeMerges::find(TokenId left, TokenId right) const {
  const std::uint64_t pair = pair_key(left, right);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash_pair(pair) & mask;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.pair == pair || slot.merge.rank == kNoRank) return slot.merge;
  }
}

std::uint64_t BpeMerges::merge(const Vocabulary& vocab, std::string_view word,
                               std::vector<TokenId>& out) const {
  return word.size() <= kScanLengthMax ? merge_by_scan(vocab, word, out)
                                       : merge_by_heap(vocab, word, out);
}

std::uint64_t BpeMerges::merge_by_scan(const Vocabulary& vocab, std::string_view word,
                                       std::vector<TokenId>& out) const {
  std::array<TokenId, kScanLengthMax> ids;
  std::array<Merge, kScanLengthMax> merges;  // merges[i] is of ids[i] and ids[i + 1]
  std::size_t count = word.size();
  for (std::size_t i = 0; i < count; ++i) {
    ids[i] = vocab.byte_token(static_cast<unsigned char>(word[i]));
  }
  for (std::size_t i = 0; i + 1 < count; ++i) merges[i] = find(ids[i], ids[i + 1]);
  std::uint64_t work = count;
  while (count > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < count; ++i) {
      if (merges[i].rank < merges[best].rank) best = i;
    }
    if (merges[best].rank == kNoRank) break;
    ids[best] = merges[best].result;
    std::copy(ids.begin() + best + 2, ids.begin() + count, ids.begin() + best + 1);
    if (best + 2 < count) {
      std::copy(merges.begin() + best + 2, merges.begin() + count - 1, merges.begin() + best + 1);
    }
    --count;
    if (best > 0) merges[best - 1] = find(ids[best - 1], ids[best]);
    if (best + 1 < count) merges[best] = find(ids[best], ids[best + 1]);
    work += 2;
  }
  out.insert(out.end(), ids.begin(), ids.begin() + count);
  return work;
}

// The tokens of a long word as a doubly linked list over the places of its bytes, and a heap of the
// pairs that could merge. A pair in the heap is out of date once either of its tokens has changed.
class BpeMerges::Chain {
 public:
  Chain(const BpeMerges& merges, const Vocabulary& vocab, std::string_view word)
      : merges_(merges), nodes_(word.size()) {
    const std::uint32_t count = static_cast<std::uint32_t>(word.size());
    for (std::uint32_t i = 0; i < count; ++i) {
      nodes_[i] = {vocab.byte_token(static_cast<unsigned char>(word[i])), i - 1, i + 1};
    }
    nodes_[count - 1].next = kEnd;
    std::vector<Pair> pairs;
    pairs.reserve(count);
    for (std::uint32_t i = 0; i + 1 < count; ++i) {
      if (const auto pair = pair_at(i)) pairs.push_back(*pair);
    }
    heap_ = Heap(Later{}, std::move(pairs));
  }

  // Merges until no pair is listed; returns the work done.
  std::uint64_t run() {
    while (!heap_.empty()) {
      const Pair pair = heap_.top();
      heap_.pop();
      ++work_;
      Node& left = nodes_[pair.left];
      if (left.id != pair.left_id || left.next == kEnd) continue;
      const Node right = nodes_[left.next];
      if (right.id != pair.right_id) continue;
      nodes_[left.next].id = kNoToken;
      left.id = pair.result;
      left.next = right.next;
      if (right.next != kEnd) nodes_[right.next].previous = pair.left;
      if (left.previous != kEnd) push(left.previous);
      if (left.next != kEnd) push(pair.left);
    }
    return work_;
  }

  void append_to(std::vector<TokenId>& out) const {
    for (std::uint32_t at = 0; at != kEnd; at = nodes_[at].next) out.push_back(nodes_[at].id);
  }

 private:
  static constexpr std::uint32_t kEnd = 0xFFFFFFFF;
  struct Node {
    TokenId id;
    std::uint32_t previous;
    std::uint32_t next;
  };
  struct Pair {
    std::uint32_t rank;
    std::uint32_t left;  // the place of the left token
    TokenId left_id;
    TokenId right_id;
    TokenId result;
  };
  struct Later {
    bool operator()(const Pair& a, const Pair& b) const {
      return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
    }
  };
  using Heap = std::priority_queue<Pair, std::vector<Pair>, Later>;

  // The pair of the token at `left` and its neighbour, if they merge.
  std::optional<Pair> pair_at(std::uint32_t left) {
    const TokenId left_id = nodes_[left].id;
    const TokenId right_id = nodes_[nodes_[left].next].id;
    const Merge merge = merges_.find(left_id, right_id);
    ++work_;
    if (merge.rank == kNoRank) return std::nullopt;
    return Pair{merge.rank, left, left_id, right_id, merge.result};
  }

  void push(std::uint32_t left) {
    if (const auto pair = pair_at(left)) heap_.push(*pair);
  }

  const BpeMerges& merges_;
  std::vector<Node> nodes_;
  Heap heap_;
  std::uint64_t work_ = 0;
};

std::uint64_t BpeMerges::merge_by_heap(const Vocabulary& vocab, std::string_view word,
                                       std::vector<TokenId>& out) const {
  Chain chain(*this, vocab, word);
  const std::uint64_t work = chain.run();
  chain.append_to(out);
  return work;
}

}  // namespace notso
