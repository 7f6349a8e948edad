// Byte-level BPE, equal to llama.cpp's for the vocabulary of a GGUF file and to Hugging Face's for
// a tokenizer.json.
//
// Text is not control: only text in a trusted span (a literal of the chat template) can become a
// control token such as
// <|im_end|>. The same characters in an untrusted span (a message) are ordinary text.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ml/core/gguf/gguf.h"

namespace notso {

using TokenId = std::int32_t;

// GGUF's token types.
enum class TokenKind : std::uint8_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

// A piece of text and whether its special tokens count.
struct TextSpan {
  std::string_view text;
  bool trusted = false;
};

// An immutable vocabulary with its merges. Safe to use from many threads.
class Tokenizer {
 public:
  // From `tokenizer.ggml.*`. Other models than byte-level BPE ("gpt2") and unknown pre-tokenisers
  // are refused by name. The tokenizer keeps no reference to the file.
  static Result<std::shared_ptr<const Tokenizer>> from_gguf(const GgufFile& file);

  // From a Hugging Face tokenizer.json on disk (at most 64 MiB).
  static Result<std::shared_ptr<const Tokenizer>> from_json_file(const std::string& path);

  // The ids of one text. `trusted`: special tokens written in it become those tokens.
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text, bool trusted = false) const;

  // The ids of adjoining spans, appended to `out`. Neighbouring spans are joined before the
  // pre-tokeniser, so where a text was cut into spans does not change its ids (special tokens
  // aside).
  void encode(std::span<const TextSpan> spans, std::vector<TokenId>& out) const;

  // The bytes of a token as text: what it adds to the output. Special tokens give their name if
  // `special`, else nothing. An id outside the vocabulary gives nothing.
  [[nodiscard]] std::string_view token_bytes(TokenId id, bool special = true) const;

  // The bytes of all ids in turn; may be invalid UTF-8 where the tokens are.
  [[nodiscard]] std::string decode(std::span<const TokenId> ids, bool special = true) const;

  // Ids run from 0 to vocab_size() - 1; any other is of kind kUnknown.
  [[nodiscard]] TokenId vocab_size() const;
  [[nodiscard]] TokenKind kind(TokenId id) const;

  // The token written exactly so in the vocabulary ("<|im_end|>"), whatever its kind.
  [[nodiscard]] std::optional<TokenId> find(std::string_view token) const;

  // Control and user-defined tokens, in id order.
  [[nodiscard]] std::span<const TokenId> special_tokens() const;

  // Beginning-of-text and end-of-text ids where the file declares them, and whether a BOS is to be
  // prepended.
  [[nodiscard]] std::optional<TokenId> bos() const;
  [[nodiscard]] std::optional<TokenId> eos() const;
  [[nodiscard]] bool add_bos() const;

  // Every id that ends a generation: eos, eot and the like as declared, and <|im_end|>,
  // <|end_of_text|>, <|eot_id|> where they exist as control tokens.
  [[nodiscard]] std::span<const TokenId> end_tokens() const;

  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;
  ~Tokenizer();

 private:
  Tokenizer();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Turns token bytes into whole UTF-8 characters: bytes of an unfinished character are held back
// until it is whole; bytes that can never become one come out as U+FFFD, by the Unicode standard's
// maximal-subpart rule.
class Utf8Stream {
 public:
  // Appends to `out` what is complete after `bytes`.
  void feed(std::string_view bytes, std::string& out);
  // The end: a held-back rest comes out as U+FFFD.
  void finish(std::string& out);

 private:
  std::string pending_;
};

}  // namespace notso
