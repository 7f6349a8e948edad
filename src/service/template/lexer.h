// Cuts a template's source into tokens, with Jinja's whitespace rules applied: what a tag strips
// from the text around it is gone from the data tokens.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "service/template/environment.h"

namespace notso::jinja {

// What a token is. Operators are told apart by their text.
enum class TokenKind {
  kData,           // text outside of tags
  kVariableBegin,  // {{
  kVariableEnd,    // }}
  kBlockBegin,     // {%
  kBlockEnd,       // %}
  kName,
  kString,  // text is the unescaped value
  kInteger,
  kFloat,
  kOperator,
  kEnd
};

// One token.
struct Token {
  TokenKind kind = TokenKind::kEnd;
  int line = 1;
  std::string text;
  std::int64_t integer = 0;
  double number = 0;
};

// A token, and where it came from, when the source is wrong: thrown by the lexer and the parser.
struct SyntaxError {
  std::string message;
  int line;
};

// All tokens of `source`; the last is kEnd. Throws SyntaxError.
std::vector<Token> tokenize(std::string_view source, const Options& options);

}  // namespace notso::jinja
