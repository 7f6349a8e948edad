#include "service/chat/prefix_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/chat/chat_fixtures.h"

namespace notso {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string& source() { return chat_templates()[0].source; }

PrefixReport compare(const Prompt& before, const Prompt& now) {
  return compare_prefix(*chat_tokenizer(), before, {}, now);
}

TEST(PrefixReport, TheSamePromptIsReusedWhole) {
  const auto builder = builder_of(source());
  const Prompt prompt = must_render(*builder, {user_says("a")});
  const PrefixReport report = compare(prompt, prompt);
  EXPECT_EQ(report.reused_tokens, prompt.tokens.size());
  EXPECT_THAT(report.reasons, IsEmpty());
  EXPECT_EQ(report.explanation, "");
}

TEST(PrefixReport, AFirstPromptHasNothingToReuseAndNothingToExplain) {
  const auto builder = builder_of(source());
  const PrefixReport report = compare(Prompt{}, must_render(*builder, {user_says("a")}));
  EXPECT_EQ(report.reused_tokens, 0U);
  EXPECT_THAT(report.reasons, IsEmpty());
}

TEST(PrefixReport, AnotherDayIsNamed) {
  std::tm tomorrow = fixed_day();
  tomorrow.tm_mday = 21;
  const Prompt before = must_render(*builder_of(source()), {user_says("a")});
  const Prompt now = must_render(*builder_of(source(), tomorrow), {user_says("a")});
  const PrefixReport report = compare(before, now);
  EXPECT_THAT(report.reasons, ElementsAre(PrefixBreak::kDate));
  EXPECT_THAT(report.explanation, HasSubstr("the date in the prompt changed"));
  const auto same = std::mismatch(before.tokens.begin(), before.tokens.end(), now.tokens.begin());
  EXPECT_EQ(report.reused_tokens, static_cast<std::size_t>(same.first - before.tokens.begin()));
}

TEST(PrefixReport, SwitchedThinkingIsNamed) {
  const auto builder = builder_of(source());
  PromptOptions off;
  off.thinking = false;
  const PrefixReport report = compare(must_render(*builder, {user_says("a")}),
                                      must_render(*builder, {user_says("a")}, off));
  EXPECT_THAT(report.reasons, ElementsAre(PrefixBreak::kThinking));
}

TEST(PrefixReport, AChangedSystemMessageIsNamed) {
  const auto builder = builder_of(source());
  const PrefixReport report = compare(must_render(*builder, {system_says("x"), user_says("a")}),
                                      must_render(*builder, {system_says("y"), user_says("a")}));
  EXPECT_THAT(report.reasons, ElementsAre(PrefixBreak::kSystem));
}

TEST(PrefixReport, ChangedToolsAreNamed) {
  const auto builder = builder_of(source());
  PromptOptions tools;
  tools.tools.push_back(weather_tool());
  const PrefixReport report = compare(must_render(*builder, {user_says("a")}),
                                      must_render(*builder, {user_says("a")}, tools));
  EXPECT_THAT(report.reasons, ElementsAre(PrefixBreak::kTools));
}

TEST(PrefixReport, AnEditedMessageIsNamedByItsPlace) {
  const auto builder = builder_of(source());
  const PrefixReport report =
      compare(must_render(*builder, {user_says("a"), assistant_says("b"), user_says("c")}),
              must_render(*builder, {user_says("a"), assistant_says("x"), user_says("c")}));
  EXPECT_THAT(report.reasons, ElementsAre(PrefixBreak::kMessage));
  EXPECT_THAT(report.explanation, HasSubstr("message 2 "));
}

TEST(PrefixReport, AnAnswerThatComesBackAsTextIsNamed) {
  const auto builder = builder_of(source());
  const Prompt before = must_render(*builder, {user_says("a")});
  std::vector<TokenId> written;
  for (const char c : std::string_view("weather")) {
    written.push_back(chat_tokenizer()->encode(std::string_view(&c, 1)).at(0));
  }
  const Prompt now =
      must_render(*builder, {user_says("a"), assistant_says("weather"), user_says("b")});
  const PrefixReport report = compare_prefix(*chat_tokenizer(), before, written, now);
  EXPECT_EQ(report.reused_tokens, before.tokens.size());
  EXPECT_THAT(report.reasons, ElementsAre(PrefixBreak::kRetokenised));
}

TEST(PrefixReport, AskingAgainReusesTheWholePrompt) {
  const auto builder = builder_of(source());
  const Prompt before = must_render(*builder, {user_says("a")});
  const std::vector<TokenId> written = {1, 2, 3};
  const PrefixReport report = compare_prefix(*chat_tokenizer(), before, written, before);
  EXPECT_EQ(report.reused_tokens, before.tokens.size());
  EXPECT_THAT(report.reasons, IsEmpty());
}

TEST(PrefixReport, AnotherTemplateIsNamed) {
  const PrefixReport report = compare(must_render(*builder_of("a {{ 1 }}"), {user_says("a")}),
                                      must_render(*builder_of("b {{ 1 }}"), {user_says("a")}));
  EXPECT_THAT(report.reasons, ElementsAre(PrefixBreak::kTemplate));
}

}  // namespace
}  // namespace notso
