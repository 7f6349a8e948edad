#include "ml/core/tokenizer/pretokenizer.h"

#include <array>

namespace notso {

namespace {

// The classes of the ASCII characters, so that English never meets the two-stage tables.
constexpr std::array<CharClass, 128> kAsciiClasses = [] {
  std::array<CharClass, 128> classes{};
  for (unsigned c = 'a'; c <= 'z'; ++c) classes[c] = CharClass::kLetter;
  for (unsigned c = 'A'; c <= 'Z'; ++c) classes[c] = CharClass::kLetter;
  for (unsigned c = '0'; c <= '9'; ++c) classes[c] = CharClass::kNumber;
  for (unsigned c = '\t'; c <= '\r'; ++c) classes[c] = CharClass::kSpace;
  classes[' '] = CharClass::kSpace;
  return classes;
}();

}  // namespace

std::string_view Pretokenizer::next() {
  if (at_ >= text_.size()) return {};
  const std::size_t start = at_;
  at_ = token_end();
  return text_.substr(start, at_ - start);
}

// The class and byte length of the character at `at`; at the end of the text, a space of length 0,
// which continues no run.
inline Pretokenizer::Char Pretokenizer::read(std::size_t at) {
  if (at >= text_.size()) return {};
  ++characters_read_;
  const auto byte = static_cast<unsigned char>(text_[at]);
  if (byte < 0x80) return {kAsciiClasses[byte], 1};
  const DecodedChar c = decode_utf8(text_, at);
  return {char_class(c.code_point), c.length};
}

bool Pretokenizer::is_line_end(std::size_t at) const {
  return at < text_.size() && (text_[at] == '\r' || text_[at] == '\n');
}

// The length of a contraction at the apostrophe at `at`, or 0. Only ASCII letters count, in either
// case: neither llama.cpp nor the Hugging Face pattern folds U+017F to s.
std::size_t Pretokenizer::contraction_length(std::size_t at) const {
  const auto lower = [this](std::size_t i) {
    return i < text_.size() ? static_cast<char>(text_[i] | 0x20) : '\0';
  };
  const char first = lower(at + 1);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  const char second = lower(at + 2);
  const bool two = (first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
                   (first == 'l' && second == 'l');
  return two ? 3 : 0;
}

inline std::size_t Pretokenizer::skip_class(std::size_t at, CharClass kind) {
  for (;;) {
    const Char c = read(at);
    if (c.length == 0 || c.kind != kind) return at;
    at += c.length;
  }
}

std::size_t Pretokenizer::number_end(std::size_t at) {
  for (int digits = 0; digits < 3; ++digits) {
    const Char c = read(at);
    if (c.kind != CharClass::kNumber) break;
    at += c.length;
  }
  return at;
}

std::size_t Pretokenizer::symbols_end(std::size_t at) {
  at = skip_class(at, CharClass::kOther);
  while (is_line_end(at)) ++at;
  return at;
}

// The end of the pre-token at the start of a run of white space.
std::size_t Pretokenizer::space_end(std::size_t at) {
  std::size_t last_line_end = 0;
  std::size_t last_start = at;
  std::size_t end = at;
  for (Char c = read(end); c.length != 0 && c.kind == CharClass::kSpace; c = read(end)) {
    last_start = end;
    if (is_line_end(end)) last_line_end = end + 1;
    end += c.length;
  }
  if (last_line_end != 0) return last_line_end;
  const bool text_follows = end < text_.size();
  return text_follows && last_start > at ? last_start : end;
}

std::size_t Pretokenizer::token_end() {
  const Char first = read(at_);
  const std::size_t second_at = at_ + first.length;
  if (first.kind == CharClass::kLetter) return skip_class(second_at, CharClass::kLetter);
  if (first.kind == CharClass::kNumber) return number_end(at_);
  if (text_[at_] == '\'') {
    const std::size_t length = contraction_length(at_);
    if (length != 0) return at_ + length;
  }
  const Char second = read(second_at);
  if (second.length != 0 && second.kind == CharClass::kLetter && !is_line_end(at_)) {
    return skip_class(second_at, CharClass::kLetter);
  }
  if (first.kind == CharClass::kOther) return symbols_end(second_at);
  if (text_[at_] == ' ' && second.kind == CharClass::kOther) return symbols_end(second_at);
  return space_end(at_);
}

}  // namespace notso
