// Sets of characters as sequences of byte ranges: U+0400..U+04FF is the one sequence D0..D3 80..BF.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "service/grammar/expression.h"

namespace notso::grammar {

// Byte i of a character is in lo[i]..hi[i].
struct ByteSequence {
  std::array<std::uint8_t, 4> lo;
  std::array<std::uint8_t, 4> hi;
  std::uint32_t length;
};

// Appends the sequences that make up exactly the UTF-8 of `range`, which holds no surrogates.
void append_utf8_sequences(CodeRange range, std::vector<ByteSequence>& out);

// Appends one character's UTF-8.
void append_utf8(char32_t code_point, std::string& out);

// The character at `pos`, which moves behind it, or -1 and no move where `text` is not valid UTF-8.
std::int32_t next_code_point(std::string_view text, std::size_t& pos);

}  // namespace notso::grammar
