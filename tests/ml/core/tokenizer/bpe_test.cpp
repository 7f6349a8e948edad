// Merging against its definition, written naively here, and the work that it takes.
#include "ml/core/tokenizer/bpe.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <random>
#include <rapidcheck/gtest.h>

#include "ml/core/tokenizer/small_vocab.h"

namespace notso {
namespace {

using Merges = std::vector<std::pair<std::string, std::string>>;

// A vocabulary and its merges as the tokenizer holds them.
struct Fixture {
  explicit Fixture(Merges list) : small{.merges = std::move(list)}, tokens(small.tokens()) {
    source.tokens.assign(tokens.begin(), tokens.end());
    source.kinds.assign(tokens.size(), TokenKind::kNormal);
    for (const auto& [left, right] : small.merges) {
      written.emplace_back(in_byte_alphabet(left), in_byte_alphabet(right));
    }
    source.merges.assign(written.begin(), written.end());
    vocab = Vocabulary::build(source).value();
    merges = BpeMerges::build(source, vocab).value();
  }

  std::vector<std::string> merge(const std::string& word) const {
    std::vector<TokenId> ids;
    merges.merge(vocab, word, ids);
    std::vector<std::string> parts;
    for (const TokenId id : ids) parts.emplace_back(vocab.bytes(id));
    return parts;
  }

  // The definition: the best listed pair, the leftmost of equals, until none is listed.
  std::vector<std::string> merge_naively(const std::string& word) const {
    std::vector<std::string> parts;
    for (const char c : word) parts.emplace_back(1, c);
    for (;;) {
      std::size_t best = small.merges.size();
      std::size_t best_at = 0;
      for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        const auto found =
            std::find(small.merges.begin(), small.merges.end(), std::pair(parts[i], parts[i + 1]));
        const auto rank = static_cast<std::size_t>(found - small.merges.begin());
        if (rank >= best) continue;
        best = rank;
        best_at = i;
      }
      if (best == small.merges.size()) return parts;
      parts[best_at] += parts[best_at + 1];
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
    }
  }

  SmallVocab small;
  std::vector<std::string> tokens;
  Merges written;
  VocabSource source;
  Vocabulary vocab;
  BpeMerges merges;
};

std::string random_word(unsigned seed, std::size_t length, std::string_view alphabet) {
  std::mt19937 random(seed);
  std::string word;
  while (word.size() < length) word += alphabet[random() % alphabet.size()];
  return word;
}

TEST(BpeTest, MergesByRankAndNotByPlace) {
  const Fixture f(Merges{{"b", "c"}, {"a", "b"}});
  EXPECT_EQ(f.merge("abc"), (std::vector<std::string>{"a", "bc"}));
}

TEST(BpeTest, MergesTheLeftmostOfEqualPairs) {
  const Fixture f(Merges{{"a", "a"}});
  EXPECT_EQ(f.merge("aaa"), (std::vector<std::string>{"aa", "a"}));
}

TEST(BpeTest, AgreesWithTheDefinitionOnWordsOfAnyLength) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    const Fixture f(random_merges(seed, 60, "abc"));
    for (const std::size_t length : {1, 2, 3, 7, 20, 47, 48, 49, 50, 130}) {
      const std::string word =
          random_word(seed * 1000 + static_cast<unsigned>(length), length, "abc");
      ASSERT_EQ(f.merge(word), f.merge_naively(word)) << word;
    }
  }
}

// n log n work would pass, n squared would not: the bound is ten steps a byte.
TEST(BpeTest, TakesNearLinearWorkOnLongWords) {
  const Fixture same(prefix_merges({"aa", "aaaa", "aaaaaaaa"}));
  const Fixture random(random_merges(5, 200, "abc"));
  for (const std::size_t length : {1'000u, 131'072u}) {
    std::vector<TokenId> ids;
    const std::string letters = random_word(1, length, "abc");
    EXPECT_LE(same.merges.merge(same.vocab, std::string(length, 'a'), ids), 10 * length);
    EXPECT_LE(random.merges.merge(random.vocab, letters, ids), 10 * length);
  }
}

TEST(BpeTest, RefusesAMergeThatMakesASpecialToken) {
  Fixture f(Merges{{"<", "s"}, {"<s", ">"}});
  f.source.kinds[257] = TokenKind::kControl;
  const Vocabulary vocab = Vocabulary::build(f.source).value();
  const auto merges = BpeMerges::build(f.source, vocab);
  ASSERT_FALSE(merges);
  EXPECT_NE(merges.error().message.find("merge 1 ('<s' and '>')"), std::string::npos);
}

}  // namespace
}  // namespace notso
