// Regular expressions in ECMAScript's Unicode syntax, the part of it that is regular: characters,
// '.', classes with \d \w \s \D \W \S, groups (capturing, named or not), '|', and the quantifiers
// * + ? {m} {m,} {m,n}, whose lazy forms match the same texts. Escapes are \t \n \r \f \v \0 \xHH
// \uHHHH \u{H...} and '\' before punctuation. '^' and '$' may stand at the ends of an outermost
// alternative. Backreferences, lookaround, \b, \p and flags are refused by name.
#pragma once

#include <string_view>

#include "base/result.h"
#include "service/grammar/expression.h"

namespace notso::grammar {

// What text an expression is about.
enum class RegexUse {
  kWholeText,   // the text is what the expression matches, from end to end
  kJsonString,  // the text within the quotes of a JSON string, in which the expression is found
                // anywhere unless '^' and '$' say otherwise; characters are spelled as JSON must
};

// The expression for `pattern`. `name` begins the messages: "The regular expression".
Result<ExprId> parse_regex(std::string_view pattern, RegexUse use, std::string_view name,
                           ExpressionPool& pool);

// As a rule for a whole answer.
Result<RuleId> parse_regex_rule(std::string_view pattern, ExpressionPool& pool);

}  // namespace notso::grammar
