#include "ml/core/tokenizer/unicode.h"

#include <cstring>

namespace notso {

namespace {

std::uint32_t byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

// The end of the run of ASCII that starts at `at`, eight bytes a step.
std::size_t skip_ascii(std::string_view text, std::size_t at) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080u;
  while (at + 8 <= text.size()) {
    std::uint64_t eight;
    std::memcpy(&eight, text.data() + at, 8);
    if ((eight & kHighBits) != 0) break;
    at += 8;
  }
  while (at < text.size() && byte_at(text, at) < 0x80) ++at;
  return at;
}

std::uint32_t encoded_length(std::uint32_t code_point) {
  if (code_point < 0x80) return 1;
  if (code_point < 0x800) return 2;
  return code_point < 0x10000 ? 3 : 4;
}

// Whether the character is kept byte by byte: well formed and in its shortest form.
bool is_as_written(std::string_view text, std::size_t at, DecodedChar c) {
  if (c.length == 1) return byte_at(text, at) < 0x80;
  return encoded_length(c.code_point) == c.length;
}

}  // namespace

DecodedChar decode_utf8(std::string_view text, std::size_t at) {
  constexpr DecodedChar kMalformed{kReplacementCodePoint, 1};
  const std::uint32_t lead = byte_at(text, at);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xC0 || lead >= 0xF8) return kMalformed;
  const std::uint32_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (text.size() - at < length) return kMalformed;
  std::uint32_t code_point = lead & (0x7Fu >> length);
  for (std::uint32_t i = 1; i < length; ++i) {
    const std::uint32_t next = byte_at(text, at + i);
    if ((next & 0xC0) != 0x80) return kMalformed;
    code_point = code_point << 6 | (next & 0x3F);
  }
  if (code_point > 0x10FFFF) return kMalformed;
  return {code_point, length};
}

void append_utf8(std::uint32_t code_point, std::string& out) {
  const std::uint32_t length = encoded_length(code_point);
  if (length == 1) {
    out.push_back(static_cast<char>(code_point));
    return;
  }
  const std::uint32_t lead_mark = 0xF00u >> length & 0xFF;
  out.push_back(static_cast<char>(lead_mark | code_point >> (6 * (length - 1))));
  for (std::uint32_t i = length - 1; i-- > 0;) {
    out.push_back(static_cast<char>(0x80 | (code_point >> (6 * i) & 0x3F)));
  }
}

std::string_view repair_utf8(std::string_view text, std::string& scratch) {
  std::size_t at = skip_ascii(text, 0);
  while (at < text.size()) {
    const DecodedChar c = decode_utf8(text, at);
    if (!is_as_written(text, at, c)) break;
    at = skip_ascii(text, at + c.length);
  }
  if (at == text.size()) return text;
  scratch.assign(text.substr(0, at));
  while (at < text.size()) {
    const DecodedChar c = decode_utf8(text, at);
    append_utf8(c.code_point, scratch);
    at += c.length;
  }
  return scratch;
}

}  // namespace notso
