// Regular expressions in ECMAScript's Unicode syntax, the part of it that is regular: characters,
// '.', classes with \d \w \s \D \W \S, groups (capturing, named or not), '|', and the quantifiers
// * + ? {m} {m,} {m,n}, whose lazy forms match the same texts. Escapes are \t \n \r \f \v \0 \xHH
// \uHHHH \u{H...} and '\' before punctuation. '^' and '$' may stand at the ends of an outermost
// alternative. Backreferences, lookaround, \b, \p and flags are refused by name.
#pragma once

#include <cstdint>
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

// How many characters a text may have.
struct TextLength {
  std::uint32_t min = 0;
  std::uint32_t max = kUnbounded;
};

// The expression for `pattern`, of whose texts only those of the given length match: kUnsupported
// where an outermost alternative has more than one part whose length may vary ("a*b*"), unless all
// its texts have such a length. `name` begins the messages: "The regular expression".
Result<ExprId> parse_regex(std::string_view pattern, RegexUse use, std::string_view name,
                           ExpressionPool& pool, TextLength length = {});

// As a rule for a whole answer.
Result<RuleId> parse_regex_rule(std::string_view pattern, ExpressionPool& pool);

}  // namespace notso::grammar
