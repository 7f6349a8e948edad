// Decoding, repair and classes of code points.
#include "ml/core/tokenizer/unicode.h"

#include <gtest/gtest.h>
#include <string>

namespace notso {
namespace {

std::string repaired(std::string_view text) {
  std::string scratch;
  return std::string(repair_utf8(text, scratch));
}

TEST(UnicodeTest, LeavesValidTextWhereItIs) {
  const std::string text = "plain, longer than a word: é, 語, 😀";
  std::string scratch;
  EXPECT_EQ(repair_utf8(text, scratch).data(), text.data());
}

// What llama.cpp makes of these was found by giving it the bytes.
TEST(UnicodeTest, RepairsMalformedTextAsLlamaCppDoes) {
  EXPECT_EQ(repaired("a\xFFz"), "a\uFFFDz");
  EXPECT_EQ(repaired("\xE2\x82"), "\uFFFD\uFFFD");
  EXPECT_EQ(repaired("\xC0\x80"), std::string(1, '\0'));
  EXPECT_EQ(repaired("\xE0\x80\xAF"), "/");
  EXPECT_EQ(repaired("\xED\xA0\x80"), "\xED\xA0\x80");
}

TEST(UnicodeTest, RepairsValuesBeyondUnicodeByteByByte) {
  EXPECT_EQ(repaired("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");
}

TEST(UnicodeTest, WritesWhatItReads) {
  for (std::uint32_t code_point = 0; code_point < 0x110000; code_point += 7) {
    std::string text;
    append_utf8(code_point, text);
    const DecodedChar c = decode_utf8(text, 0);
    ASSERT_EQ(c.code_point, code_point);
    ASSERT_EQ(c.length, text.size());
  }
}

// The counts that Unicode 15.0 gives for its categories, and CJK extension I.
TEST(UnicodeTest, CountsTheCodePointsOfEachClass) {
  std::size_t counts[4] = {};
  for (std::uint32_t c = 0; c < 0x110000; ++c) ++counts[static_cast<int>(char_class(c))];
  EXPECT_EQ(counts[static_cast<int>(CharClass::kSpace)], 25u);
  EXPECT_EQ(counts[static_cast<int>(CharClass::kNumber)], 1831u);
  EXPECT_EQ(counts[static_cast<int>(CharClass::kLetter)], 136'104u + 622u);
}

TEST(UnicodeTest, KnowsTheLettersOfUnicode15Point1) {
  EXPECT_EQ(char_class(0x2EBF0), CharClass::kLetter);
  EXPECT_EQ(char_class(0x2EE5D), CharClass::kLetter);
  EXPECT_EQ(char_class(0x2EE5E), CharClass::kOther);
}

}  // namespace
}  // namespace notso
