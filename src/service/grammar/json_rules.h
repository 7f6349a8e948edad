// JSON's own grammar, and how this program lets a model write it.
//
// Whitespace: after '{', '[' and ',' and before '}' and ']' there may be one space, or a line break
// and up to 20 spaces or tabs; after ':' one space. Nowhere else. A model may so write compactly,
// with spaces or indented, but cannot fill its answer with blanks.
//
// Numbers have at most 15 digits before the point, 15 behind it and two in the exponent, so that
// every program reads them as finite numbers.
//
// Strings may hold every character and every escape, but never half of a surrogate pair.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/grammar/expression.h"

namespace notso::grammar {

// The text of a JSON string literal, quotes included, with no escape that is not needed.
std::string json_quoted(std::string_view text);

// One character out of `ranges` (sorted, apart) within a JSON string, spelled without needless
// escapes.
ExprId json_string_chars(const std::vector<CodeRange>& ranges, ExpressionPool& pool);

// Any one character within a JSON string, in every spelling.
ExprId json_string_char(ExpressionPool& pool);

// Any JSON object as the whole answer.
RuleId any_object_rule(ExpressionPool& pool);

// The rules of JSON in one pool, each made when it is first asked for.
class JsonRules {
 public:
  explicit JsonRules(ExpressionPool& pool) : pool_(pool) {}

  // Where a line may break, and what may follow a colon.
  ExprId space();
  ExprId space_after_colon();

  // Every JSON value.
  ExprId any_value();
  // Of any characters.
  ExprId any_string();
  // With an optional fraction and exponent.
  ExprId any_number();
  // Without either.
  ExprId any_integer();
  // Of any members.
  ExprId any_object();
  // Of any items.
  ExprId any_array();

  // A whole object or array of parts that are given: brackets, spaces and commas around `parts`.
  // `separator` is the comma with its space.
  ExprId separator();
  ExprId enclosed(char open, ExprId inside, char close);
  // "key": value
  ExprId member(std::string_view key, ExprId value);

 private:
  void make_containers();

  ExpressionPool& pool_;
  std::optional<ExprId> space_;
  std::optional<ExprId> string_;
  std::optional<ExprId> number_;
  std::optional<ExprId> integer_;
  std::optional<RuleId> value_;
  RuleId object_ = 0;
  RuleId array_ = 0;
};

}  // namespace notso::grammar
