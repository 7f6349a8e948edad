// What GBNF text means and how malformed text is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/grammar/verdict.h"

namespace notso {
namespace {

using testing::HasSubstr;
constexpr auto kGbnf = GrammarSource::Kind::kGbnf;

TEST(Gbnf, ClassesAreOverCodePointsAndNotBytes) {
  EXPECT_EQ(verdict(kGbnf, "root ::= [à-ü]", "é"), "yes");
  EXPECT_EQ(verdict(kGbnf, "root ::= [^a]", "😀"), "yes");
  EXPECT_EQ(verdict(kGbnf, "root ::= [^a]", "\xC3"), "no");
  EXPECT_EQ(verdict(kGbnf, "root ::= .", "\x80"), "no");
  EXPECT_EQ(verdict(kGbnf, "root ::= .", "\xED\xA0\x80"), "no") << "a surrogate";
  EXPECT_EQ(verdict(kGbnf, "root ::= .", "\xF4\x90\x80\x80"), "no") << "beyond U+10FFFF";
  EXPECT_EQ(verdict(kGbnf, "root ::= .", "\n"), "yes");
}

TEST(Gbnf, AHexEscapeIsACodePoint) {
  EXPECT_EQ(verdict(kGbnf, R"(root ::= "\xe9")", "é"), "yes");
  EXPECT_EQ(verdict(kGbnf, R"(root ::= "\U0001F600" [\u00e0-\u00ff])", "😀ü"), "yes");
}

TEST(Gbnf, RepetitionsCountWhatStandsBefore) {
  const std::string source = R"(root ::= "ab"{2,3} [c]{2} "d"{,1})";
  EXPECT_EQ(verdict(kGbnf, source, "ababcc"), "yes");
  EXPECT_EQ(verdict(kGbnf, source, "abababccd"), "yes");
  EXPECT_EQ(verdict(kGbnf, source, "abcc"), "no");
  EXPECT_EQ(verdict(kGbnf, source, "ababccdd"), "no");
}

TEST(Gbnf, LongRepetitionsAreExact) {
  const std::string source = "root ::= [ab]{5000,9001}";
  EXPECT_EQ(verdict(kGbnf, source, std::string(4999, 'a')), "no");
  EXPECT_EQ(verdict(kGbnf, source, std::string(5000, 'a')), "yes");
  EXPECT_EQ(verdict(kGbnf, source, std::string(7777, 'b')), "yes");
  EXPECT_EQ(verdict(kGbnf, source, std::string(9001, 'a')), "yes");
  EXPECT_EQ(verdict(kGbnf, source, std::string(9002, 'a')), "no");
}

TEST(Gbnf, RecursionInTheMiddleKeepsCount) {
  const std::string source = R"g(root ::= "(" root ")" | "")g";
  EXPECT_EQ(verdict(kGbnf, source, "((()))"), "yes");
  EXPECT_EQ(verdict(kGbnf, source, "((())"), "no");
  const std::string deep(20'000, '(');
  EXPECT_EQ(verdict(kGbnf, source, deep + std::string(20'000, ')')), "yes");
}

TEST(Gbnf, ErrorsGiveLineAndColumn) {
  EXPECT_EQ(refusal(kGbnf, "root ::= \"a\"\nb ::= [x"),
            "The grammar, line 2, column 9: a class is not closed.");
  EXPECT_THAT(refusal(kGbnf, "root ::= a b"), HasSubstr("is used but not defined"));
  EXPECT_THAT(refusal(kGbnf, "a ::= \"x\""), HasSubstr("no rule 'root'"));
  EXPECT_THAT(refusal(kGbnf, ""), HasSubstr("no rule 'root'"));
  EXPECT_THAT(refusal(kGbnf, "root ::= *"), HasSubstr("nothing before this to repeat"));
  EXPECT_THAT(refusal(kGbnf, "root ::= (\"a\""), HasSubstr("')' is missing"));
  EXPECT_THAT(refusal(kGbnf, "root ::= \"a\")"), HasSubstr("')' closes nothing"));
  EXPECT_THAT(refusal(kGbnf, "root ::= \"a\"{3,1}"), HasSubstr("m is greater than n"));
  EXPECT_THAT(refusal(kGbnf, "root ::= \"\\q\""), HasSubstr("escape is not known"));
  EXPECT_THAT(refusal(kGbnf, "root ::= \"a\nroot ::= \"b\""), HasSubstr("not closed"));
  EXPECT_THAT(refusal(kGbnf, "root ::= \"\xFF\""), HasSubstr("not valid UTF-8"));
  EXPECT_THAT(refusal(kGbnf, "root ::= \"a\"\nroot ::= \"b\""), HasSubstr("defined twice"));
  EXPECT_THAT(refusal(kGbnf, "root ::= <[12]>"), HasSubstr("not supported"));
}

TEST(Gbnf, LeftRecursionIsRefusedByName) {
  EXPECT_THAT(refusal(kGbnf, "root ::= sum\nsum ::= sum \"+\" \"1\" | \"1\""),
              HasSubstr("rule 'sum' begins with itself"));
  EXPECT_THAT(refusal(kGbnf, "root ::= a\na ::= \"x\"? b\nb ::= a \"y\" | \"z\""),
              HasSubstr("begins with itself"))
      << "hidden behind what may be empty";
  EXPECT_THAT(refusal(kGbnf, "root ::= root"), HasSubstr("no text that ends"));
}

TEST(Gbnf, ARootThatNeverEndsIsRefused) {
  EXPECT_THAT(refusal(kGbnf, "root ::= \"a\" root"), HasSubstr("'root' has no text that ends"));
}

}  // namespace
}  // namespace notso
