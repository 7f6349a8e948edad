#include "service/grammar/gbnf.h"

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "service/grammar/limits.h"
#include "service/grammar/utf8_ranges.h"

namespace notso::grammar {
namespace {

constexpr char32_t kLastCodePoint = 0x10FFFF;

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// One rule at a time, with a stack of the parentheses that are open. Every step that can fail sets
// `error_` and returns false.
class GbnfParser {
 public:
  GbnfParser(std::string_view text, ExpressionPool& pool) : text_(text), pool_(pool) {}

  Result<RuleId> run() {
    skip_space(true);
    while (pos_ < text_.size()) {
      if (!parse_rule()) return tl::unexpected(*error_);
      skip_space(true);
    }
    const auto root = rules_.find("root");
    if (root == rules_.end()) {
      return fail(ErrorCode::kInvalidArgument,
                  "The grammar has no rule 'root'; it names what the answer is.");
    }
    for (const auto& [name, rule] : rules_) {
      if (rule.is_defined) continue;
      pos_ = rule.first_use;
      refuse("the rule '" + name + "' is used but not defined");
      return tl::unexpected(*error_);
    }
    return root->second.id;
  }

 private:
  struct NamedRule {
    RuleId id = 0;
    bool is_defined = false;
    std::size_t first_use = 0;
  };
  // What is read of one pair of parentheses, or of the rule itself.
  struct Group {
    std::vector<ExprId> alternatives;
    std::vector<ExprId> items;
  };

  bool refuse(const std::string& what, ErrorCode code = ErrorCode::kInvalidArgument) {
    const std::string_view before = text_.substr(0, pos_);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t line_start = before.rfind('\n') + 1;
    error_ = Error{code, "The grammar, line " + std::to_string(line) + ", column " +
                             std::to_string(pos_ - line_start + 1) + ": " + what + "."};
    return false;
  }

  bool refuse_pool() {
    error_ = pool_.status().error();
    return false;
  }

  [[nodiscard]] char peek() const { return pos_ < text_.size() ? text_[pos_] : '\0'; }

  void skip_space(bool over_lines) {
    while (pos_ < text_.size()) {
      const char c = text_[pos_];
      if (c == '#') {
        pos_ = std::min(text_.find('\n', pos_), text_.size());
      } else if (c == ' ' || c == '\t' || (over_lines && (c == '\n' || c == '\r'))) {
        ++pos_;
      } else {
        break;
      }
    }
  }

  std::string read_name() {
    const std::size_t start = pos_;
    while (pos_ < text_.size() && is_name_char(text_[pos_])) ++pos_;
    return std::string(text_.substr(start, pos_ - start));
  }

  NamedRule& named(const std::string& name) {
    auto [found, is_new] = rules_.try_emplace(name);
    if (is_new) found->second = {pool_.add_rule(name), false, pos_};
    return found->second;
  }

  bool parse_rule() {
    const std::size_t start = pos_;
    const std::string name = read_name();
    if (name.empty()) return refuse("a rule name is expected, like root ::= \"text\"");
    NamedRule& rule = named(name);
    if (rule.is_defined) {
      pos_ = start;
      return refuse("the rule '" + name + "' is defined twice");
    }
    rule.is_defined = true;
    skip_space(false);
    if (text_.substr(pos_, 3) != "::=") return refuse("'::=' is expected after a rule's name");
    pos_ += 3;
    skip_space(true);
    groups_.assign(1, {});
    bool goes_on = true;
    while (goes_on) {
      if (!parse_part(goes_on)) return false;
      if (!pool_.status()) return refuse_pool();
    }
    if (groups_.size() > 1) return refuse("')' is missing");
    // `rules_` may have grown, but its elements stay where they are.
    pool_.define(rule.id, close_group());
    return true;
  }

  // One item, operator or parenthesis; `goes_on` becomes false at the end of the rule.
  bool parse_part(bool& goes_on) {
    skip_space(groups_.size() > 1);
    const char c = peek();
    if (c == '\0' && pos_ >= text_.size()) return goes_on = false, true;
    if (c == '\n' || c == '\r') {
      skip_space(true);
      goes_on = peek() == '|';
      return true;
    }
    if (c == '"') return parse_literal();
    if (c == '[') return parse_class();
    if (c == '(') return open_group();
    if (c == ')') {
      if (groups_.size() == 1) return refuse("')' closes nothing");
      ++pos_;
      const ExprId group = close_group();
      groups_.back().items.push_back(group);
      return true;
    }
    if (c == '|') {
      ++pos_;
      skip_space(true);
      end_alternative();
      return true;
    }
    if (c == '.') {
      ++pos_;
      groups_.back().items.push_back(pool_.char_class({{0, kLastCodePoint}}));
      return true;
    }
    if (c == '*' || c == '+' || c == '?' || c == '{') return parse_repetition();
    if (is_name_char(c)) {
      NamedRule& rule = named(read_name());
      groups_.back().items.push_back(pool_.reference(rule.id));
      return true;
    }
    if (c == '<' || c == '!') {
      return refuse("tokens like <[1000]> are not supported", ErrorCode::kUnsupported);
    }
    return refuse("a literal, a class, a rule's name or an operator is expected");
  }

  bool open_group() {
    if (groups_.size() > kMaxNesting) {
      return refuse("parentheses are nested deeper than " + std::to_string(kMaxNesting),
                    ErrorCode::kResourceExhausted);
    }
    ++pos_;
    groups_.emplace_back();
    return true;
  }

  void end_alternative() {
    Group& group = groups_.back();
    group.alternatives.push_back(pool_.sequence(group.items));
    group.items.clear();
  }

  ExprId close_group() {
    end_alternative();
    const ExprId expr = pool_.choice(groups_.back().alternatives);
    groups_.pop_back();
    return expr;
  }

  bool parse_repetition() {
    std::vector<ExprId>& items = groups_.back().items;
    if (items.empty()) return refuse("there is nothing before this to repeat");
    std::uint32_t min = 0;
    std::uint32_t max = kUnbounded;
    const char c = text_[pos_++];
    if (c == '+') min = 1;
    if (c == '?') max = 1;
    if (c == '{' && !parse_bounds(min, max)) return false;
    items.back() = pool_.repeat(items.back(), min, max);
    return true;
  }

  bool parse_bounds(std::uint32_t& min, std::uint32_t& max) {
    const std::size_t start = pos_;
    skip_space(false);
    const std::optional<std::uint32_t> low = read_number();
    skip_space(false);
    std::optional<std::uint32_t> high = low;
    if (peek() == ',') {
      ++pos_;
      skip_space(false);
      high = read_number();
      skip_space(false);
      if (!high) high = kUnbounded;
    } else if (!low) {
      return refuse("a number is expected in {m,n}");
    }
    if (peek() != '}') return refuse("'}' is expected after the numbers of {m,n}");
    ++pos_;
    min = low.value_or(0);
    max = *high;
    if (max >= min) return true;
    pos_ = start;
    return refuse("in {m,n} m is greater than n");
  }

  // Stops counting far above the limit, which the pool then enforces.
  std::optional<std::uint32_t> read_number() {
    if (peek() < '0' || peek() > '9') return std::nullopt;
    std::uint32_t value = 0;
    for (; peek() >= '0' && peek() <= '9'; ++pos_) {
      value = std::min(value * 10 + static_cast<std::uint32_t>(peek() - '0'), 100'000'000u);
    }
    return value;
  }

  // A character of a literal or a class, written plainly or as an escape.
  bool read_char(char32_t& out) {
    if (text_[pos_] != '\\') {
      const std::int32_t code_point = next_code_point(text_, pos_);
      if (code_point < 0) return refuse("this is not valid UTF-8");
      out = static_cast<char32_t>(code_point);
      return true;
    }
    if (++pos_ >= text_.size()) return refuse("an escape is cut off");
    const char c = text_[pos_++];
    constexpr std::string_view kNames = "nrt\\\"[]-";
    constexpr std::string_view kValues = "\n\r\t\\\"[]-";
    const std::size_t simple = kNames.find(c);
    if (simple != std::string_view::npos) {
      out = static_cast<std::uint8_t>(kValues[simple]);
      return true;
    }
    const int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0) return refuse("this escape is not known");
    out = 0;
    for (int i = 0; i < digits; ++i) {
      const int digit = hex_digit(peek());
      if (digit < 0) return refuse("an escape has too few hexadecimal digits");
      out = out * 16 + static_cast<char32_t>(digit);
      ++pos_;
    }
    if (out > kLastCodePoint || (out >= 0xD800 && out <= 0xDFFF)) {
      return refuse("an escape is not a Unicode character");
    }
    return true;
  }

  bool parse_literal() {
    ++pos_;
    std::string bytes;
    while (peek() != '"') {
      if (pos_ >= text_.size() || peek() == '\n') return refuse("a literal is not closed");
      char32_t code_point = 0;
      if (!read_char(code_point)) return false;
      append_utf8(code_point, bytes);
    }
    ++pos_;
    groups_.back().items.push_back(pool_.literal(bytes));
    return true;
  }

  bool parse_class() {
    ++pos_;
    const bool negated = peek() == '^';
    if (negated) ++pos_;
    std::vector<CodeRange> ranges;
    while (peek() != ']') {
      if (pos_ >= text_.size() || peek() == '\n') return refuse("a class is not closed");
      CodeRange range{};
      if (!read_char(range.lo)) return false;
      range.hi = range.lo;
      if (peek() == '-' && pos_ + 1 < text_.size() && text_[pos_ + 1] != ']') {
        ++pos_;
        if (!read_char(range.hi)) return false;
        if (range.hi < range.lo) return refuse("a range of a class runs backwards");
      }
      ranges.push_back(range);
    }
    ++pos_;
    groups_.back().items.push_back(pool_.char_class(std::move(ranges), negated));
    return true;
  }

  std::string_view text_;
  ExpressionPool& pool_;
  std::size_t pos_ = 0;
  std::unordered_map<std::string, NamedRule> rules_;
  std::vector<Group> groups_;
  std::optional<Error> error_;
};

}  // namespace

Result<RuleId> parse_gbnf(std::string_view text, ExpressionPool& pool) {
  Result<RuleId> root = GbnfParser(text, pool).run();
  if (root && !pool.status()) return tl::unexpected(pool.status().error());
  return root;
}

}  // namespace notso::grammar
