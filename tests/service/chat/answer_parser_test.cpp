// The parser: boundaries by token, newlines, calls; any split and any bytes.
#include "service/chat/answer_parser.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "service/chat/answer_fixture.h"

namespace notso {
namespace {

using Item = std::variant<Mark, std::string>;

const AnswerParserOptions kTools{.json_tools = true, .python_tools = true};

std::vector<ChatEvent> events_of(const std::vector<Item>& items,
                                 const AnswerParserOptions& options) {
  AnswerParser parser(mark_tokenizer(), options);
  std::vector<ChatEvent> events;
  for (const Item& item : items) {
    if (const auto* mark = std::get_if<Mark>(&item)) {
      parser.feed_mark(*mark, events);
    } else {
      parser.feed_text(std::get<std::string>(item), events);
    }
  }
  parser.finish(events);
  return events;
}

std::string parse(const std::vector<Item>& items, const AnswerParserOptions& options = kTools) {
  return summary(events_of(items, options));
}

TEST(AnswerParser, NewlinesAroundMarksBelongToThem) {
  EXPECT_EQ(parse({Mark::kThink, "\nA\n", Mark::kEndThink, "\nB\n"}), "think(A) text(B\n)");
  EXPECT_EQ(parse({Mark::kThink, "\n\nA\n\n", Mark::kEndThink, "\n\nB"}), "think(\nA\n) text(\nB)");
}

TEST(AnswerParser, AnEmptyThoughtIsNoEvent) {
  EXPECT_EQ(parse({Mark::kThink, "\n\n", Mark::kEndThink, "\nhi"}), "text(hi)");
  EXPECT_EQ(parse({Mark::kThink, "\n", Mark::kEndThink, "hi"}), "text(hi)");
}

TEST(AnswerParser, AThoughtThatThePromptOpenedGoesOn) {
  EXPECT_EQ(parse({"A\n", Mark::kEndThink, "\nB"}, {.thinking = true}), "think(A) text(B)");
}

TEST(AnswerParser, MarksWrittenAsTextAreText) {
  EXPECT_EQ(parse({Mark::kThink, "a </think> b", Mark::kEndThink, "<tool_call>{}"}),
            "think(a </think> b) text(<tool_call>{})");
}

TEST(AnswerParser, MarksOutOfPlaceAreText) {
  EXPECT_EQ(parse({"a", Mark::kToolCall, "b"}, {}), "text(a<tool_call>b)");
  EXPECT_EQ(parse({"a", Mark::kEndToolCall, Mark::kEndCode}), "text(a</tool_call></code>)");
  EXPECT_EQ(parse({Mark::kThink, Mark::kToolCall, Mark::kThink}), "think(<tool_call><think>)");
}

TEST(AnswerParser, AnEndOfThoughtThatClosesNothingIsNothing) {
  EXPECT_EQ(parse({"a\n", Mark::kEndThink, "\nb"}), "text(ab)");
}

TEST(AnswerParser, AThoughtThatIsCutOffStaysAThought) {
  EXPECT_EQ(parse({Mark::kThink, "\nA\n"}), "think(A\n)");
}

TEST(AnswerParser, TokensOfTheVocabularyAreMarksAndText) {
  const auto tokenizer = mark_tokenizer();
  AnswerParser parser(tokenizer, kTools);
  std::vector<ChatEvent> events;
  const std::string text = "<think>\nA\n</think>\nB<|im_start|>C<tool_response>";
  for (const TokenId id : tokenizer->encode(text, true)) parser.feed(id, events);
  parser.finish(events);
  EXPECT_EQ(summary(events), "think(A) text(BC<tool_response>)");
  EXPECT_EQ(parser.message().reasoning, "A");
  EXPECT_EQ(parser.message().content, "BC<tool_response>");
}

TEST(AnswerParser, ACallIsStreamed) {
  AnswerParser parser(mark_tokenizer(), kTools);
  std::vector<ChatEvent> events;
  parser.feed_mark(Mark::kToolCall, events);
  parser.feed_text("\n{\"name\": \"f\"", events);
  EXPECT_EQ(summary(events), "call0(call_0:f)");
  parser.feed_text(", \"arguments\": {\"a\": ", events);
  EXPECT_EQ(summary(events), "call0(call_0:f) args0({\"a\": )");
  parser.feed_text("[1, {}]}}\n", events);
  parser.feed_mark(Mark::kEndToolCall, events);
  parser.finish(events);
  EXPECT_EQ(summary(events), "call0(call_0:f) args0({\"a\": [1, {}]})");
  ASSERT_EQ(parser.message().tool_calls.size(), 1U);
  EXPECT_EQ(parser.message().tool_calls[0].arguments, "{\"a\": [1, {}]}");
}

TEST(AnswerParser, SeveralCallsAndContentInOneTurn) {
  EXPECT_EQ(parse({"Let me see.\n", Mark::kToolCall, "\n{\"name\":\"f\",\"arguments\":{}}\n",
                   Mark::kEndToolCall, "\n", Mark::kToolCall,
                   "\n{\"arguments\":{\"x\":\"}{\"},\"name\":\"g\"}\n", Mark::kEndToolCall}),
            "text(Let me see.) call0(call_0:f) args0({}) call1(call_1:g) args1({\"x\":\"}{\"})");
}

TEST(AnswerParser, AMalformedCallBecomesTextAndAWarning) {
  EXPECT_EQ(parse({Mark::kToolCall, "\nf(1)\n", Mark::kEndToolCall, "\nok"}),
            "warning text(f(1)ok)");
  EXPECT_EQ(
      parse({Mark::kToolCall, "{\"name\":\"f\",\"arguments\":{\"a\" 1}}", Mark::kEndToolCall}),
      "call0(call_0:f) args0({\"a\" ) warning text({\"name\":\"f\",\"arguments\":{\"a\" 1}})");
}

TEST(AnswerParser, ACallThatIsCutOffBecomesTextAndAWarning) {
  EXPECT_EQ(parse({Mark::kToolCall, "\n{\"name\":\"f"}), "warning text({\"name\":\"f)");
  EXPECT_EQ(parse({Mark::kToolCall}), "warning");
}

TEST(AnswerParser, ACallThatOnlyLacksItsEndCounts) {
  EXPECT_EQ(parse({Mark::kToolCall, "\n{\"name\":\"f\",\"arguments\":{}}"}),
            "call0(call_0:f) args0({})");
}

TEST(AnswerParser, WhatFollowsACallInsideItsMarksIsText) {
  EXPECT_EQ(parse({Mark::kToolCall, "{\"name\":\"f\",\"arguments\":{}}\n}\n", Mark::kEndToolCall}),
            "call0(call_0:f) args0({}) warning text(})");
}

TEST(AnswerParser, SixtyThousandBracketsAreAMalformedCall) {
  const std::string deep = "{\"name\":\"f\",\"arguments\":{\"a\":" + std::string(60000, '[');
  const auto events = events_of({Mark::kToolCall, deep, Mark::kEndToolCall}, kTools);
  ASSERT_GE(events.size(), 2U);
  EXPECT_EQ(std::get<ContentDelta>(events.back()).text, deep);
}

TEST(AnswerParser, CodeIsACallOfPython) {
  EXPECT_EQ(parse({"Run:\n", Mark::kCode, "\nprint(\"</code>\")\n\n", Mark::kEndCode}),
            "text(Run:) call0(call_0:python) args0(print(\"</code>\")\n)");
  EXPECT_EQ(parse({Mark::kCode, "\nx = 1\n"}),
            "call0(call_0:python) args0(x = 1\n) warning text(x = 1\n)");
}

TEST(AnswerParser, AStopStringEndsContentAndNothingElse) {
  const AnswerParserOptions options{.json_tools = true, .stop = {"END"}};
  EXPECT_EQ(parse({Mark::kThink, "END", Mark::kEndThink, "a E", "N", "x\nEN", "D b"}, options),
            "think(END) text(a ENx\n)");
  EXPECT_EQ(parse({"a EN"}, options), "text(a EN)");
  EXPECT_EQ(parse({"a EN", Mark::kThink, "x", Mark::kEndThink, "D"}, options),
            "text(a EN) think(x) text(D)");
}

TEST(AnswerParser, HostileTokensNeverBreakUtf8) {
  const std::vector<std::string> hostile = {"\x80", "\xF0", "\xFF", std::string(1, '\0'),
                                            "\r",   "\n",   "\n\n", "\xE2\x82",
                                            "\xAC", "a",    "\""};
  for (const std::string& a : hostile) {
    for (const std::string& b : hostile) {
      for (const ChatEvent& event : events_of({a, Mark::kThink, b, a, Mark::kEndThink, b,
                                               Mark::kToolCall, a, Mark::kEndToolCall, b},
                                              kTools)) {
        const std::vector<ChatEvent> one = {event};
        EXPECT_TRUE(is_utf8(summary(one)));
      }
    }
  }
}

// Text from an alphabet in which marks, stops, JSON and broken characters are likely.
std::string random_text() {
  static const std::vector<std::string> pieces = {
      "\n",   "\x80", "\xF0\x9F", "\x98\x80", "\xFF", "{\"name\":\"f\",\"arguments\":{\"a\":", "}}",
      "STOP", "ST",   "</think>", "é",        "\\\"", "{\"name\": \"g\", \"arguments\": {}}",  "[",
      "a b"};
  std::string text;
  for (const auto i : *rc::gen::container<std::vector<std::size_t>>(
           rc::gen::inRange<std::size_t>(0, pieces.size()))) {
    text += pieces[i];
  }
  return text;
}

RC_GTEST_PROP(AnswerParserProperty, AnySplitOfTheBytesGivesTheSameEvents, ()) {
  const auto marks = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 6));
  const AnswerParserOptions options{
      .json_tools = true, .python_tools = true, .stop = {"STOP", "TOP", "\n\n"}};
  std::vector<Item> whole;
  std::vector<Item> split;
  for (const int mark : marks) {
    const std::string text = random_text();
    whole.emplace_back(text);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = *rc::gen::inRange<std::size_t>(1, 6);
      split.emplace_back(text.substr(at, size));
      at += size;
    }
    whole.emplace_back(static_cast<Mark>(mark));
    split.emplace_back(static_cast<Mark>(mark));
  }
  const std::string once = parse(whole, options);
  RC_ASSERT(parse(split, options) == once);
  RC_ASSERT(is_utf8(once));
  RC_ASSERT(once.find("STOP)") == std::string::npos || once.find("think(") != std::string::npos ||
            once.find("args") != std::string::npos || once.find("warning") != std::string::npos);
}

}  // namespace
}  // namespace notso
