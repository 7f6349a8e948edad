// What the pre-tokeniser needs of Unicode: decoding UTF-8 as llama.cpp does, and the class of a
// code point (letter \p{L}, number \p{N}, space \s) by tables of Unicode 15.1.
//
// The tables have two stages: kBlockOf gives the number of a block of 256 code points, kClasses
// holds the distinct blocks at two bits a code point.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace notso {

// The classes that the pre-token pattern tells apart.
enum class CharClass : std::uint8_t { kOther = 0, kLetter = 1, kNumber = 2, kSpace = 3 };

// The generated tables; use char_class.
namespace unicode_tables {
extern const std::uint8_t kBlockOf[];
extern const std::uint8_t kClasses[];
}  // namespace unicode_tables

// The class of a code point below 0x110000.
inline CharClass char_class(std::uint32_t code_point) {
  const std::size_t block = unicode_tables::kBlockOf[code_point >> 8];
  const std::uint8_t four = unicode_tables::kClasses[block * 64 + ((code_point & 255) >> 2)];
  return static_cast<CharClass>((four >> ((code_point & 3) * 2)) & 3);
}

// One decoded character. A byte that starts no character is U+FFFD of length 1.
struct DecodedChar {
  std::uint32_t code_point = 0;
  std::uint32_t length = 0;
};

inline constexpr std::uint32_t kReplacementCodePoint = 0xFFFD;
inline constexpr std::string_view kReplacementUtf8 = "\xEF\xBF\xBD";

// Decodes the character at `text[at]` (at < text.size()). Only the shape is checked: overlong forms
// and surrogates decode to the number they spell. Values above 0x10FFFF are malformed.
DecodedChar decode_utf8(std::string_view text, std::size_t at);

// Appends the shortest UTF-8 form of `code_point` (surrogates included) to `out`.
void append_utf8(std::uint32_t code_point, std::string& out);

// `text` as llama.cpp sees it: each malformed byte is U+FFFD and overlong forms are shortest forms.
// Returns `text` itself where nothing changes (all valid UTF-8), else a view of `scratch`.
std::string_view repair_utf8(std::string_view text, std::string& scratch);

}  // namespace notso
