// Jinja's lexical rules. Outside of tags: data, up to {{ {% or {#. A `-` inside a tag's bracket
// strips all whitespace on that side. With trim_blocks, the newline right after a %} or #} goes;
// with lstrip_blocks, the blanks before a {% or {# that begins its line go; `+` switches either
// off. Line ends are read as \n, and one at the very end of the source goes unless it is kept by
// option.
#include "service/template/lexer.h"

#include <charconv>

#include "service/template/unicode.h"

namespace notso::jinja {
namespace {

bool is_ascii_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit_char(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_name_char(char c) { return is_name_start(c) || is_digit_char(c); }

std::string normalize(std::string_view source, bool keep_trailing_newline) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (!keep_trailing_newline && !out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class Lexer {
 public:
  Lexer(std::string source, const Options& options)
      : source_(std::move(source)), options_(options) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) read_data();
    push(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(const std::string& message) const { throw SyntaxError{message, line_}; }

  [[nodiscard]] bool starts(std::string_view text) const {
    return std::string_view(source_).substr(at_, text.size()) == text;
  }

  // Moves on, counting lines.
  void advance(std::size_t count) {
    for (; count > 0; --count) line_ += source_[at_++] == '\n' ? 1 : 0;
  }

  void push(TokenKind kind, std::string text) {
    Token token;
    token.kind = kind;
    token.line = line_;
    token.text = std::move(text);
    tokens_.push_back(std::move(token));
  }

  // Data up to the next tag, stripped as that tag wants, and then the tag.
  void read_data() {
    std::size_t tag = at_;
    for (;; ++tag) {
      tag = source_.find('{', tag);
      if (tag == std::string::npos || tag + 1 >= source_.size()) {
        push(TokenKind::kData, source_.substr(at_));
        at_ = source_.size();
        return;
      }
      const char next = source_[tag + 1];
      if (next == '{' || next == '%' || next == '#') break;
    }
    std::string_view data(source_.data() + at_, tag - at_);
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    data = strip_before(data, sign, source_[tag + 1] != '{');
    if (!data.empty()) push(TokenKind::kData, std::string(data));
    advance(tag - at_);
    read_tag(sign == '-' || sign == '+');
  }

  // `sign` is the character after the tag's opening bracket.
  [[nodiscard]] std::string_view strip_before(std::string_view data, char sign, bool block) const {
    if (sign == '-') return strip_right(data);
    if (sign == '+' || !options_.lstrip_blocks || !block) return data;
    const std::size_t newline = data.rfind('\n');
    const std::size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
    if (begin == 0 && !line_starting_) return data;
    for (std::size_t i = begin; i < data.size(); ++i) {
      if (!is_ascii_space(data[i])) return data;
    }
    return data.substr(0, begin);
  }

  static std::string_view strip_right(std::string_view data) {
    while (!data.empty() && is_ascii_space(data.back())) data.remove_suffix(1);
    return data;
  }

  void skip_space() {
    while (at_ < source_.size() && is_ascii_space(source_[at_])) advance(1);
  }

  void read_tag(bool has_sign) {
    const char kind = source_[at_ + 1];
    if (kind == '#') return read_comment(has_sign ? 3 : 2);
    if (kind == '%' && read_raw(has_sign ? 3 : 2)) return;
    const bool block = kind == '%';
    push(block ? TokenKind::kBlockBegin : TokenKind::kVariableBegin, "");
    advance(has_sign ? 3 : 2);
    while (!read_tag_end(block)) {
      if (at_ >= source_.size()) {
        fail(std::string("unexpected end of template, expected '") + (block ? "%}'" : "}}'"));
      }
      read_token();
    }
  }

  // After a tag: what it strips on its right.
  void strip_after(char sign, bool block) {
    if (sign == '-') {
      skip_space();
    } else if (sign != '+' && block && options_.trim_blocks && starts("\n")) {
      advance(1);
    }
    line_starting_ = source_[at_ - 1] == '\n';
  }

  bool read_tag_end(bool block) {
    skip_space();
    if (!brackets_.empty()) return false;
    const std::string_view end = block ? "%}" : "}}";
    char sign = '\0';
    if (starts(end)) {
      // No sign.
    } else if (at_ < source_.size() && (source_[at_] == '-' || (block && source_[at_] == '+')) &&
               std::string_view(source_).substr(at_ + 1, 2) == end) {
      sign = source_[at_];
    } else {
      return false;
    }
    push(block ? TokenKind::kBlockEnd : TokenKind::kVariableEnd, "");
    advance(sign == '\0' ? 2 : 3);
    strip_after(sign, block);
    return true;
  }

  void read_comment(std::size_t opening) {
    const std::size_t end = source_.find("#}", at_ + opening);
    if (end == std::string::npos) fail("missing end of comment tag");
    const char sign = end > at_ + opening ? source_[end - 1] : '\0';
    advance(end + 2 - at_);
    strip_after(sign, true);
  }

  // If `{%` begins a raw block, emits its body as data.
  bool read_raw(std::size_t opening) {
    std::size_t cursor = at_ + opening;
    char sign = '\0';
    if (!read_word_tag(cursor, "raw", sign)) return false;
    advance(cursor - at_);
    if (sign == '-') skip_space();
    line_starting_ = source_[at_ - 1] == '\n';
    for (std::size_t tag = source_.find("{%", at_); tag != std::string::npos;
         tag = source_.find("{%", tag + 1)) {
      const char before = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
      cursor = tag + (before == '-' || before == '+' ? 3 : 2);
      if (!read_word_tag(cursor, "endraw", sign)) continue;
      const std::string_view body(source_.data() + at_, tag - at_);
      const std::string_view kept = strip_before(body, before, true);
      if (!kept.empty()) push(TokenKind::kData, std::string(kept));
      advance(cursor - at_);
      strip_after(sign, true);
      return true;
    }
    fail("missing end of raw directive");
  }

  // Matches `word %}` at `cursor`, with any sign; on success moves the cursor behind it.
  [[nodiscard]] bool read_word_tag(std::size_t& cursor, std::string_view word, char& sign) const {
    const std::string_view view(source_);
    const auto skip = [&](std::size_t from) {
      while (from < view.size() && is_ascii_space(view[from])) ++from;
      return from;
    };
    std::size_t here = skip(cursor);
    if (view.substr(here, word.size()) != word) return false;
    here = skip(here + word.size());
    sign = here < view.size() && (view[here] == '-' || view[here] == '+') ? view[here] : '\0';
    if (sign != '\0') ++here;
    if (view.substr(here, 2) != "%}") return false;
    cursor = here + 2;
    return true;
  }

  void read_token() {
    const char c = source_[at_];
    if (is_name_start(c)) return read_name();
    if (is_digit_char(c)) return read_number();
    if (c == '"' || c == '\'') return read_string();
    for (const char* two : {"//", "**", "==", "!=", ">=", "<="}) {
      if (starts(two)) return read_operator(2);
    }
    if (std::string_view("+-/*%~[](){}><=.:|,;").find(c) != std::string_view::npos) {
      return read_operator(1);
    }
    fail("unexpected character '" + source_.substr(at_, decode_at(source_, at_).size) + "'");
  }

  void read_name() {
    std::size_t end = at_;
    while (end < source_.size() && is_name_char(source_[end])) ++end;
    push(TokenKind::kName, source_.substr(at_, end - at_));
    advance(end - at_);
  }

  void read_operator(std::size_t size) {
    const char c = source_[at_];
    if (size == 1 && (c == '(' || c == '[' || c == '{')) {
      brackets_ += c == '(' ? ')' : (c == '[' ? ']' : '}');
    } else if (size == 1 && (c == ')' || c == ']' || c == '}')) {
      if (brackets_.empty()) fail(std::string("unexpected '") + c + "'");
      const char expected = brackets_.back();
      brackets_.pop_back();
      if (expected != c) {
        fail(std::string("unexpected '") + c + "', expected '" + expected + "'");
      }
    }
    push(TokenKind::kOperator, source_.substr(at_, size));
    advance(size);
  }

  // Digits, and underscores between digits.
  void read_digits(std::string& out) {
    while (at_ < source_.size() &&
           (is_digit_char(source_[at_]) ||
            (source_[at_] == '_' && at_ + 1 < source_.size() && is_digit_char(source_[at_ + 1])))) {
      if (source_[at_] != '_') out += source_[at_];
      ++at_;
    }
  }

  void read_number() {
    const auto peek = [&](std::size_t ahead) {
      return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
    };
    const char radix = static_cast<char>(peek(1) | 0x20);
    if (peek(0) == '0' && (radix == 'x' || radix == 'o' || radix == 'b')) {
      return read_radix(radix == 'x' ? 16 : (radix == 'o' ? 8 : 2));
    }
    std::string digits;
    read_digits(digits);
    bool is_float = false;
    const bool after_dot = !tokens_.empty() && tokens_.back().kind == TokenKind::kOperator &&
                           tokens_.back().text == ".";
    if (!after_dot && peek(0) == '.' && is_digit_char(peek(1))) {
      is_float = true;
      digits += '.';
      ++at_;
      read_digits(digits);
    }
    const std::size_t signs = peek(1) == '+' || peek(1) == '-' ? 2 : 1;
    if (!after_dot && (peek(0) == 'e' || peek(0) == 'E') && is_digit_char(peek(signs))) {
      is_float = true;
      digits.append(source_, at_, signs);
      at_ += signs;
      read_digits(digits);
    }
    push(is_float ? TokenKind::kFloat : TokenKind::kInteger, "");
    if (is_float) {
      std::from_chars(digits.data(), digits.data() + digits.size(), tokens_.back().number);
    } else {
      parse_integer(digits, 10);
    }
  }

  void parse_integer(const std::string& digits, int base) {
    const char* end = digits.data() + digits.size();
    const auto result = std::from_chars(digits.data(), end, tokens_.back().integer, base);
    if (result.ec != std::errc() || result.ptr != end) fail("an integer does not fit in 64 bits");
  }

  void read_radix(int base) {
    at_ += 2;
    std::string digits;
    while (at_ < source_.size() && (is_name_char(source_[at_]))) {
      if (source_[at_] != '_') digits += source_[at_];
      ++at_;
    }
    push(TokenKind::kInteger, "");
    if (digits.empty()) fail("a number needs digits");
    parse_integer(digits, base);
  }

  void read_string() {
    const char quote = source_[at_];
    const int first_line = line_;
    std::size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail("a string is not closed");
    const std::string_view inside = std::string_view(source_).substr(at_ + 1, end - at_ - 1);
    push(TokenKind::kString, unescape(inside));
    advance(end + 1 - at_);
    tokens_.back().line = first_line;
  }

  [[nodiscard]] std::string unescape(std::string_view text) const {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\' || i + 1 >= text.size()) {
        out += text[i];
        continue;
      }
      const char c = text[++i];
      static constexpr std::string_view kNames = "abfnrtv\\'\"";
      static constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\'\"";
      if (const std::size_t known = kNames.find(c); known != std::string_view::npos) {
        out += kMeanings[known];
      } else if (c == 'x' || c == 'u' || c == 'U') {
        i += append_code(out, text.substr(i + 1), c == 'x' ? 2 : (c == 'u' ? 4 : 8), 16);
      } else if (c >= '0' && c <= '7') {
        i += append_octal(out, text.substr(i)) - 1;
      } else if (c != '\n') {
        out += '\\';
        out += c;
      }
    }
    return out;
  }

  std::size_t append_code(std::string& out, std::string_view digits, std::size_t count,
                          int base) const {
    std::uint32_t code = 0;
    digits = digits.substr(0, count);
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), code, base);
    if (digits.size() < count || result.ptr != digits.data() + count || code >= kStrayByte) {
      fail("a string has a truncated \\x or \\u escape");
    }
    if (code >= 0xD800 && code <= 0xDFFF) fail("a \\u escape names half of a character");
    append_character(out, code);
    return count;
  }

  static std::size_t append_octal(std::string& out, std::string_view digits) {
    std::uint32_t code = 0;
    std::size_t count = 0;
    for (; count < 3 && count < digits.size() && digits[count] >= '0' && digits[count] <= '7';) {
      code = code * 8 + static_cast<std::uint32_t>(digits[count++] - '0');
    }
    append_character(out, code);
    return count;
  }

  const std::string source_;
  const Options& options_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::string brackets_;  // what closes the brackets that are open, innermost last
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source, const Options& options) {
  return Lexer(normalize(source, options.keep_trailing_newline), options).run();
}

}  // namespace notso::jinja
