// The scanner against the pattern's alternatives, one at a time. tests/peer holds it against two
// other implementations on megabytes of text.
#include "ml/core/tokenizer/pretokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <string>
#include <vector>

namespace notso {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> cut(std::string_view text) {
  std::vector<std::string> words;
  Pretokenizer scanner(text);
  for (auto word = scanner.next(); !word.empty(); word = scanner.next()) words.emplace_back(word);
  return words;
}

TEST(PretokenizerTest, TakesOneSpaceWithTheLettersAfterIt) {
  EXPECT_THAT(cut("one two"), ElementsAre("one", " two"));
  EXPECT_THAT(cut("  two"), ElementsAre(" ", " two"));
}

TEST(PretokenizerTest, TakesOneSymbolWithTheLettersAfterIt) {
  EXPECT_THAT(cut("(word)"), ElementsAre("(word", ")"));
  EXPECT_THAT(cut("\tword"), ElementsAre("\tword"));
  EXPECT_THAT(cut("\nword"), ElementsAre("\n", "word"));
}

TEST(PretokenizerTest, CutsContractionsInEitherCase) {
  EXPECT_THAT(cut("it's WE'LL"), ElementsAre("it", "'s", " WE", "'LL"));
  EXPECT_THAT(cut("'tis"), ElementsAre("'t", "is"));
  EXPECT_THAT(cut("'quote"), ElementsAre("'quote"));
  EXPECT_THAT(cut("x'"), ElementsAre("x", "'"));
  EXPECT_THAT(cut("x'r"), ElementsAre("x", "'r"));
}

TEST(PretokenizerTest, DoesNotFoldTheLongSIntoAContraction) {
  EXPECT_THAT(cut("it'\u017Fa"), ElementsAre("it", "'\u017Fa"));
}

TEST(PretokenizerTest, CutsNumbersAfterThreeDigits) {
  EXPECT_THAT(cut("12345678"), ElementsAre("123", "456", "78"));
  EXPECT_THAT(cut(" 12"), ElementsAre(" ", "12"));
  EXPECT_THAT(cut("٣½Ⅷ4"), ElementsAre("٣½Ⅷ", "4"));
}

TEST(PretokenizerTest, TakesSymbolsWithTheirSpaceAndLineEnds) {
  EXPECT_THAT(cut(" ?!\r\n\nx"), ElementsAre(" ?!\r\n\n", "x"));
  EXPECT_THAT(cut("  ?"), ElementsAre(" ", " ?"));
  EXPECT_THAT(cut("\t?"), ElementsAre("\t", "?"));
}

TEST(PretokenizerTest, TakesWhiteSpaceUpToItsLastLineEnd) {
  EXPECT_THAT(cut("a \n \n  b"), ElementsAre("a", " \n \n", " ", " b"));
}

TEST(PretokenizerTest, LeavesTheLastSpaceToWhatFollows) {
  EXPECT_THAT(cut("   5"), ElementsAre("  ", " ", "5"));
  EXPECT_THAT(cut("a   "), ElementsAre("a", "   "));
}

TEST(PretokenizerTest, TreatsCombiningMarksAndEmojiAsSymbols) {
  EXPECT_THAT(cut("e\u0301a"), ElementsAre("e", "\u0301a"));
  EXPECT_THAT(cut("👩\u200D👩 x"), ElementsAre("👩\u200D👩", " x"));
}

TEST(PretokenizerTest, KnowsEverySpaceOfUnicode) {
  EXPECT_THAT(cut("\u3000\u0085\u00A0\u2028"), ElementsAre("\u3000\u0085\u00A0\u2028"));
  EXPECT_THAT(cut("\uFEFF!"), ElementsAre("\uFEFF!"));
}

TEST(PretokenizerTest, TreatsMalformedBytesAsSymbols) {
  EXPECT_THAT(cut("a\xFF\xC3!b"), ElementsAre("a", "\xFF\xC3!", "b"));
}

RC_GTEST_PROP(PretokenizerTest, PutsEveryByteIntoExactlyOneWord, (const std::string& text)) {
  std::string joined;
  for (const std::string& word : cut(text)) joined += word;
  RC_ASSERT(joined == text);
}

TEST(PretokenizerTest, ReadsEachCharacterAFewTimesAtMost) {
  for (const std::string part : {"a", " ", "\n", " \n", "\n   ", "'", "'r", "1", "!", " 5", "é",
                                 "\xFF", "\u3000", "   x", "\n\n    5", "!\n"}) {
    std::string text;
    while (text.size() < 100'000) text += part;
    Pretokenizer scanner(text);
    while (!scanner.next().empty()) {
    }
    EXPECT_LE(scanner.characters_read(), 5 * text.size()) << testing::PrintToString(part);
  }
}

}  // namespace
}  // namespace notso
