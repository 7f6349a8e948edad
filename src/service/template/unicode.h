// Characters as Python's str sees them: decoding UTF-8, classes, and full case mappings. A byte
// that is not part of well-formed UTF-8 counts as one character of its own and is passed on
// unchanged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace notso::jinja {

// One decoded character: its code point and how many bytes it takes. A stray byte decodes to
// kStrayByte + byte, which no table maps and no class contains.
struct Character {
  std::uint32_t code;
  std::size_t size;
};

inline constexpr std::uint32_t kStrayByte = 0x110000;

// The character that begins at byte `at`, which must be inside `text`.
Character decode_at(std::string_view text, std::size_t at);

// Appends the character; a stray byte comes back as the byte that it was.
void append_character(std::string& out, std::uint32_t code);

// How many characters `text` holds.
std::size_t count_characters(std::string_view text);

// Python's str.isalpha() and so on, of one character.
bool is_alpha(std::uint32_t code);
bool is_decimal(std::uint32_t code);
bool is_digit(std::uint32_t code);
bool is_numeric(std::uint32_t code);
bool is_space(std::uint32_t code);
bool is_printable(std::uint32_t code);
// True for a character that upper- or lowercasing changes.
bool is_cased(std::uint32_t code);

// Append what one character becomes: sometimes more than one, as for the German sharp s.
void append_upper(std::string& out, std::uint32_t code);
void append_lower(std::string& out, std::uint32_t code);
void append_title(std::string& out, std::uint32_t code);

}  // namespace notso::jinja
