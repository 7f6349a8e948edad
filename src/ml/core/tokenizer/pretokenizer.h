// Cuts text into the pre-tokens of the Llama-3 pattern, within which byte pairs are merged:
//
//   (?i:'s|'t|'re|'ve|'m|'ll|'d)   a contraction
//   [^\r\n\p{L}\p{N}]?\p{L}+       letters, with one character before them
//   \p{N}{1,3}                     up to three digits
//    ?[^\s\p{L}\p{N}]+[\r\n]*      symbols, with a space before and line ends after them
//   \s*[\r\n]+                     white space up to its last line end
//   \s+(?!\S)                      white space but for its last character, if text follows
//   \s+                            white space
//
// The alternatives are tried in this order at each place. Each character decides by its class and
// at most two characters of lookahead which alternative takes it, so one forward pass suffices.
// Only white space is looked at more than once: a run is measured, its part up to the last line end
// is taken, and the rest is measured again, at most three times in all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ml/core/tokenizer/unicode.h"

namespace notso {

// Walks one text, which it neither owns nor changes. Every byte is in exactly one pre-token; a
// malformed byte is a symbol.
class Pretokenizer {
 public:
  explicit Pretokenizer(std::string_view text) : text_(text) {}

  // The next pre-token, empty at the end of the text.
  std::string_view next();

  // How many characters have been classified so far, repeats included: the work done.
  [[nodiscard]] std::uint64_t characters_read() const { return characters_read_; }

 private:
  struct Char {
    CharClass kind = CharClass::kSpace;
    std::uint32_t length = 0;
  };
  [[nodiscard]] Char read(std::size_t at);
  [[nodiscard]] bool is_line_end(std::size_t at) const;
  [[nodiscard]] std::size_t contraction_length(std::size_t at) const;
  [[nodiscard]] std::size_t skip_class(std::size_t at, CharClass kind);
  [[nodiscard]] std::size_t number_end(std::size_t at);
  [[nodiscard]] std::size_t symbols_end(std::size_t at);
  [[nodiscard]] std::size_t space_end(std::size_t at);
  [[nodiscard]] std::size_t token_end();

  std::string_view text_;
  std::size_t at_ = 0;
  std::uint64_t characters_read_ = 0;
};

}  // namespace notso
