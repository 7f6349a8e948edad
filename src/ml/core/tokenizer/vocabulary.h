// The tokens of a vocabulary as bytes, and which token a string of bytes is.
//
// Byte-level BPE files write the bytes of an ordinary token in an alphabet of 256 printable
// characters (GPT-2's): a byte that is a printable character of Latin-1 is that character, and the
// 68 others are U+0100 and up, in order; a space is "Ġ" (U+0120). Control and user-defined tokens
// are written plainly.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ml/core/tokenizer/vocab_source.h"

namespace notso {

inline constexpr TokenId kNoToken = -1;

// The bytes that `written` spells in GPT-2's alphabet; nothing if it has other characters.
std::optional<std::string> decode_byte_alphabet(std::string_view written);

// Immutable once built.
class Vocabulary {
 public:
  // Fails if a byte has no token: then some text could not be written.
  static Result<Vocabulary> build(const VocabSource& source);

  // Ids are 0 .. size() - 1.
  [[nodiscard]] TokenId size() const { return static_cast<TokenId>(kinds_.size()); }

  // The kind of a token; `id` must be in the vocabulary.
  [[nodiscard]] TokenKind kind(TokenId id) const { return kinds_[static_cast<std::size_t>(id)]; }

  // Whether the token is ordinary text that merging can make.
  [[nodiscard]] bool is_word(TokenId id) const { return is_word_[static_cast<std::size_t>(id)]; }

  // The bytes of a token; `id` must be in the vocabulary.
  [[nodiscard]] std::string_view bytes(TokenId id) const {
    const auto i = static_cast<std::size_t>(id);
    return {bytes_.data() + offsets_[i], offsets_[i + 1] - offsets_[i]};
  }

  // The normal token with exactly these bytes, or kNoToken. Special tokens are never found here, so
  // ordinary text cannot become one.
  [[nodiscard]] TokenId find_word(std::string_view bytes) const;

  // The token that stands for one byte where nothing is merged.
  [[nodiscard]] TokenId byte_token(unsigned char byte) const { return byte_tokens_[byte]; }

  // The length of the longest normal token, in bytes.
  [[nodiscard]] std::size_t word_length_max() const { return word_length_max_; }

 private:
  struct Slot {
    std::uint32_t tag = 0;
    TokenId id = kNoToken;
  };
  void add_words();
  Status find_byte_tokens(const VocabSource& source);

  std::string bytes_;
  std::vector<std::size_t> offsets_;  // size() + 1
  std::vector<TokenKind> kinds_;
  std::vector<bool> is_word_;
  std::vector<Slot> slots_;  // open addressing, a power of two, at most half full
  std::vector<TokenId> byte_tokens_;
  std::size_t word_length_max_ = 0;
};

}  // namespace notso
