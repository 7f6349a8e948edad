#include "service/template/unicode.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <span>

namespace notso::jinja {
namespace {

// Characters first..last have these flags.
struct FlagRange {
  std::uint32_t first, last, flags;
};

// Characters first, first + stride, ... last move by delta.
struct CaseRange {
  std::uint32_t first, last, stride;
  std::int32_t delta;
};

// A character that becomes several.
struct CaseSpecial {
  std::uint32_t code;
  const char* text;
};

#include "service/template/unicode_tables_generated.inc"

enum Flag : std::uint32_t {
  kAlpha = 1,
  kDecimal = 2,
  kDigit = 4,
  kNumeric = 8,
  kSpace = 16,
  kPrintable = 32
};

// The entry whose range holds `code`, or nullptr.
template <class Range>
const Range* find_range(std::span<const Range> ranges, std::uint32_t code) {
  auto after =
      std::upper_bound(ranges.begin(), ranges.end(), code,
                       [](std::uint32_t value, const Range& range) { return value < range.first; });
  if (after == ranges.begin()) return nullptr;
  const Range& range = *std::prev(after);
  return code <= range.last ? &range : nullptr;
}

bool has_flag(std::uint32_t code, Flag flag) {
  const FlagRange* range = find_range<FlagRange>(kFlagRanges, code);
  return range != nullptr && (range->flags & flag) != 0;
}

void append_mapped(std::string& out, std::uint32_t code, std::span<const CaseRange> ranges,
                   std::span<const CaseSpecial> specials) {
  auto special = std::lower_bound(
      specials.begin(), specials.end(), code,
      [](const CaseSpecial& entry, std::uint32_t value) { return entry.code < value; });
  if (special != specials.end() && special->code == code && special->text[0] != '\0') {
    out += special->text;
    return;
  }
  const CaseRange* range = find_range(ranges, code);
  if (range != nullptr && (code - range->first) % range->stride == 0) {
    code = static_cast<std::uint32_t>(static_cast<std::int64_t>(code) + range->delta);
  }
  append_character(out, code);
}

bool is_continuation(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
}

}  // namespace

Character decode_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t offset) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[at + offset]));
  };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  std::size_t size = 0;
  if (lead >= 0xC2 && lead <= 0xDF) size = 2;
  if (lead >= 0xE0 && lead <= 0xEF) size = 3;
  if (lead >= 0xF0 && lead <= 0xF4) size = 4;
  for (std::size_t i = 1; i < size; ++i) {
    if (!is_continuation(text, at + i)) size = 0;
  }
  if (size == 0) return {kStrayByte + lead, 1};
  std::uint32_t code = lead & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) code = (code << 6U) | (byte(i) & 0x3FU);
  const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (overlong || surrogate || code > 0x10FFFF) return {kStrayByte + lead, 1};
  return {code, size};
}

void append_character(std::string& out, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code >= kStrayByte) {
    put(code - kStrayByte);
  } else if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0U | (code >> 6U));
    put(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    put(0xE0U | (code >> 12U));
    put(0x80U | ((code >> 6U) & 0x3FU));
    put(0x80U | (code & 0x3FU));
  } else {
    put(0xF0U | (code >> 18U));
    put(0x80U | ((code >> 12U) & 0x3FU));
    put(0x80U | ((code >> 6U) & 0x3FU));
    put(0x80U | (code & 0x3FU));
  }
}

std::size_t count_characters(std::string_view text) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080U;
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) {
    std::uint64_t word = kHighBits;
    if (text.size() - at >= sizeof(word)) std::memcpy(&word, text.data() + at, sizeof(word));
    if ((word & kHighBits) == 0) {
      at += sizeof(word);
      count += sizeof(word) - 1;
    } else {
      at += decode_at(text, at).size;
    }
  }
  return count;
}

bool is_alpha(std::uint32_t code) { return has_flag(code, kAlpha); }
bool is_decimal(std::uint32_t code) { return has_flag(code, kDecimal); }
bool is_digit(std::uint32_t code) { return has_flag(code, kDigit); }
bool is_numeric(std::uint32_t code) { return has_flag(code, kNumeric); }
bool is_space(std::uint32_t code) { return has_flag(code, kSpace); }
bool is_printable(std::uint32_t code) { return has_flag(code, kPrintable); }

bool is_cased(std::uint32_t code) {
  std::string self, upper, lower;
  append_character(self, code);
  append_upper(upper, code);
  append_lower(lower, code);
  return upper != self || lower != self;
}

void append_upper(std::string& out, std::uint32_t code) {
  append_mapped(out, code, kUpperRanges, kUpperSpecials);
}

void append_lower(std::string& out, std::uint32_t code) {
  append_mapped(out, code, kLowerRanges, kLowerSpecials);
}

void append_title(std::string& out, std::uint32_t code) {
  append_mapped(out, code, kTitleRanges, kTitleSpecials);
}

}  // namespace notso::jinja
