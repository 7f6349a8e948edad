// What regular expressions mean and which are refused. The answers were checked against node's
// RegExp with the flag u.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/grammar/verdict.h"

namespace notso {
namespace {

using testing::HasSubstr;
constexpr auto kRegex = GrammarSource::Kind::kRegex;

TEST(Regex, MatchesTheWholeTextWithOrWithoutAnchors) {
  EXPECT_EQ(verdict(kRegex, "a+", "aaa"), "yes");
  EXPECT_EQ(verdict(kRegex, "a+", "baaa"), "no");
  EXPECT_EQ(verdict(kRegex, "^a|b$", "b"), "yes");
  EXPECT_EQ(verdict(kRegex, "", ""), "yes");
  EXPECT_EQ(verdict(kRegex, "(|a)b", "b"), "yes");
}

TEST(Regex, ClassesKnowSetsRangesAndNegation) {
  EXPECT_EQ(verdict(kRegex, R"([\d\-x-z]{4})", "4-xz"), "yes");
  EXPECT_EQ(verdict(kRegex, R"([^\W\d])", "q"), "yes");
  EXPECT_EQ(verdict(kRegex, R"([^\W\d])", "4"), "no");
  EXPECT_EQ(verdict(kRegex, R"(\s)", "\u3000"), "yes");
  EXPECT_EQ(verdict(kRegex, R"(\S)", "\u3000"), "no");
  EXPECT_EQ(verdict(kRegex, R"(.)", "\u2028"), "no");
  EXPECT_EQ(verdict(kRegex, R"([a-])", "-"), "yes");
  EXPECT_EQ(verdict(kRegex, R"([^])", "\n"), "yes");
}

TEST(Regex, EscapesAreCharacters) {
  EXPECT_EQ(verdict(kRegex, R"(\x41\u00e9\u{1F600}\.\0)", std::string("Aé😀.\0", 9)), "yes");
}

TEST(Regex, WhatIsNotRegularIsRefusedByName) {
  EXPECT_THAT(refusal(kRegex, R"((a)\1)"), HasSubstr("a backreference is not supported"));
  EXPECT_THAT(refusal(kRegex, R"((?<n>a)\k<n>)"), HasSubstr("a backreference"));
  EXPECT_THAT(refusal(kRegex, "(?=a)"), HasSubstr("lookahead is not supported"));
  EXPECT_THAT(refusal(kRegex, "(?<!a)b"), HasSubstr("lookbehind is not supported"));
  EXPECT_THAT(refusal(kRegex, R"(a\b)"), HasSubstr("a word boundary"));
  EXPECT_THAT(refusal(kRegex, R"(\p{L})"), HasSubstr("a Unicode property"));
  EXPECT_THAT(refusal(kRegex, "(?i)a"), HasSubstr("not supported"));
  EXPECT_THAT(refusal(kRegex, "a^b"), HasSubstr("'^' within the expression"));
}

TEST(Regex, MalformedExpressionsAreRefusedWithTheirPlace) {
  EXPECT_EQ(refusal(kRegex, "ab)"), "The regular expression, at byte 3: ')' closes nothing.");
  EXPECT_THAT(refusal(kRegex, "(ab"), HasSubstr("')' is missing"));
  EXPECT_THAT(refusal(kRegex, "[ab"), HasSubstr("a class is not closed"));
  EXPECT_THAT(refusal(kRegex, "a**"), HasSubstr("nothing before this to repeat"));
  EXPECT_THAT(refusal(kRegex, "[z-a]"), HasSubstr("runs backwards"));
  EXPECT_THAT(refusal(kRegex, "a{2"), HasSubstr("'}' is expected"));
  EXPECT_THAT(refusal(kRegex, "a\\"), HasSubstr("cut off"));
  EXPECT_THAT(refusal(kRegex, "\\ud83d"), HasSubstr("not a Unicode character"));
}

}  // namespace
}  // namespace notso
