#include "service/grammar/regex.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "service/grammar/json_rules.h"
#include "service/grammar/limits.h"
#include "service/grammar/utf8_ranges.h"

namespace notso::grammar {
namespace {

constexpr char32_t kLastCodePoint = 0x10FFFF;

const std::vector<CodeRange> kDigits{{'0', '9'}};
const std::vector<CodeRange> kWordChars{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const std::vector<CodeRange> kSpaces{
    {0x09, 0x0D},     {0x20, 0x20},     {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
    {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
const std::vector<CodeRange> kLineEnds{{0x0A, 0x0A}, {0x0D, 0x0D}, {0x2028, 0x2029}};

// Sums and products of lengths, in which kUnbounded and what is too large for it stay unbounded.
std::uint32_t narrowed(std::uint64_t length) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(length, kUnbounded));
}
TextLength sum(TextLength a, TextLength b) {
  return {narrowed(std::uint64_t{a.min} + b.min), narrowed(std::uint64_t{a.max} + b.max)};
}
TextLength times(TextLength a, TextLength count) {
  const bool endless = count.max == kUnbounded && a.max > 0;
  return {narrowed(std::uint64_t{a.min} * count.min),
          endless ? kUnbounded : narrowed(std::uint64_t{a.max} * count.max)};
}

// A part of a sequence, the length of its texts, and, where it repeats single characters, those.
struct Item {
  ExprId expr = 0;
  TextLength length;
  std::optional<ExprId> repeated;
};

class RegexParser {
 public:
  RegexParser(std::string_view text, RegexUse use, std::string_view name, ExpressionPool& pool,
              TextLength length)
      : text_(text), use_(use), name_(name), pool_(pool), length_(length) {}

  Result<ExprId> run() {
    groups_.emplace_back();
    while (pos_ < text_.size()) {
      if (!parse_part()) return tl::unexpected(*error_);
      if (!pool_.status()) return tl::unexpected(pool_.status().error());
    }
    if (groups_.size() > 1) {
      refuse("')' is missing");
      return tl::unexpected(*error_);
    }
    const ExprId expr = close_group().expr;
    if (error_) return tl::unexpected(*error_);
    if (!pool_.status()) return tl::unexpected(pool_.status().error());
    return expr;
  }

 private:
  struct Group {
    std::vector<ExprId> alternatives;
    TextLength length{kUnbounded, 0};  // of all alternatives
    std::vector<Item> items;
    bool starts_anchored = false;
    bool ends_anchored = false;
    bool can_repeat = false;  // the last item is one that a quantifier may follow
  };

  bool refuse(const std::string& what, ErrorCode code = ErrorCode::kInvalidArgument) {
    error_ = Error{
        code, std::string(name_) + ", at byte " + std::to_string(pos_ + 1) + ": " + what + "."};
    return false;
  }
  bool unsupported(const std::string& what) {
    return refuse(what + " is not supported", ErrorCode::kUnsupported);
  }

  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return pos_ + ahead < text_.size() ? text_[pos_ + ahead] : '\0';
  }

  void add(const Item& item) {
    groups_.back().items.push_back(item);
    groups_.back().can_repeat = true;
  }

  void add_class(std::vector<CodeRange> ranges, bool negated) {
    ranges = normal_ranges(std::move(ranges), negated);
    const ExprId expr = use_ == RegexUse::kJsonString ? json_string_chars(ranges, pool_)
                                                      : pool_.char_class(std::move(ranges));
    add({expr, {1, 1}, {}});
  }

  bool parse_part() {
    const char c = peek();
    switch (c) {
      case '(':
        return open_group();
      case ')': {
        if (groups_.size() == 1) return refuse("')' closes nothing");
        ++pos_;
        const Item group = close_group();
        add(group);
        return true;
      }
      case '|':
        ++pos_;
        end_alternative();
        return true;
      case '^':
      case '$':
        return parse_anchor(c);
      case '*':
      case '+':
      case '?':
      case '{':
        return parse_quantifier();
      case '[':
        return parse_class();
      case '.':
        ++pos_;
        add_class(kLineEnds, true);
        return true;
      case ']':
      case '}':
        return refuse(std::string("a single '") + c + "' is written \\" + c);
      default:
        return parse_char();
    }
  }

  bool parse_char() {
    std::vector<CodeRange> ranges;
    bool is_set = false;
    if (!read_char_or_set(ranges, is_set, false)) return false;
    add_class(std::move(ranges), false);
    return true;
  }

  bool open_group() {
    if (groups_.size() > kMaxNesting) {
      return refuse("groups are nested deeper than " + std::to_string(kMaxNesting),
                    ErrorCode::kResourceExhausted);
    }
    ++pos_;
    if (peek() == '?') {
      const char kind = peek(1);
      if (kind == '=' || kind == '!') return unsupported("lookahead");
      if (kind == '<' && (peek(2) == '=' || peek(2) == '!')) return unsupported("lookbehind");
      if (kind == '<') {
        const std::size_t close = text_.find('>', pos_);
        if (close == std::string_view::npos) return refuse("a group's name is not closed");
        pos_ = close + 1;
      } else if (kind == ':') {
        pos_ += 2;
      } else {
        return unsupported("a group that begins with '(?' but not with '(?:' or '(?<'");
      }
    }
    groups_.emplace_back();
    return true;
  }

  void end_alternative() {
    Group& group = groups_.back();
    if (groups_.size() == 1) {
      if (use_ == RegexUse::kJsonString) {
        const ExprId any = json_string_char(pool_);
        const Item more{pool_.repeat(any, 0, kUnbounded), {0, kUnbounded}, any};
        if (!group.starts_anchored) group.items.insert(group.items.begin(), more);
        if (!group.ends_anchored) group.items.push_back(more);
      }
      fit(group.items);
    }
    std::vector<ExprId> parts;
    TextLength length;
    length.max = 0;
    for (const Item& item : group.items) {
      parts.push_back(item.expr);
      length = sum(length, item.length);
    }
    group.alternatives.push_back(pool_.sequence(parts));
    group.length = {std::min(group.length.min, length.min), std::max(group.length.max, length.max)};
    group.items.clear();
    group.starts_anchored = group.ends_anchored = group.can_repeat = false;
  }

  // Bounds the parts of an outermost alternative so that its texts have a length that is allowed.
  void fit(std::vector<Item>& items) {
    TextLength fixed{0, 0};
    TextLength all{0, 0};
    Item* varying = nullptr;
    bool several = false;
    for (Item& item : items) {
      all = sum(all, item.length);
      if (item.length.min == item.length.max) {
        fixed = sum(fixed, item.length);
      } else {
        several = several || varying != nullptr;
        varying = &item;
      }
    }
    if (all.min >= length_.min && all.max <= length_.max) return;
    if (all.max < length_.min || all.min > length_.max) {
      items = {{pool_.never(), {0, 0}, {}}};
    } else if (several || !varying->repeated) {
      unsupported("a length beside an expression of which several parts may be longer or shorter");
    } else {
      const std::uint32_t least = length_.min > fixed.min ? length_.min - fixed.min : 0;
      TextLength& own = varying->length;
      own.min = std::max(own.min, least);
      if (length_.max != kUnbounded) own.max = std::min(own.max, length_.max - fixed.min);
      varying->expr = pool_.repeat(*varying->repeated, own.min, own.max);
    }
  }

  Item close_group() {
    end_alternative();
    const Item item{pool_.choice(groups_.back().alternatives), groups_.back().length, {}};
    groups_.pop_back();
    return item;
  }

  bool parse_anchor(char c) {
    Group& group = groups_.back();
    const bool at_start = c == '^' && group.items.empty() && !group.starts_anchored;
    const bool at_end = c == '$' && (pos_ + 1 == text_.size() || peek(1) == '|');
    if (groups_.size() > 1 || !(at_start || at_end)) {
      return unsupported(std::string("'") + c + "' within the expression");
    }
    ++pos_;
    (c == '^' ? group.starts_anchored : group.ends_anchored) = true;
    return true;
  }

  bool parse_quantifier() {
    Group& group = groups_.back();
    if (!group.can_repeat) return refuse("there is nothing before this to repeat");
    std::uint32_t min = 0;
    std::uint32_t max = kUnbounded;
    const char c = text_[pos_++];
    if (c == '+') min = 1;
    if (c == '?') max = 1;
    if (c == '{' && !parse_bounds(min, max)) return false;
    if (peek() == '?') ++pos_;
    Item& item = group.items.back();
    if (item.length.min == 1 && item.length.max == 1) item.repeated = item.expr;
    item = {pool_.repeat(item.expr, min, max), times(item.length, {min, max}), item.repeated};
    group.can_repeat = false;
    return true;
  }

  bool parse_bounds(std::uint32_t& min, std::uint32_t& max) {
    const std::optional<std::uint32_t> low = read_number();
    if (!low) return refuse("{m,n} needs a number; a single '{' is written \\{");
    min = max = *low;
    if (peek() == ',') {
      ++pos_;
      max = read_number().value_or(kUnbounded);
    }
    if (peek() != '}') return refuse("'}' is expected after the numbers of {m,n}");
    ++pos_;
    return max >= min || refuse("in {m,n} m is greater than n");
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

  bool parse_class() {
    ++pos_;
    const bool negated = peek() == '^';
    if (negated) ++pos_;
    std::vector<CodeRange> ranges;
    while (peek() != ']') {
      if (pos_ >= text_.size()) return refuse("a class is not closed");
      std::vector<CodeRange> first;
      bool first_is_set = false;
      if (!read_char_or_set(first, first_is_set, true)) return false;
      if (peek() == '-' && peek(1) != ']') {
        ++pos_;
        if (pos_ >= text_.size()) return refuse("a class is not closed");
        std::vector<CodeRange> last;
        bool last_is_set = false;
        if (!read_char_or_set(last, last_is_set, true)) return false;
        if (first_is_set || last_is_set) return refuse("a range ends in a set like \\d");
        if (last[0].lo < first[0].lo) return refuse("a range of a class runs backwards");
        first[0].hi = last[0].lo;
      }
      ranges.insert(ranges.end(), first.begin(), first.end());
    }
    ++pos_;
    add_class(std::move(ranges), negated);
    return true;
  }

  // A plain or escaped character, or a set like \d.
  bool read_char_or_set(std::vector<CodeRange>& out, bool& is_set, bool in_class) {
    if (peek() != '\\') {
      const std::int32_t code_point = next_code_point(text_, pos_);
      if (code_point < 0) return refuse("this is not valid UTF-8");
      out = {{static_cast<char32_t>(code_point), static_cast<char32_t>(code_point)}};
      return true;
    }
    const char c = peek(1);
    const std::string_view set_names = "dDwWsS";
    const std::size_t set = set_names.find(c);
    if (c != '\0' && set != std::string_view::npos) {
      const auto& ranges = set < 2 ? kDigits : set < 4 ? kWordChars : kSpaces;
      out = normal_ranges(ranges, set % 2 == 1);
      is_set = true;
      pos_ += 2;
      return true;
    }
    char32_t code_point = 0;
    if (!read_escape(code_point, in_class)) return false;
    out = {{code_point, code_point}};
    return true;
  }

  bool read_escape(char32_t& out, bool in_class) {
    const char c = peek(1);
    if (pos_ + 1 >= text_.size()) return refuse("an escape is cut off");
    if ((c >= '1' && c <= '9') || c == 'k') return unsupported("a backreference");
    if ((c == 'b' && !in_class) || c == 'B') return unsupported("a word boundary");
    if (c == 'p' || c == 'P') return unsupported("a Unicode property");
    if (c == '0' && peek(2) >= '0' && peek(2) <= '9') return unsupported("an octal escape");
    constexpr std::string_view kNames = "tnrfv0b";
    constexpr std::string_view kValues("\t\n\r\f\v\0\b", 7);
    const std::size_t simple = kNames.find(c);
    if (simple != std::string_view::npos) {
      out = static_cast<std::uint8_t>(kValues[simple]);
      pos_ += 2;
      return true;
    }
    if (c == 'x' || c == 'u') return read_hex_escape(out);
    if (std::string_view("^$\\.*+?()[]{}|/-\"'#%&,:;<=>@_`~! ").find(c) == std::string_view::npos) {
      return unsupported("this escape");
    }
    out = static_cast<std::uint8_t>(c);
    pos_ += 2;
    return true;
  }

  bool read_hex_escape(char32_t& out) {
    const bool braced = peek(1) == 'u' && peek(2) == '{';
    std::size_t digits = peek(1) == 'x' ? 2 : 4;
    pos_ += braced ? 3 : 2;
    if (braced) {
      const std::size_t close = text_.find('}', pos_);
      if (close == std::string_view::npos || close == pos_ || close - pos_ > 6) {
        return refuse("\\u{...} needs one to six hexadecimal digits");
      }
      digits = close - pos_;
    }
    out = 0;
    for (std::size_t i = 0; i < digits; ++i, ++pos_) {
      const char c = peek();
      const char* const found =
          std::find(kHexDigits, kHexDigits + 16, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
      if (found == kHexDigits + 16) return refuse("an escape has too few hexadecimal digits");
      out = out * 16 + static_cast<char32_t>(found - kHexDigits);
    }
    if (braced) ++pos_;
    if (out > kLastCodePoint || (out >= 0xD800 && out <= 0xDFFF)) {
      return refuse("an escape is not a Unicode character; write \\u{...} with its code point");
    }
    return true;
  }

  static constexpr char kHexDigits[] = "0123456789abcdef";

  std::string_view text_;
  RegexUse use_;
  std::string_view name_;
  ExpressionPool& pool_;
  TextLength length_;
  std::size_t pos_ = 0;
  std::vector<Group> groups_;
  std::optional<Error> error_;
};

}  // namespace

Result<ExprId> parse_regex(std::string_view pattern, RegexUse use, std::string_view name,
                           ExpressionPool& pool, TextLength length) {
  return RegexParser(pattern, use, name, pool, length).run();
}

Result<RuleId> parse_regex_rule(std::string_view pattern, ExpressionPool& pool) {
  Result<ExprId> body = parse_regex(pattern, RegexUse::kWholeText, "The regular expression", pool);
  if (!body) return pass_on(body);
  const RuleId root = pool.add_rule("(the regular expression)");
  pool.define(root, *body);
  return root;
}

}  // namespace notso::grammar
