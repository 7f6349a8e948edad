// What answers a JSON schema allows. Whether all of them are valid is the matter of sampling_test
// and of tests/peer/grammar; here are those that must be possible, and what is refused.
#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex>

#include "service/grammar/verdict.h"

namespace notso {
namespace {

using testing::HasSubstr;
constexpr auto kSchema = GrammarSource::Kind::kJsonSchema;

TEST(Schema, AnswersMayBeCompactSpacedOrIndented) {
  const std::string schema = R"({"properties":{"a":{"type":"integer"},"b":{"type":"array",
    "items":{"type":"boolean"}}},"required":["a","b"],"additionalProperties":false})";
  EXPECT_EQ(verdict(kSchema, schema, R"({"a":1,"b":[true,false]})"), "yes");
  EXPECT_EQ(verdict(kSchema, schema, R"({ "a": 1, "b": [ true, false ] })"), "yes");
  EXPECT_EQ(verdict(kSchema, schema, "{\n  \"a\": 1,\n  \"b\": [\n    true\n  ]\n}"), "yes");
  EXPECT_EQ(verdict(kSchema, schema, "{  \"a\":1,\"b\":[]}"), "no") << "two blanks";
  EXPECT_EQ(verdict(kSchema, schema, "{\"a\":1,\"b\":[]}\n"), "no");
}

TEST(Schema, OptionalPropertiesMayBeLeftOutInAnyCombination) {
  const std::string schema = R"({"type":"object","properties":{"a":{"const":1},"b":{"const":2},
    "c":{"const":3}},"required":["b"],"additionalProperties":false})";
  for (const char* fits :
       {R"({"b":2})", R"({"a":1,"b":2})", R"({"b":2,"c":3})", R"({"a":1,"b":2,"c":3})"}) {
    EXPECT_EQ(verdict(kSchema, schema, fits), "yes") << fits;
  }
  for (const char* bad :
       {"{}", R"({"a":1})", R"({"a":1,"c":3})", R"({"c":3,"b":2})", R"({"b":2,})", R"({,"b":2})"}) {
    EXPECT_EQ(verdict(kSchema, schema, bad), "no") << bad;
  }
}

TEST(Schema, AlternativesWithinAllOfMustFitTheRestToo) {
  const std::string schema = R"({"allOf":[{"anyOf":[{"type":"integer"},{"type":"string"}]},
    {"anyOf":[{"const":1},{"const":"x"},{"const":null}]}]})";
  EXPECT_EQ(verdict(kSchema, schema, "1"), "yes");
  EXPECT_EQ(verdict(kSchema, schema, R"("x")"), "yes");
  EXPECT_EQ(verdict(kSchema, schema, "null"), "no");
  EXPECT_EQ(verdict(kSchema, schema, "2"), "no");
}

TEST(Schema, ExtraPropertiesNeverTakeAListedName) {
  const std::string schema = R"({"type":"object","properties":{"id":{"type":"integer"}},
    "additionalProperties":{"type":"boolean"}})";
  EXPECT_EQ(verdict(kSchema, schema, R"({"id":1,"i":true,"idx":false,"":true})"), "yes");
  EXPECT_EQ(verdict(kSchema, schema, R"({"id":true})"), "no");
  EXPECT_EQ(verdict(kSchema, schema, R"({"id":1,"id":true})"), "no");
  EXPECT_EQ(verdict(kSchema, schema, R"({"\u0069d":true})"), "no");
}

TEST(Schema, IntegerBoundsAreExact) {
  const std::string schema = R"({"type":"integer","minimum":-12,"maximum":1047})";
  for (int value = -1200; value <= 11000; ++value) {
    const bool fits = value >= -12 && value <= 1047;
    ASSERT_EQ(verdict(kSchema, schema, std::to_string(value)), fits ? "yes" : "no") << value;
    if (value == -20) value = -16;
    if (value == 1100) value = 9990;
  }
  EXPECT_EQ(verdict(kSchema, schema, "007"), "no");
  EXPECT_EQ(verdict(kSchema, schema, "-0"), "no");
}

TEST(Schema, NumberBoundsHoldForEveryCountOfDecimals) {
  const std::string schema = R"({"type":"number","exclusiveMinimum":-0.5,"maximum":12.25})";
  for (const char* fits : {"0", "12", "12.25", "12.2", "12.24999", "-0.4", "-0.499", "0.001"}) {
    EXPECT_EQ(verdict(kSchema, schema, fits), "yes") << fits;
  }
  for (const char* bad : {"-0.5", "-0.51", "12.251", "12.3", "13", "-1", "00.1", "-0.500001"}) {
    EXPECT_EQ(verdict(kSchema, schema, bad), "no") << bad;
  }
}

TEST(Schema, MultiplesAreCounted) {
  const std::string seven = R"({"type":"integer","multipleOf":7,"minimum":0})";
  for (int value = 0; value < 300; ++value) {
    ASSERT_EQ(verdict(kSchema, seven, std::to_string(value)), value % 7 == 0 ? "yes" : "no");
  }
  EXPECT_EQ(verdict(kSchema, R"({"type":"number","multipleOf":0.25})", "-3.75"), "yes");
  EXPECT_EQ(verdict(kSchema, R"({"type":"number","multipleOf":0.25})", "-3.70"), "no");
}

TEST(Schema, LengthsCountCharactersHoweverTheyAreSpelled) {
  const std::string schema = R"({"type":"string","minLength":2,"maxLength":2})";
  for (const char* fits : {R"("ab")", R"("😀é")", R"("\n\u00e9")", R"("\ud83d\ude00x")"}) {
    EXPECT_EQ(verdict(kSchema, schema, fits), "yes") << fits;
  }
  EXPECT_EQ(verdict(kSchema, schema, R"("\ud83dx")"), "no") << "half a pair";
  EXPECT_EQ(verdict(kSchema, schema, R"("abc")"), "no");
}

TEST(Schema, FormatsKnowTheCalendar) {
  const std::string schema = R"({"type":"string","format":"date"})";
  EXPECT_EQ(verdict(kSchema, schema, R"("2024-02-29")"), "yes");
  EXPECT_EQ(verdict(kSchema, schema, R"("2023-02-29")"), "no");
  EXPECT_EQ(verdict(kSchema, schema, R"("1900-02-29")"), "no");
  EXPECT_EQ(verdict(kSchema, schema, R"("2000-02-29")"), "yes");
  EXPECT_EQ(verdict(kSchema, schema, R"("2023-04-31")"), "no");
}

TEST(Schema, AFormatThatIsNotKnownSaysNothing) {
  EXPECT_EQ(verdict(kSchema, R"({"type":"string","format":"password"})", R"("a b")"), "yes");
  const std::string schema = R"({"type":"string","format":"iri","maxLength":2})";
  EXPECT_EQ(verdict(kSchema, schema, R"("ab")"), "yes");
  EXPECT_EQ(verdict(kSchema, schema, R"("abc")"), "no");
  EXPECT_EQ(verdict(kSchema, R"({"enum":["x","y"],"format":"date"})", R"("y")"), "yes");
}

TEST(Schema, APatternGoesBeforeTheFormatThatItSpellsOut) {
  const std::string schema = R"({"type":"string","format":"date","pattern":"^[0-9]{4}$"})";
  EXPECT_EQ(verdict(kSchema, schema, R"("2024")"), "yes");
  EXPECT_EQ(verdict(kSchema, schema, R"("2024-02-29")"), "no");
  const std::string ahead = R"j({"type":"string","format":"date","pattern":"^(?=2).*$"})j";
  EXPECT_EQ(verdict(kSchema, ahead, R"("2024-02-29")"), "yes");
  EXPECT_EQ(verdict(kSchema, ahead, R"("2024")"), "no");
}

// All texts of up to six of these characters are held against the standard library's expressions.
TEST(Schema, APatternAndLengthsHoldTogether) {
  std::vector<std::string> texts{""};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    for (const char c : texts[i].size() < 6 ? std::string("ab-") : std::string()) {
      texts.push_back(texts[i] + c);
    }
  }
  for (const std::string pattern :
       {"^[ab]+$", "^a[ab-]*$", "^[ab]{2,}-a$", "^ab?a$", "^(ab|-a)b{0,3}$", "^-|ab$",
        "^(a|b)(a|-)[ab]{1,4}$", "^a", "b$", "^a{5}$"}) {
    const std::regex expression(pattern);
    for (const auto& [least, most] : {std::pair<std::size_t, std::size_t>{0, 3}, {2, 4}, {5, 6}}) {
      const std::string schema = R"({"type":"string","pattern":")" + pattern + R"(","minLength":)" +
                                 std::to_string(least) + R"(,"maxLength":)" + std::to_string(most) +
                                 "}";
      const auto fits = [&](const std::string& text) {
        return text.size() >= least && text.size() <= most && std::regex_search(text, expression);
      };
      if (std::none_of(texts.begin(), texts.end(), fits)) {
        EXPECT_THAT(refusal(kSchema, schema), HasSubstr("has no text")) << schema;
        continue;
      }
      for (const std::string& text : texts) {
        ASSERT_EQ(verdict(kSchema, schema, '"' + text + '"'), fits(text) ? "yes" : "no")
            << schema << " " << text;
      }
    }
  }
}

TEST(Schema, LengthsGoBeforeAFormatAndWithSeveralVaryingPartsAreRefused) {
  const std::string schema = R"({"type":"string","format":"email","maxLength":7})";
  EXPECT_EQ(verdict(kSchema, schema, R"("a@b.com")"), "yes");
  EXPECT_EQ(verdict(kSchema, schema, R"("aa@b.com")"), "no");
  const std::string least = R"({"type":"string","format":"email","minLength":1})";
  EXPECT_EQ(verdict(kSchema, least, R"("nobody")"), "no");
  EXPECT_THAT(refusal(kSchema, R"j({"type":"string","pattern":"^a*b*$","maxLength":3})j"),
              HasSubstr("several parts may be longer or shorter"));
}

TEST(Schema, BoundsOfNineteenDigitsAreRefused) {
  for (const char* schema :
       {R"({"type":"integer","minimum":9999999999999999999})",
        R"({"type":"number","minimum":9.9e18})", R"({"exclusiveMinimum":9223372036854775807})",
        R"({"type":"integer","multipleOf":9999999999999999999})"}) {
    EXPECT_THAT(refusal(kSchema, schema), HasSubstr("15 digits")) << schema;
  }
}

TEST(Schema, ArgumentsOfAToolAreAnObjectWhateverItsSchemaLeavesOut) {
  const auto takes = [](const std::string& parameters, const std::string& arguments) {
    const ToolSignature tool{"f", parameters};
    return verdict(GrammarSource::Kind::kToolCalls, (*tool_call_source({&tool, 1})).text,
                   R"({"name": "f", "arguments": )" + arguments + "}");
  };
  for (const char* parameters :
       {"{}", "true", R"({"description":"nothing"})", R"({"type":["object","null"]})",
        R"({"anyOf":[{"type":"object"},{"type":"null"}]})"}) {
    EXPECT_EQ(takes(parameters, "{}"), "yes") << parameters;
    EXPECT_EQ(takes(parameters, "null"), "no") << parameters;
    EXPECT_EQ(takes(parameters, "false"), "no") << parameters;
  }
  const std::string named = R"({"properties":{"a":{"type":"null"}},"required":["a"]})";
  EXPECT_EQ(takes(named, R"({"a": null})"), "yes");
  EXPECT_EQ(takes(named, "{}"), "no");
}

TEST(Schema, UnsupportedKeywordsAreNamedWithTheirPlace) {
  EXPECT_EQ(refusal(kSchema, R"({"properties":{"a/b":{"not":{}}}})"),
            "The schema at #/properties/a~1b: the keyword 'not' is not supported.");
  for (const char* keyword : {"if", "patternProperties", "uniqueItems", "minProperties",
                              "dependentRequired", "contains", "unevaluatedProperties"}) {
    EXPECT_THAT(refusal(kSchema, std::string("{\"") + keyword + "\":true}"),
                HasSubstr(std::string("'") + keyword + "' is not supported"));
  }
  EXPECT_THAT(refusal(kSchema, R"({"$ref":"http://x/y"})"), HasSubstr("out of the document"));
  EXPECT_THAT(refusal(kSchema, R"j({"pattern":"(?=a)"})j"), HasSubstr("lookahead"));
}

TEST(Schema, MalformedSchemasAreRefused) {
  EXPECT_THAT(refusal(kSchema, "{"), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal(kSchema, "3"), HasSubstr("object, true or false"));
  EXPECT_THAT(refusal(kSchema, R"({"type":"strng"})"), HasSubstr("names no JSON type"));
  EXPECT_THAT(refusal(kSchema, R"({"minLength":-1})"), HasSubstr("'minLength'"));
  EXPECT_THAT(refusal(kSchema, R"({"$ref":"#/$defs/x"})"), HasSubstr("leads nowhere"));
  EXPECT_THAT(refusal(kSchema, R"({"anyOf":[]})"), HasSubstr("'anyOf'"));
  EXPECT_THAT(refusal(kSchema, R"({"allOf":[{"const":1},{"const":2}]})"),
              HasSubstr("no text that ends"));
}

TEST(Schema, ReferencesMayUseEscapesInTheirPointers) {
  EXPECT_EQ(
      verdict(kSchema, R"({"$ref":"#/$defs/a~1b%20c","$defs":{"a/b c":{"const":"x"}}})", R"("x")"),
      "yes");
}

}  // namespace
}  // namespace notso
