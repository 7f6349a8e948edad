#include "service/chat/prompt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ml/core/gguf/gguf_bytes.h"
#include "ml/core/tokenizer/small_vocab.h"
#include "service/chat/chat_fixtures.h"
#include "service/chat/default_templates.h"

namespace notso {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string& source() { return chat_templates()[0].source; }

constexpr std::string_view kHeader =
    "<|im_start|>system\n## Metadata\n\nKnowledge Cutoff Date: June 2025\n"
    "Today Date: 20 November 2026\nReasoning Mode: ";

TEST(Prompt, TheBuiltInTemplateWritesSmolLm3sFormat) {
  const Prompt prompt = must_render(
      *builder_of(source()),
      {system_says("be brief"), user_says("hello"), assistant_says("hi"), tool_says("22 C")});
  EXPECT_EQ(prompt.text(), std::string(kHeader) +
                               "/think\n\n## Custom Instructions\n\nbe brief\n\n<|im_end|>\n"
                               "<|im_start|>user\nhello<|im_end|>\n"
                               "<|im_start|>assistant\nhi<|im_end|>\n"
                               "<|im_start|>user\n22 C<|im_end|>\n"
                               "<|im_start|>assistant\n");
}

TEST(Prompt, WithoutThinkingEveryAnswerBeginsWithAnEmptyThought) {
  PromptOptions off;
  off.thinking = false;
  const std::string text =
      must_render(*builder_of(source()), {user_says("a"), assistant_says("b")}, off).text();
  EXPECT_THAT(text, HasSubstr("<|im_start|>assistant\n<think>\n\n</think>\nb<|im_end|>\n"));
  EXPECT_THAT(text, EndsWith("<|im_start|>assistant\n<think>\n\n</think>\n"));
}

TEST(Prompt, TheSystemMessageMaySwitchThinking) {
  PromptOptions on;
  on.thinking = true;
  const std::string text =
      must_render(*builder_of(source()), {system_says("x /no_think"), user_says("a")}, on).text();
  EXPECT_THAT(text, HasSubstr("Reasoning Mode: /no_think\n"));
  EXPECT_THAT(text, HasSubstr("\n\nx\n\n<|im_end|>"));
}

TEST(Prompt, ThoughtsAndCallsAreWrittenBackAsTheModelWroteThem) {
  Message turn = assistant_says("Let me see.", "which city");
  turn.tool_calls = {{"1", "get_weather", R"({"city": "Bern"})"}, {"2", "clock", ""}};
  const Prompt prompt = must_render(*builder_of(source()), {user_says("a"), turn});
  EXPECT_THAT(prompt.text(),
              HasSubstr("<|im_start|>assistant\n<think>\nwhich city\n</think>\nLet me see.\n"
                        "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": "
                        "\"Bern\"}}\n</tool_call>\n"
                        "<tool_call>\n{\"name\": \"clock\", \"arguments\": {}}\n</tool_call>"
                        "<|im_end|>\n"));
  EXPECT_EQ(count_token(prompt, "<think>"), 1);
  EXPECT_EQ(count_token(prompt, "<tool_call>"), 2);
}

TEST(Prompt, PythonCallsAreWrittenBackAsCode) {
  PromptOptions options;
  options.tool_style = ToolStyle::kPython;
  Message turn = assistant_says("");
  turn.tool_calls = {{"1", "python", "print(1)"}};
  const Prompt prompt = must_render(*builder_of(source()), {user_says("a"), turn}, options);
  EXPECT_THAT(prompt.text(), HasSubstr("assistant\n<code>\nprint(1)\n</code><|im_end|>"));
  EXPECT_EQ(count_token(prompt, "<code>"), 1);
}

TEST(Prompt, OnlyTheNewlinesOfTheTagsAreAddedToAPastAnswer) {
  Message turn = assistant_says("", "\nA\n");
  turn.tool_calls = {{"1", "f", "{}"}};
  EXPECT_THAT(must_render(*builder_of(source()), {user_says("a"), turn}).text(),
              HasSubstr("assistant\n<think>\n\nA\n\n</think>\n<tool_call>\n{\"name\""));
  EXPECT_THAT(must_render(*builder_of(source()), {user_says("a"), assistant_says("b\n\n")}).text(),
              HasSubstr("assistant\nb\n\n<|im_end|>"));
}

TEST(Prompt, APromptThatOpensAThoughtSaysSo) {
  const std::vector<Message> messages = {user_says("<think>")};
  EXPECT_TRUE(
      must_render(*builder_of("{{ messages[0].content }}<think>\n"), messages).opens_thought);
  EXPECT_FALSE(must_render(*builder_of("{{ messages[0].content }}"), messages).opens_thought);
  EXPECT_FALSE(must_render(*builder_of(source()), messages).opens_thought);
}

TEST(Prompt, ATemplateThatPrintsThoughtsAndCallsItselfIsLetDoSo) {
  const auto builder = builder_of(
      "{% for m in messages %}[{{ m.reasoning_content }}|{{ m.content }}|"
      "{% for c in m.tool_calls %}{{ c.function.name }}={{ c.function.arguments.city }}"
      "{% endfor %}]{% endfor %}");
  Message turn = assistant_says("b", "thought");
  turn.tool_calls = {{"1", "get_weather", R"({"city": "Bern"})"}};
  EXPECT_EQ(must_render(*builder, {user_says("a"), turn}).text(),
            "[|a|][thought|b|get_weather=Bern]");
}

TEST(Prompt, ToolsGoWhereTheTemplateWantsThem) {
  PromptOptions options;
  options.tools.push_back(weather_tool());
  const std::vector<Message> messages = {user_says("a")};
  EXPECT_THAT(must_render(*builder_of("{{ xml_tools | string }}"), messages, options).text(),
              StartsWith("[{'name': 'get_weather', 'description': "));
  EXPECT_THAT(must_render(*builder_of("{{ tools | string }}"), messages, options).text(),
              StartsWith("[{'type': 'function', 'function': {'name': 'get_weather', "));
  options.tool_style = ToolStyle::kPython;
  EXPECT_THAT(must_render(*builder_of("{{ python_tools | string }}"), messages, options).text(),
              StartsWith("[{'name': 'get_weather', "));
}

TEST(Prompt, ATemplateWithoutAPlaceForToolsGetsThemInTheSystemMessage) {
  PromptOptions options;
  options.tools.push_back(weather_tool());
  const Prompt prompt =
      must_render(*builder_of(source()), {system_says("be brief"), user_says("a")}, options);
  EXPECT_THAT(prompt.text(), HasSubstr("be brief\n\n### Tools\n\n"));
  EXPECT_THAT(prompt.text(), HasSubstr("<tools>\n{'name': 'get_weather', 'description': 'Tells "
                                       "the weather', 'parameters': {'type': 'object', "));
  EXPECT_EQ(count_token(prompt, "<tool_call>"), 2);
}

TEST(Prompt, AToolsDescriptionDoesNotSwitchThinking) {
  PromptOptions options;
  options.tools.push_back(weather_tool());
  options.tools[0].description = "say /no_think or /think";
  EXPECT_THAT(must_render(*builder_of(source()), {user_says("a")}, options).text(),
              HasSubstr("Reasoning Mode: /think\n"));
}

TEST(Prompt, LaterSystemMessagesAreJoinedToTheFirst) {
  const Prompt prompt =
      must_render(*builder_of(source()), {system_says("one"), user_says("a"), system_says("two")});
  EXPECT_THAT(prompt.text(), HasSubstr("one\n\ntwo\n\n<|im_end|>"));
}

TEST(Prompt, TheOfficialTemplateOffersToolsAsItsMakersDo) {
  const ChatTemplate* official = official_template();
  if (official == nullptr) GTEST_SKIP() << "the official templates are not here";
  PromptOptions options;
  options.tools.push_back(weather_tool());
  const Prompt prompt = must_render(*builder_of(official->source), {user_says("a")}, options);
  EXPECT_THAT(prompt.text(),
              HasSubstr("<tools>\n{'name': 'get_weather', 'description': 'Tells the weather', "
                        "'parameters': {'type': 'object', 'properties': {'city': {'type': "
                        "'string'}}}}\n</tools>"));
  EXPECT_THAT(prompt.text(), HasSubstr("Today Date: 20 November 2026\n"));
}

TEST(Prompt, SpansTellTemplateDataAndSampledTextApart) {
  Message turn = assistant_says("hi");
  turn.tokens = chat_tokenizer()->encode("hi");
  const auto builder =
      builder_of("{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}");
  const Prompt prompt = must_render(*builder, {user_says("<think>"), turn});
  using Origin = PromptSpan::Origin;
  ASSERT_EQ(prompt.spans.size(), 5U);
  EXPECT_EQ(prompt.spans[1].text, "<think>");
  EXPECT_EQ(prompt.spans[1].origin, Origin::kData);
  EXPECT_EQ(prompt.spans[2].text, "<|im_end|><|im_start|>");
  EXPECT_EQ(prompt.spans[2].origin, Origin::kTemplate);
  EXPECT_EQ(prompt.spans[3].text, "hi");
  EXPECT_EQ(prompt.spans[3].origin, Origin::kSampled);
}

TEST(Prompt, AnEmptyConversationIsRefused) {
  const auto prompt = builder_of(source())->render({}, {});
  ASSERT_FALSE(prompt);
  EXPECT_THAT(prompt.error().message, HasSubstr("messages is empty"));
}

TEST(Prompt, WhatATemplateRefusesIsSaidInItsWords) {
  const auto builder = builder_of("{{ raise_exception('no such role') }}");
  const std::vector<Message> messages = {user_says("a")};
  const auto prompt = builder->render(messages, {});
  ASSERT_FALSE(prompt);
  EXPECT_THAT(prompt.error().message, HasSubstr("the test's template refuses"));
  EXPECT_THAT(prompt.error().message, HasSubstr("no such role"));
}

TEST(Prompt, AToolsSchemaThatIsNoJsonIsNamed) {
  PromptOptions options;
  options.tools = {{"broken", "", "{"}};
  const std::vector<Message> messages = {user_says("a")};
  const auto prompt = builder_of(source())->render(messages, options);
  ASSERT_FALSE(prompt);
  EXPECT_THAT(prompt.error().message, HasSubstr("the schema of the tool 'broken' is not JSON"));
}

TEST(Prompt, ATemplateThatDoesNotParseIsNamedWithItsLine) {
  const auto builder = PromptBuilder::from_template("a\n{% if %}", "'x.jinja'", chat_tokenizer());
  ASSERT_FALSE(builder);
  EXPECT_THAT(builder.error().message, StartsWith("'x.jinja' cannot be used: "));
  EXPECT_THAT(builder.error().message, HasSubstr("line 2"));
}

TEST(Prompt, AFileWithoutAChatTemplateGetsTheBuiltInOne) {
  const TempFile temp;
  const auto file = GgufFile::open(temp.write(SmallVocab{}.to_gguf()));
  ASSERT_TRUE(file);
  const auto builder = PromptBuilder::from_gguf(**file, chat_tokenizer(), fixed_day);
  ASSERT_TRUE(builder);
  EXPECT_EQ(must_render(**builder, {user_says("a")}).text(),
            must_render(*builder_of(default_chat_template()), {user_says("a")}).text());
}

TEST(Prompt, TheDateIsTheClocks) {
  std::tm day = fixed_day();
  day.tm_mday = 1;
  EXPECT_THAT(must_render(*builder_of(source(), day), {user_says("a")}).text(),
              HasSubstr("Today Date: 01 November 2026\n"));
}

TEST(Prompt, NothingFollowsTheLastMessageWhenNoAnswerIsWanted) {
  PromptOptions options;
  options.add_generation_prompt = false;
  EXPECT_THAT(must_render(*builder_of(source()), {user_says("a")}, options).text(),
              EndsWith("a<|im_end|>\n"));
}

}  // namespace
}  // namespace notso
