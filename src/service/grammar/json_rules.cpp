#include "service/grammar/json_rules.h"

#include <algorithm>

namespace notso::grammar {
namespace {

constexpr std::uint32_t kMaxIndent = 20;
constexpr std::uint32_t kMaxDigits = 15;

// The escape of a character that must not stand in a string as it is.
std::string escape_of(char32_t c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      break;
  }
  constexpr std::string_view kHex = "0123456789abcdef";
  return std::string("\\u00") + kHex[c >> 4] + kHex[c & 15];
}

bool must_escape(char32_t c) { return c < 0x20 || c == '"' || c == '\\'; }

}  // namespace

std::string json_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    out += must_escape(byte) ? escape_of(byte) : std::string(1, c);
  }
  return out + "\"";
}

ExprId json_string_chars(const std::vector<CodeRange>& ranges, ExpressionPool& pool) {
  std::vector<CodeRange> plain;
  std::vector<ExprId> alternatives;
  for (CodeRange range : ranges) {
    for (char32_t c = range.lo; c <= std::min<char32_t>(range.hi, '\\'); ++c) {
      if (!must_escape(c)) continue;
      alternatives.push_back(pool.literal(escape_of(c)));
      if (c > range.lo) plain.push_back({range.lo, c - 1});
      range.lo = c + 1;
    }
    if (range.lo <= range.hi) plain.push_back(range);
  }
  alternatives.push_back(pool.char_class(std::move(plain)));
  return pool.choice(alternatives);
}

ExprId json_string_char(ExpressionPool& pool) {
  const std::vector<CodeRange> hex{{'0', '9'}, {'a', 'f'}, {'A', 'F'}};
  const ExprId any_hex = pool.char_class(hex);
  const ExprId d = pool.char_class({{'d', 'd'}, {'D', 'D'}});
  const ExprId not_d =
      pool.char_class({{'0', '9'}, {'a', 'c'}, {'A', 'C'}, {'e', 'f'}, {'E', 'F'}});
  const ExprId high = pool.char_class({{'8', '9'}, {'a', 'b'}, {'A', 'B'}});
  const ExprId low = pool.char_class({{'c', 'f'}, {'C', 'F'}});
  const ExprId two_hex = pool.sequence({any_hex, any_hex});
  const ExprId unit =
      pool.choice({pool.sequence({not_d, any_hex, two_hex}),
                   pool.sequence({d, pool.char_class({{'0', '7'}}), two_hex}),
                   pool.sequence({d, high, two_hex, pool.literal("\\u"), d, low, two_hex})});
  const ExprId simple = pool.char_class({{'"', '"'},
                                         {'\\', '\\'},
                                         {'/', '/'},
                                         {'b', 'b'},
                                         {'f', 'f'},
                                         {'n', 'n'},
                                         {'r', 'r'},
                                         {'t', 't'}});
  const ExprId escape = pool.sequence(
      {pool.literal("\\"), pool.choice({simple, pool.sequence({pool.literal("u"), unit})})});
  return pool.choice({pool.char_class({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}}, true), escape});
}

RuleId any_object_rule(ExpressionPool& pool) {
  JsonRules json(pool);
  const RuleId root = pool.add_rule("(any object)");
  pool.define(root, json.any_object());
  return root;
}

ExprId JsonRules::space() {
  if (!space_) {
    const ExprId blank = pool_.char_class({{' ', ' '}, {'\t', '\t'}});
    const ExprId line = pool_.sequence({pool_.literal("\n"), pool_.repeat(blank, 0, kMaxIndent)});
    space_ = pool_.optional(pool_.choice({pool_.literal(" "), line}));
  }
  return *space_;
}

ExprId JsonRules::space_after_colon() { return pool_.optional(pool_.literal(" ")); }

ExprId JsonRules::separator() { return pool_.sequence({pool_.literal(","), space()}); }

ExprId JsonRules::enclosed(char open, ExprId inside, char close) {
  const ExprId first = pool_.literal(std::string(1, open));
  const ExprId last = pool_.literal(std::string(1, close));
  return pool_.sequence({first, space(), inside, space(), last});
}

ExprId JsonRules::member(std::string_view key, ExprId value) {
  return pool_.sequence({pool_.literal(json_quoted(key) + ":"), space_after_colon(), value});
}

ExprId JsonRules::any_string() {
  if (!string_) {
    const ExprId quote = pool_.literal("\"");
    const ExprId chars = pool_.repeat(json_string_char(pool_), 0, kUnbounded);
    string_ = pool_.hidden_rule("(string)", pool_.sequence({quote, chars, quote}));
  }
  return *string_;
}

ExprId JsonRules::any_integer() {
  if (!integer_) {
    const ExprId digit = pool_.char_class({{'0', '9'}});
    const ExprId positive =
        pool_.sequence({pool_.char_class({{'1', '9'}}), pool_.repeat(digit, 0, kMaxDigits - 1)});
    const ExprId minus = pool_.optional(pool_.literal("-"));
    integer_ = pool_.hidden_rule(
        "(integer)", pool_.choice({pool_.literal("0"), pool_.sequence({minus, positive})}));
  }
  return *integer_;
}

ExprId JsonRules::any_number() {
  if (!number_) {
    const ExprId digit = pool_.char_class({{'0', '9'}});
    const ExprId positive =
        pool_.sequence({pool_.char_class({{'1', '9'}}), pool_.repeat(digit, 0, kMaxDigits - 1)});
    const ExprId whole = pool_.sequence(
        {pool_.optional(pool_.literal("-")), pool_.choice({pool_.literal("0"), positive})});
    const ExprId fraction =
        pool_.sequence({pool_.literal("."), pool_.repeat(digit, 1, kMaxDigits)});
    const ExprId exponent = pool_.sequence(
        {pool_.char_class({{'e', 'e'}, {'E', 'E'}}),
         pool_.optional(pool_.char_class({{'+', '+'}, {'-', '-'}})), pool_.repeat(digit, 1, 2)});
    number_ = pool_.hidden_rule(
        "(number)", pool_.sequence({whole, pool_.optional(fraction), pool_.optional(exponent)}));
  }
  return *number_;
}

void JsonRules::make_containers() {
  if (value_) return;
  value_ = pool_.add_rule("(value)");
  object_ = pool_.add_rule("(object)");
  array_ = pool_.add_rule("(array)");
  if (!pool_.status()) return;
  const ExprId value = pool_.reference(*value_);
  const ExprId member =
      pool_.sequence({any_string(), pool_.literal(":"), space_after_colon(), value});
  const auto list_of = [&](ExprId part) {
    const ExprId more = pool_.sequence({separator(), part});
    return pool_.sequence({part, pool_.repeat(more, 0, kUnbounded)});
  };
  pool_.define(object_,
               pool_.choice({pool_.sequence({pool_.literal("{"), space(), pool_.literal("}")}),
                             enclosed('{', list_of(member), '}')}));
  pool_.define(array_,
               pool_.choice({pool_.sequence({pool_.literal("["), space(), pool_.literal("]")}),
                             enclosed('[', list_of(value), ']')}));
  pool_.define(*value_, pool_.choice({any_string(), any_number(), pool_.reference(object_),
                                      pool_.reference(array_), pool_.literal("true"),
                                      pool_.literal("false"), pool_.literal("null")}));
}

ExprId JsonRules::any_value() {
  make_containers();
  return pool_.reference(*value_);
}

ExprId JsonRules::any_object() {
  make_containers();
  return pool_.reference(object_);
}

ExprId JsonRules::any_array() {
  make_containers();
  return pool_.reference(array_);
}

}  // namespace notso::grammar
