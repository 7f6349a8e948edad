#include "service/grammar/utf8_ranges.h"

#include <algorithm>

namespace notso::grammar {
namespace {

constexpr std::array<char32_t, 4> kLastOfLength{0x7F, 0x7FF, 0xFFFF, 0x10FFFF};

std::uint32_t encode(char32_t code_point, std::array<std::uint8_t, 4>& out) {
  const auto tail = [&](int shift) {
    return static_cast<std::uint8_t>(0x80 | ((code_point >> shift) & 0x3F));
  };
  if (code_point < 0x80) {
    out = {static_cast<std::uint8_t>(code_point), 0, 0, 0};
    return 1;
  }
  if (code_point < 0x800) {
    out = {static_cast<std::uint8_t>(0xC0 | (code_point >> 6)), tail(0), 0, 0};
    return 2;
  }
  if (code_point < 0x10000) {
    out = {static_cast<std::uint8_t>(0xE0 | (code_point >> 12)), tail(6), tail(0), 0};
    return 3;
  }
  out = {static_cast<std::uint8_t>(0xF0 | (code_point >> 18)), tail(12), tail(6), tail(0)};
  return 4;
}

}  // namespace

// A range is one sequence when, below the highest byte in which its ends differ, it begins with
// only the least and ends with only the greatest continuation bytes; others are cut at the first
// place that breaks this.
void append_utf8_sequences(CodeRange whole, std::vector<ByteSequence>& out) {
  std::vector<CodeRange> pending{whole};
  while (!pending.empty()) {
    const CodeRange range = pending.back();
    pending.pop_back();
    const auto cut_after = [&](char32_t last) {
      pending.push_back({last + 1, range.hi});
      pending.push_back({range.lo, last});
    };
    const auto length_end = std::find_if(kLastOfLength.begin(), kLastOfLength.end(),
                                         [&](char32_t last) { return range.lo <= last; });
    if (range.hi > *length_end) {
      cut_after(*length_end);
      continue;
    }
    bool cut = false;
    const auto length = static_cast<std::uint32_t>(length_end - kLastOfLength.begin()) + 1;
    for (std::uint32_t i = 1; i < length && !cut; ++i) {
      const char32_t low_bits = (char32_t{1} << (6 * i)) - 1;
      if ((range.lo & ~low_bits) == (range.hi & ~low_bits)) continue;
      if ((range.lo & low_bits) != 0) {
        cut_after(range.lo | low_bits);
        cut = true;
      } else if ((range.hi & low_bits) != low_bits) {
        cut_after((range.hi & ~low_bits) - 1);
        cut = true;
      }
    }
    if (cut) continue;
    ByteSequence sequence{};
    sequence.length = encode(range.lo, sequence.lo);
    encode(range.hi, sequence.hi);
    out.push_back(sequence);
  }
}

void append_utf8(char32_t code_point, std::string& out) {
  std::array<std::uint8_t, 4> bytes{};
  const std::uint32_t length = encode(code_point, bytes);
  for (std::uint32_t i = 0; i < length; ++i) out += static_cast<char>(bytes[i]);
}

std::int32_t next_code_point(std::string_view text, std::size_t& pos) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(pos);
  const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if ((lead >= 0x80 && lead < 0xC2) || lead > 0xF4 || pos + length > text.size()) return -1;
  char32_t code_point = length == 1 ? lead : lead & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(pos + i) & 0xC0) != 0x80) return -1;
    code_point = (code_point << 6) | (byte(pos + i) & 0x3Fu);
  }
  const bool too_long = length > 1 && code_point <= kLastOfLength[length - 2];
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  if (too_long || surrogate || code_point > 0x10FFFF) return -1;
  pos += length;
  return static_cast<std::int32_t>(code_point);
}

}  // namespace notso::grammar
