// Random answers of every case, drawn by the masks, are what the case asks for: checked by programs
// that share nothing with the grammar compiler.
#include <boost/json/parse.hpp>
#include <codecvt>
#include <gtest/gtest.h>
#include <locale>
#include <regex>

#include "service/grammar/cases.h"
#include "service/grammar/gbnf_oracle.h"
#include "service/grammar/sampler.h"
#include "service/grammar/schema_checker.h"

namespace notso {
namespace {

// Sanitizers look at the code, not at the odds.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kAnswers = 20;
#else
constexpr int kAnswers = 200;
#endif

const TestVocabulary& vocabulary() {
  static const TestVocabulary vocabulary = make_test_vocabulary();
  return vocabulary;
}

std::shared_ptr<Grammar> compiled(const GrammarCase& one) {
  auto grammar = Grammar::compile(one.source, vocabulary().vocabulary);
  EXPECT_TRUE(grammar) << one.name << ": " << grammar.error().message;
  return grammar ? *grammar : nullptr;
}

// Draws answers of a case and gives each to `check`, up to the first that it does not like.
template <class Check>
void check_answers(const GrammarCase& one, Check check) {
  const std::shared_ptr<Grammar> grammar = compiled(one);
  if (grammar == nullptr) return;
  std::mt19937 random(7);
  for (int i = 0; i < kAnswers; ++i) {
    const auto text = sample_answer(grammar, vocabulary(), 3 + random() % 60, random);
    ASSERT_TRUE(text) << one.name << ": an answer did not end";
    ASSERT_TRUE(check(*text)) << one.name << ": " << *text;
  }
}

TEST(GrammarSampling, AnswersOfEverySchemaFitIt) {
  const auto cases = schema_cases(NOTSO_SOURCE_DIR);
  ASSERT_GE(cases.size(), 50u);
  for (const GrammarCase& one : cases) {
    const boost::json::value schema = boost::json::parse(one.source.text);
    check_answers(one, [&](const std::string& text) {
      boost::system::error_code error;
      boost::json::parse_options options;
      options.max_depth = 1000;
      const boost::json::value value = boost::json::parse(text, error, {}, options);
      return !error && fits_schema(value, schema, schema);
    });
  }
}

TEST(GrammarSampling, AnswersOfEveryGbnfGrammarMatchIt) {
  const auto cases = gbnf_cases(NOTSO_SOURCE_DIR);
  ASSERT_GE(cases.size(), 20u);
  for (const GrammarCase& one : cases) {
    GbnfOracle oracle(one.source.text);
    check_answers(one, [&](const std::string& text) { return oracle.matches(text); });
  }
}

TEST(GrammarSampling, AnswersOfEveryRegularExpressionMatchIt) {
  const auto cases = regex_cases(NOTSO_SOURCE_DIR);
  ASSERT_GE(cases.size(), 10u);
  std::wstring_convert<std::codecvt_utf8<wchar_t>> wide;
  for (const GrammarCase& one : cases) {
    // What std::regex does not read is left to the peer check.
    if (one.name.find("\\u{") != std::string::npos) continue;
    std::string plain = one.name;
    const std::size_t named = plain.find("(?<word>");
    if (named != std::string::npos) plain.erase(named + 1, 7);
    const std::wregex regex(wide.from_bytes(plain));
    check_answers(one, [&](const std::string& text) {
      return std::regex_match(wide.from_bytes(text), regex);
    });
  }
}

TEST(GrammarSampling, AnswersOfJsonObjectAreObjects) {
  check_answers({"json_object", {GrammarSource::Kind::kJsonObject, ""}},
                [](const std::string& text) {
                  boost::system::error_code error;
                  const boost::json::value value = boost::json::parse(text, error);
                  return !error && value.is_object();
                });
}

TEST(GrammarSampling, ToolCallsNameAToolAndFitItsParameters) {
  const std::string add = R"({"type":"object","properties":{"a":{"$ref":"#/$defs/n"}},
                              "required":["a"],"$defs":{"n":{"type":"integer"}}})";
  const ToolSignature tools[] = {{"add \"it\"", add}, {"now", ""}};
  const auto source = tool_call_source(tools);
  ASSERT_TRUE(source);
  const boost::json::value schema = boost::json::parse(add);
  check_answers({"tools", *source}, [&](const std::string& text) {
    const boost::json::value call = boost::json::parse(text);
    const boost::json::value& arguments = call.at("arguments");
    return call.as_object().size() == 2 && arguments.is_object() &&
           (call.at("name") == "now" ||
            (call.at("name") == "add \"it\"" && fits_schema(arguments, schema, schema)));
  });
}

}  // namespace
}  // namespace notso
