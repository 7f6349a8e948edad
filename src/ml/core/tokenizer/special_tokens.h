// Finds special tokens in trusted text: at each place the longest one that is written there.
//
// The tokens are sorted; the candidates at a place are a range of them that each further byte
// narrows, starting from a table by first byte. A place costs at most the length of the longest
// token times the logarithm of their number.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ml/core/tokenizer/tokenizer.h"

namespace notso {

// A special token found in a text.
struct SpecialMatch {
  std::size_t begin = 0;
  std::size_t length = 0;
  TokenId id = 0;
};

// Immutable once built.
class SpecialTokens {
 public:
  SpecialTokens() = default;
  // `tokens`: each one's name, not empty, and its id.
  explicit SpecialTokens(std::vector<std::pair<std::string, TokenId>> tokens);

  // The first special token that begins at or after `from` and ends by `end`; length 0 and begin
  // `end` if there is none.
  [[nodiscard]] SpecialMatch find(std::string_view text, std::size_t from, std::size_t end) const;

 private:
  using Entry = std::pair<std::string, TokenId>;
  [[nodiscard]] SpecialMatch longest_at(std::string_view text, std::size_t at) const;

  std::vector<Entry> sorted_;
  std::array<std::size_t, 257>
      first_{};  // the tokens that begin with byte b: [first_[b], first_[b + 1])
};

}  // namespace notso
