// Byte-pair merging: a pre-token starts as the tokens of its bytes; of all neighbouring pairs that
// the file lists as merges, the best listed one (the leftmost of equals) becomes one token, until
// no pair is listed.
//
// A merge is found in a flat hash table on (left id, right id). Short words look for the best pair
// by scanning; long ones (a megabyte of one letter is one pre-token) keep the pairs in a heap, so
// the work grows as n log n at worst.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ml/core/tokenizer/vocab_source.h"
#include "ml/core/tokenizer/vocabulary.h"

namespace notso {

// The merges of one vocabulary. Immutable once built.
class BpeMerges {
 public:
  // Checks that both sides and the result of every merge are normal tokens, so that merging can
  // never make a special one.
  static Result<BpeMerges> build(const VocabSource& source, const Vocabulary& vocab);

  // Merges one pre-token and appends its ids to `out`. Returns how often a pair was looked up or
  // taken from the heap: the work done.
  std::uint64_t merge(const Vocabulary& vocab, std::string_view word,
                      std::vector<TokenId>& out) const;

 private:
  static constexpr std::uint32_t kNoRank = 0xFFFFFFFF;
  static constexpr std::size_t kScanLengthMax = 48;

  // What a pair becomes; rank is its place in the file's list.
  struct Merge {
    std::uint32_t rank = kNoRank;
    TokenId result = kNoToken;
  };
  struct Slot {
    std::uint64_t pair = ~std::uint64_t{0};
    Merge merge;
  };
  [[nodiscard]] Merge find(TokenId left, TokenId right) const;
  void insert(TokenId left, TokenId right, Merge merge);
  std::uint64_t merge_by_scan(const Vocabulary& vocab, std::string_view word,
                              std::vector<TokenId>& out) const;
  std::uint64_t merge_by_heap(const Vocabulary& vocab, std::string_view word,
                              std::vector<TokenId>& out) const;
  class Chain;

  std::vector<Slot> slots_;  // open addressing, a power of two, at most half full
};

}  // namespace notso
