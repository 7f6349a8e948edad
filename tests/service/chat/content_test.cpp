#include "service/chat/content.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <utility>

namespace notso {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ParseMessages, EveryRoleIsRead) {
  const auto messages = parse_messages(R"([
    {"role": "system", "content": "s"}, {"role": "developer", "content": "d"},
    {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"},
    {"role": "tool", "content": "t", "tool_call_id": "call_1", "name": "clock"}])");
  ASSERT_TRUE(messages) << messages.error().message;
  ASSERT_EQ(messages->size(), 5U);
  EXPECT_EQ((*messages)[0].role, Role::kSystem);
  EXPECT_EQ((*messages)[1].role, Role::kSystem);
  EXPECT_EQ((*messages)[2].role, Role::kUser);
  EXPECT_EQ((*messages)[3].role, Role::kAssistant);
  EXPECT_EQ((*messages)[4].role, Role::kTool);
  EXPECT_EQ((*messages)[4].content, "t");
  EXPECT_EQ((*messages)[4].tool_call_id, "call_1");
  EXPECT_EQ((*messages)[4].name, "clock");
}

TEST(ParseMessages, ARequestIsReadByItsMessages) {
  const auto messages =
      parse_messages(R"({"model": "x", "messages": [{"role": "user", "content": "u"}]})");
  ASSERT_TRUE(messages);
  EXPECT_EQ(messages->at(0).content, "u");
}

TEST(ParseMessages, PartsOfTextAreJoined) {
  const auto messages = parse_messages(R"([{"role": "user", "content": [
    {"type": "text", "text": "one "}, {"type": "text", "text": "two"}]}])");
  ASSERT_TRUE(messages);
  EXPECT_EQ(messages->at(0).content, "one two");
}

TEST(ParseMessages, AnAssistantsThoughtsAndCallsAreRead) {
  const auto messages = parse_messages(R"([{"role": "assistant", "content": null,
    "reasoning_content": "hm", "tool_calls": [
      {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}},
      {"id": "c2", "function": {"name": "g", "arguments": {"b": [1, 2]}}}]}])");
  ASSERT_TRUE(messages) << messages.error().message;
  const Message& turn = messages->at(0);
  EXPECT_EQ(turn.reasoning, "hm");
  ASSERT_EQ(turn.tool_calls.size(), 2U);
  EXPECT_EQ(turn.tool_calls[0].id, "c1");
  EXPECT_EQ(turn.tool_calls[0].arguments, "{\"a\": 1}");
  EXPECT_EQ(turn.tool_calls[1].name, "g");
  EXPECT_EQ(turn.tool_calls[1].arguments, R"({"b": [1, 2]})");
}

TEST(ParseMessages, ArgumentsGivenAsAValueLookAsAModelWritesThem) {
  const auto messages = parse_messages(R"([{"role": "assistant", "tool_calls": [{"function":
    {"name": "f", "arguments": {"lat":48.85,"n":1.0,"q":-0.5,"big":1e300,"i":7,
     "u":18446744073709551615,"t":"a\"\u00e4\n","l":[],"o":{},"m":{"x":[null,true]}}}}]}])");
  ASSERT_TRUE(messages) << messages.error().message;
  EXPECT_EQ(messages->at(0).tool_calls.at(0).arguments,
            "{\"lat\": 48.85, \"n\": 1.0, \"q\": -0.5, \"big\": 1e+300, \"i\": 7, "
            "\"u\": 18446744073709551615, \"t\": \"a\\\"\u00e4\\n\", \"l\": [], \"o\": {}, "
            "\"m\": {\"x\": [null, true]}}");
}

TEST(ParseMessages, TokensAreTakenOnlyWhereAllowed) {
  constexpr std::string_view kText = R"([{"role": "assistant", "content": "a", "tokens": [7]}])";
  ContentLimits limits;
  EXPECT_TRUE(parse_messages(kText, limits)->at(0).tokens.empty());
  limits.allow_tokens = true;
  EXPECT_THAT(parse_messages(kText, limits)->at(0).tokens, ElementsAre(7));
}

TEST(ParseMessages, WhatIsWrongIsNamedByItsField) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"[]", "messages is empty"},
      {"{}", "messages is missing"},
      {"3", "messages must be an array"},
      {"[3]", "messages[0] must be an object"},
      {R"([{"content": "x"}])", "messages[0].role is missing"},
      {R"([{"role": "boss", "content": "x"}])", "messages[0].role must be system, "},
      {R"([{"role": 3, "content": "x"}])", "messages[0].role must be a string, not a number"},
      {R"([{"role": "user"}])", "messages[0].content is missing"},
      {R"([{"role": "user", "content": {}}])", "messages[0].content must be a string or an array"},
      {R"([{"role": "user", "content": ["x"]}])", "messages[0].content[0] must be an object"},
      {R"([{"role": "user", "content": [{"type": "image_url"}]}])",
       "messages[0].content[0].type is not \"text\""},
      {R"([{"role": "user", "content": [{"type": "text"}]}])",
       "messages[0].content[0].text is missing"},
      {R"([{"role": "assistant", "content": "", "reasoning": 1}])",
       "messages[0].reasoning must be a string"},
      {R"([{"role": "assistant", "tool_calls": {}}])", "messages[0].tool_calls must be an array"},
      {R"([{"role": "assistant", "tool_calls": [{"id": "a"}]}])",
       "messages[0].tool_calls[0].function must be an object"},
      {R"([{"role": "assistant", "tool_calls": [{"function": {"name": "a b"}}]}])",
       "messages[0].tool_calls[0].function.name must have 1 to 64 "},
      {R"([{"role": "tool", "content": "x", "tool_call_id": []}])",
       "messages[0].tool_call_id must be a string, not an array"},
      {"[\n{\"role\": }]", "the JSON of messages is malformed in line 2"},
      {"[", "the JSON of messages is malformed"},
      {"[] x", "there is text after its end"},
      {"", "the JSON of messages is malformed"},
      {R"([{"role": "user", "content": "\ud800"}])", "the JSON of messages is malformed"},
  };
  for (const auto& [text, error] : cases) {
    const auto messages = parse_messages(text);
    ASSERT_FALSE(messages) << text;
    EXPECT_THAT(messages.error().message, HasSubstr(error)) << text;
  }
}

TEST(ParseMessages, LimitsAreNamed) {
  ContentLimits limits;
  limits.messages_max = 1;
  limits.text_bytes_max = 3;
  constexpr std::string_view kMessage = R"({"role": "user", "content": "four"})";
  const std::string message(kMessage);
  EXPECT_THAT(parse_messages("[" + message + "," + message + "]", limits).error().message,
              HasSubstr("messages has 2 entries; the limit is 1"));
  EXPECT_THAT(parse_messages("[" + message + "]", limits).error().message, HasSubstr("limit is 3"));
}

TEST(ParseMessages, DeepNestingIsRefused) {
  const std::string text = std::string(60000, '[') + std::string(60000, ']');
  const auto messages = parse_messages(text);
  ASSERT_FALSE(messages);
  EXPECT_THAT(messages.error().message, HasSubstr("malformed"));
}

TEST(ParseTools, WrappedAndBareFunctionsAreRead) {
  const auto tools = parse_tools(R"({"tools": [
    {"type": "function", "function": {"name": "f", "description": "d",
      "parameters": {"type": "object", "z": 1, "a": 2}}},
    {"name": "g"}]})");
  ASSERT_TRUE(tools) << tools.error().message;
  ASSERT_EQ(tools->size(), 2U);
  EXPECT_EQ((*tools)[0].name, "f");
  EXPECT_EQ((*tools)[0].description, "d");
  EXPECT_EQ((*tools)[0].parameters, R"({"type":"object","z":1,"a":2})");
  EXPECT_EQ((*tools)[1].name, "g");
  EXPECT_EQ((*tools)[1].parameters, "");
}

TEST(ParseTools, WhatIsWrongIsNamedByItsField) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"{}", "tools is missing"},
      {"[3]", "tools[0] must be an object"},
      {R"([{"type": "retrieval"}])", "tools[0].type is not \"function\""},
      {R"([{"type": "function"}])", "tools[0].function must be an object"},
      {R"([{"type": "function", "function": {}}])", "tools[0].function.name is missing"},
      {R"([{"name": "f", "parameters": 3}])", "tools[0].parameters must be an object"},
      {R"([{"name": "f"}, {"name": "f"}])", "is the name of an earlier tool"},
  };
  for (const auto& [text, error] : cases) {
    const auto tools = parse_tools(text);
    ASSERT_FALSE(tools) << text;
    EXPECT_THAT(tools.error().message, HasSubstr(error)) << text;
  }
}

}  // namespace
}  // namespace notso
