// The text of single tokens, whose bytes may be the middle of a character.
#pragma once

#include <string>

#include "ml/core/tokenizer/tokenizer.h"

namespace notso::api {

// What the token writes, special ones by name; what is not UTF-8 by itself becomes U+FFFD.
[[nodiscard]] inline std::string token_text(const Tokenizer& tokenizer, TokenId token) {
  Utf8Stream stream;
  std::string text;
  stream.feed(tokenizer.token_bytes(token), text);
  stream.finish(text);
  return text;
}

}  // namespace notso::api
