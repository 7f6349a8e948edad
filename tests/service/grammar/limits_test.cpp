// Hostile sources are refused, or simply done, in no time, with one line that says why.
#include <ctime>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/grammar/test_vocabulary.h"
#include "service/grammar/verdict.h"

namespace notso {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;
using Kind = GrammarSource::Kind;

// Many times what the slowest takes, and nothing to what grows by powers.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr double kSeconds = 60;
#else
constexpr double kSeconds = 5;
#endif

// The refusal, having taken little processor time (sanitizers get more).
std::string quick_refusal(Kind kind, std::string source) {
  const std::clock_t start = std::clock();
  std::string message = refusal(kind, std::move(source));
  EXPECT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, kSeconds);
  EXPECT_THAT(message, Not(HasSubstr("\n")));
  return message;
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

TEST(GrammarLimits, SixtyThousandParenthesesAreRefused) {
  const std::string open = repeated("(", 60'000);
  EXPECT_THAT(quick_refusal(Kind::kGbnf, "root ::= " + open), HasSubstr("nested deeper than 512"));
  EXPECT_THAT(quick_refusal(Kind::kRegex, open), HasSubstr("nested deeper than 512"));
}

TEST(GrammarLimits, ASchemaOfFourHundredLevelsIsRefused) {
  const std::string schema = repeated(R"({"properties":{"a":)", 400) + "true" + repeated("}}", 400);
  EXPECT_THAT(quick_refusal(Kind::kJsonSchema, schema), HasSubstr("nested deeper than 256"));
  const std::string list = repeated(R"({"items":)", 400) + "true" + repeated("}", 400);
  EXPECT_THAT(quick_refusal(Kind::kJsonSchema, list), HasSubstr("nested deeper than 256"));
}

TEST(GrammarLimits, ASchemaOfAHundredLevelsIsFine) {
  const std::string schema = repeated(R"({"properties":{"a":)", 100) + "true" + repeated("}}", 100);
  EXPECT_EQ(quick_refusal(Kind::kJsonSchema, schema), "");
}

TEST(GrammarLimits, ReferencesThatLoopAreRefused) {
  EXPECT_THAT(quick_refusal(Kind::kJsonSchema, R"({"$ref":"#"})"), HasSubstr("back to itself"));
  EXPECT_THAT(quick_refusal(Kind::kJsonSchema,
                            R"({"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},
                                "b":{"$ref":"#/$defs/a"}}})"),
              HasSubstr("back to itself"));
  EXPECT_THAT(quick_refusal(Kind::kJsonSchema, R"({"allOf":[{"$ref":"#"}],"type":"object"})"),
              HasSubstr("is there a loop"));
  EXPECT_THAT(quick_refusal(Kind::kJsonSchema, R"({"anyOf":[{"$ref":"#"},{"type":"null"}]})"),
              HasSubstr("begins with itself"));
}

TEST(GrammarLimits, HugeRepetitionsAreRefused) {
  EXPECT_THAT(quick_refusal(Kind::kGbnf, "root ::= \"a\"{0,100000000}"),
              HasSubstr("at most 1000000 times"));
  EXPECT_THAT(quick_refusal(Kind::kRegex, "a{4000000000}"), HasSubstr("at most 1000000 times"));
  EXPECT_THAT(quick_refusal(Kind::kJsonSchema, R"({"type":"string","maxLength":2147483647})"),
              HasSubstr("'maxLength' is above 1000000"));
}

TEST(GrammarLimits, RepetitionsWithinRepetitionsDoNotMultiply) {
  EXPECT_EQ(quick_refusal(Kind::kRegex, "((((a{1000}){1000}){1000}){1000}){1000}"), "");
  EXPECT_EQ(quick_refusal(Kind::kRegex, "(((((a?){0,1000}b?){0,1000}c?){0,1000})*)*"), "");
  EXPECT_EQ(quick_refusal(Kind::kGbnf, "root ::= \"a\"" + repeated("*", 60'000)), "");
}

TEST(GrammarLimits, TooManyPartsAreRefused) {
  EXPECT_THAT(quick_refusal(Kind::kRegex, repeated("a{4000}", 1000)), HasSubstr("too large"));
  EXPECT_THAT(quick_refusal(Kind::kGbnf, std::string(600'000, ' ')), HasSubstr("at most 524288"));
  std::string rules = "root ::= \"x\"\n";
  for (int i = 0; i < 30'000; ++i)
    rules += std::string("a").append(std::to_string(i)) + "::=\"\"\n";
  EXPECT_EQ(quick_refusal(Kind::kGbnf, rules), "");
}

TEST(GrammarLimits, AlternativesThatMultiplyAreRefused) {
  std::string all;
  for (int i = 0; i < 40; ++i) {
    all += std::string(i == 0 ? "" : ",") + R"({"anyOf":[{"type":"object"},{"minItems":1}]})";
  }
  EXPECT_THAT(quick_refusal(Kind::kJsonSchema, R"({"allOf":[)" + all + "]}"),
              AnyOf(HasSubstr("multiply to too much"), HasSubstr("too large")));
}

TEST(GrammarLimits, AThousandOptionalPropertiesAreFine) {
  std::string properties;
  for (int i = 0; i < 1000; ++i) {
    properties += std::string(i == 0 ? "" : ",") + "\"p" + std::to_string(i) + R"(":{"const":1})";
  }
  const std::string schema =
      R"({"type":"object","additionalProperties":false,"properties":{)" + properties + "}}";
  EXPECT_EQ(quick_refusal(Kind::kJsonSchema, schema), "");
  EXPECT_EQ(verdict(Kind::kJsonSchema, schema, R"({"p7":1,"p500":1,"p999":1})"), "yes");
}

TEST(GrammarLimits, ALongNameDoesNotMultiplyInMessages) {
  std::string properties;
  for (int i = 0; i < 2000; ++i) {
    properties += std::string(i == 0 ? "" : ",") + "\"" + std::to_string(i) + R"(":{"const":1})";
  }
  const std::string schema = R"({"properties":{")" + std::string(200'000, 'k') +
                             R"(":{"properties":{)" + properties + "}}}}";
  EXPECT_EQ(quick_refusal(Kind::kJsonSchema, schema), "");
}

TEST(GrammarLimits, AmbiguityGrowsByPolynomialsAndNotByPowers) {
  auto grammar =
      compiled(Kind::kGbnf, "root ::= s\ns ::= \"a\" s s s | \"a\" s s | \"a\" s | \"a\"");
  ASSERT_TRUE(grammar);
  GrammarMatcher matcher(*grammar);
  std::size_t taken = 0;
  while (taken < 150 && matcher.accept_bytes("a")) ++taken;
  EXPECT_GE(taken, 100u);
}

// The first masks for an answer of the letter "a", as many as are asked for, or why there is none.
std::string masks(const std::string& source, Kind kind, std::size_t count) {
  static const TestVocabulary vocabulary = make_test_vocabulary(32'000);
  auto grammar = Grammar::compile({kind, source}, vocabulary.vocabulary);
  if (!grammar) return grammar.error().message;
  GrammarMatcher matcher(*grammar);
  std::vector<std::uint64_t> mask(vocabulary.vocabulary->mask_words());
  for (std::size_t i = 0; i < count; ++i) {
    const auto filled = matcher.fill_mask(mask);
    if (!filled && filled.error().code == ErrorCode::kUnsupported) return filled.error().message;
    if (!filled || !matcher.accept_bytes("a")) return "not a refusal";
  }
  return "";
}

// Rules that each allow most of the vocabulary, and differ, so that each needs a walk of its own.
std::string wide_rules(int count) {
  std::string root = "root ::= ";
  std::string rules;
  for (int i = 0; i < count; ++i) {
    const std::string number = std::to_string(i);
    root.append(i == 0 ? "a" : " | a").append(number).append(" \"").append(number).append("!\"");
    rules.append("\na").append(number).append(" ::= [a-zA-Z ]+ | \"zq").append(number) += '"';
  }
  return root + rules;
}

TEST(GrammarLimits, AMaskOfManyWideRulesIsRefused) {
  EXPECT_EQ(masks(wide_rules(20), Kind::kGbnf, 4), "");
  const std::clock_t start = std::clock();
  EXPECT_THAT(masks(wide_rules(3000), Kind::kGbnf, 1), HasSubstr("too ambiguous"));
  EXPECT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, kSeconds);
}

TEST(GrammarLimits, AnAnswerWhoseMasksAreAllHardIsRefused) {
  EXPECT_EQ(masks("(.?){60}[aeiou ].{20}", Kind::kRegex, 60), "");
  const std::clock_t start = std::clock();
  EXPECT_THAT(masks("(.?){300}[aeiou ].{200}", Kind::kRegex, 200), HasSubstr("too ambiguous"));
  EXPECT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, 2 * kSeconds);
}

TEST(GrammarLimits, ALongStringOfManyStatesIsFine) {
  EXPECT_EQ(masks("a{8000}b?", Kind::kRegex, 8000), "");
  EXPECT_EQ(masks("[a-z ]{1000}", Kind::kRegex, 1000), "");
}

}  // namespace
}  // namespace notso
