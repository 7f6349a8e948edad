// Fields of a request under bounds.
#include "web/api/json_fields.h"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "web/api/sampling_fields.h"

namespace notso::api {
namespace {

namespace json = boost::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Reads `text` with `read`; the first refusal, or "".
template <class Read>
std::string refused(std::string_view text, Read read) {
  const json::object object = json::parse(text).as_object();
  Fields fields(object);
  read(fields);
  return fields.error() ? fields.error()->message : "";
}

std::string refused_sampling(std::string_view text) {
  return refused(text, [](Fields& fields) {
    SamplingParams sampling;
    read_sampling(fields, sampling);
  });
}

TEST(ParseObject, RefusesWhatIsNoObject) {
  EXPECT_TRUE(parse_object(R"({"a": 1})"));
  for (const std::string_view body : {"", "{", "[]", "3", "null", "{\"a\": 1} x", "{'a': 1}"}) {
    const auto read = parse_object(body);
    ASSERT_FALSE(read) << body;
    EXPECT_EQ(http_status(read.error()), 400);
  }
  EXPECT_THAT(parse_object("[]").error().message, HasSubstr("an array"));
  EXPECT_FALSE(parse_object("{\"a\": \"\xFF\"}"));
}

TEST(ParseObject, BoundsTheDepth) {
  const auto nested = [](std::size_t depth) {
    return "{\"a\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_TRUE(parse_object(nested(60)));
  const auto deep = parse_object(nested(100'000));
  ASSERT_FALSE(deep);
  EXPECT_THAT(deep.error().message, HasSubstr("64"));
}

TEST(Fields, LeavesAloneWhatIsMissingOrNull) {
  double number = 3;
  std::int32_t integer = 4;
  bool flag = true;
  std::string text = "t";
  EXPECT_EQ(refused(R"({"a": null})",
                    [&](Fields& fields) {
                      for (const std::string_view key : {"a", "b"}) {
                        fields.number(key, 0, 1, number);
                        fields.integer(key, 0, 1, integer);
                        fields.boolean(key, flag);
                        fields.string(key, 1, text);
                        EXPECT_EQ(fields.array(key, 1), nullptr);
                        EXPECT_EQ(fields.object(key), nullptr);
                      }
                    }),
            "");
  EXPECT_EQ(number, 3);
  EXPECT_EQ(integer, 4);
  EXPECT_TRUE(flag);
  EXPECT_EQ(text, "t");
}

TEST(Fields, NamesTheFieldAndWhatIsAllowed) {
  double number = 0;
  std::int32_t integer = 0;
  bool flag = false;
  std::string text;
  std::vector<std::string> texts;
  const auto number_of = [&](Fields& fields) { fields.number("x", 0, 2, number); };
  EXPECT_EQ(refused(R"({"x": 2.5})", number_of), "x is 2.5; it must be from 0 to 2");
  EXPECT_EQ(refused(R"({"x": 1e999})", number_of), "x is inf; it must be from 0 to 2");
  EXPECT_EQ(refused(R"({"x": "1"})", number_of), "x must be a number, not a string");
  const auto integer_of = [&](Fields& fields) { fields.integer("x", 1, 9, integer); };
  for (const std::string_view bad : {"0", "10", "1.5", "1e99", "18446744073709551615"}) {
    EXPECT_THAT(refused("{\"x\": " + std::string(bad) + "}", integer_of),
                HasSubstr("must be a whole number from 1 to 9"));
  }
  EXPECT_EQ(refused(R"({"x": 3.0})", integer_of), "");
  EXPECT_EQ(integer, 3);
  EXPECT_EQ(refused(R"({"x": 1})", [&](Fields& fields) { fields.boolean("x", flag); }),
            "x must be true or false, not a number");
  EXPECT_EQ(refused(R"({"x": "abc"})", [&](Fields& fields) { fields.string("x", 2, text); }),
            "x has 3 bytes; the limit is 2");
  const auto strings_of = [&](Fields& fields) { fields.strings("x", 2, 3, texts); };
  EXPECT_EQ(refused(R"({"x": ["a", "b", "c"]})", strings_of), "x has 3 entries; the limit is 2");
  EXPECT_EQ(refused(R"({"x": ["a", 1]})", strings_of), "x[1] must be a string, not a number");
  EXPECT_EQ(refused(R"({"x": "ab"})", strings_of), "");
  EXPECT_THAT(texts, ElementsAre("ab"));
}

TEST(Fields, RemembersTheFirstRefusalOnly) {
  double number = 0;
  EXPECT_EQ(refused(R"({"a": 3, "b": 4})",
                    [&](Fields& fields) {
                      fields.number("b", 0, 1, number);
                      fields.number("a", 0, 1, number);
                    }),
            "b is 4; it must be from 0 to 1");
}

TEST(Fields, TakesThePlaceFromTheErrorsOfOthers) {
  const json::object object;
  Fields fields(object);
  fields.refuse("messages", Error{ErrorCode::kInvalidArgument, "messages[2].role is missing"});
  EXPECT_EQ(fields.error()->field, "messages[2].role");
}

TEST(TokenIds, MustBeInsideTheVocabulary) {
  EXPECT_THAT(*read_token_ids(json::parse("[0, 9]").as_array(), "t", 10), ElementsAre(0, 9));
  for (const std::string_view bad : {"[0, 10]", "[0, -1]", "[0, 1.5]", "[0, \"1\"]"}) {
    const auto read = read_token_ids(json::parse(bad).as_array(), "t", 10);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().field, "t[1]");
  }
}

TEST(SamplingFields, AreReadByTheNamesOfAllPeers) {
  const json::object object = json::parse(R"({"temperature": 1.5, "top_p": 0.5, "top_k": 7,
      "min_p": 0.1, "frequency_penalty": -1, "presence_penalty": 2, "repeat_penalty": 1.1,
      "seed": 77, "logit_bias": {"5": -100, "6": 1.5}})")
                                  .as_object();
  Fields fields(object);
  SamplingParams sampling;
  read_sampling(fields, sampling);
  EXPECT_FALSE(fields.error());
  EXPECT_EQ(sampling.temperature, 1.5F);
  EXPECT_EQ(sampling.top_p, 0.5F);
  EXPECT_EQ(sampling.top_k, 7);
  EXPECT_EQ(sampling.min_p, 0.1F);
  EXPECT_EQ(sampling.frequency_penalty, -1);
  EXPECT_EQ(sampling.presence_penalty, 2);
  EXPECT_EQ(sampling.repetition_penalty, 1.1F);
  EXPECT_EQ(sampling.seed, 77U);
  ASSERT_EQ(sampling.logit_bias.size(), 2U);
  EXPECT_EQ(sampling.logit_bias[0].token, 5);
  EXPECT_EQ(sampling.logit_bias[1].bias, 1.5F);
}

TEST(SamplingFields, ASeedOfMinusOneIsAnyAsNoneIs) {
  for (const char* text : {R"({"seed": -1})", "{}"}) {
    const json::object object = json::parse(text).as_object();
    std::set<std::uint64_t> seeds;
    for (int i = 0; i < 3; ++i) {
      Fields fields(object);
      SamplingParams sampling;
      read_sampling(fields, sampling);
      seeds.insert(sampling.seed);
    }
    EXPECT_EQ(seeds.size(), 3U) << text;
  }
}

TEST(SamplingFields, AreRefusedByName) {
  EXPECT_THAT(refused_sampling(R"({"temperature": 2.1})"), HasSubstr("temperature is 2.1"));
  EXPECT_THAT(refused_sampling(R"({"top_p": -0.1})"), HasSubstr("top_p"));
  EXPECT_THAT(refused_sampling(R"({"top_k": -2})"), HasSubstr("top_k"));
  EXPECT_THAT(refused_sampling(R"({"min_p": 2})"), HasSubstr("min_p"));
  EXPECT_THAT(refused_sampling(R"({"frequency_penalty": 3})"), HasSubstr("frequency_penalty"));
  EXPECT_THAT(refused_sampling(R"({"presence_penalty": -3})"), HasSubstr("presence_penalty"));
  EXPECT_THAT(refused_sampling(R"({"repetition_penalty": 0})"), HasSubstr("repetition_penalty"));
  EXPECT_THAT(refused_sampling(R"({"seed": 1.5})"), HasSubstr("seed"));
  EXPECT_THAT(refused_sampling(R"({"logit_bias": {"a": 1}})"), HasSubstr("no token id"));
  EXPECT_THAT(refused_sampling(R"({"logit_bias": {"1": 101}})"), HasSubstr("logit_bias.1"));
  EXPECT_THAT(refused_sampling(R"({"logit_bias": [1]})"), HasSubstr("must be an object"));
}

TEST(ResponseFormat, IsOneOfTheGrammars) {
  const std::vector<std::pair<std::string_view, GrammarSource::Kind>> cases = {
      {R"({"response_format": {"type": "json_object"}})", GrammarSource::Kind::kJsonObject},
      {R"({"response_format": {"type": "json_object", "schema": {}}})",
       GrammarSource::Kind::kJsonSchema},
      {R"({"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}})",
       GrammarSource::Kind::kJsonSchema},
      {R"({"response_format": {"type": "grammar", "grammar": "root ::= [a]"}})",
       GrammarSource::Kind::kGbnf},
      {R"({"response_format": {"type": "regex", "regex": "a"}})", GrammarSource::Kind::kRegex},
      {R"({"json_schema": {}})", GrammarSource::Kind::kJsonSchema},
      {R"({"grammar": "root ::= [a]"})", GrammarSource::Kind::kGbnf},
      {R"({"regex": "a"})", GrammarSource::Kind::kRegex}};
  for (const auto& [text, kind] : cases) {
    const json::object object = json::parse(text).as_object();
    Fields fields(object);
    std::optional<GrammarSource> format;
    read_response_format(fields, format);
    EXPECT_FALSE(fields.error()) << text;
    ASSERT_TRUE(format) << text;
    EXPECT_EQ(format->kind, kind) << text;
  }
}

TEST(ResponseFormat, IsRefusedByName) {
  const auto refused_format = [](std::string_view text) {
    return refused(text, [](Fields& fields) {
      std::optional<GrammarSource> format;
      read_response_format(fields, format);
    });
  };
  EXPECT_EQ(refused_format(R"({"response_format": {"type": "text"}})"), "");
  EXPECT_THAT(refused_format(R"({"response_format": {"type": "xml"}})"),
              HasSubstr("response_format.type must be"));
  EXPECT_THAT(refused_format(R"({"response_format": {"type": "json_schema"}})"),
              HasSubstr("response_format.json_schema is missing"));
  EXPECT_THAT(refused_format(R"({"response_format": {"type": "json_schema", "json_schema": {}}})"),
              HasSubstr("response_format.json_schema.schema is missing"));
  EXPECT_THAT(refused_format(R"({"grammar": "x", "regex": "y"})"), HasSubstr("does not go with"));
}

}  // namespace
}  // namespace notso::api
