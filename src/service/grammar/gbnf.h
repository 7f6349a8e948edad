// GBNF, the grammar format of llama.cpp:
//
//   # a comment to the end of the line
//   root   ::= greeting ", " name ("!" | "?"){1,3}
//   name   ::= [A-Z] [^ \t\n]* | "\"" . "\""
//
// Rules are named by letters, digits, '-' and '_'; the answer is what `root` matches. Literals and
// classes hold Unicode characters and the escapes \n \r \t \\ \" \[ \] \- \xHH \uHHHH \UHHHHHHHH,
// each one code point. '.' is any character. A rule ends at the end of its line, except within
// parentheses, after '|' and before a line that begins with '|'.
#pragma once

#include <string_view>

#include "base/result.h"
#include "service/grammar/expression.h"

namespace notso::grammar {

// Adds the rules of `text` and returns that of `root`. Errors give line and column.
Result<RuleId> parse_gbnf(std::string_view text, ExpressionPool& pool);

}  // namespace notso::grammar
