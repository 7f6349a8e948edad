// POST /v1/messages over scripted tokens.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/chat/chat_fixtures.h"
#include "web/api/api_fixture.h"
#include "web/api/api_routes.h"

namespace notso::api {
namespace {

namespace json = boost::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr std::string_view kPath = "/v1/messages";

class Anthropic : public ::testing::Test, protected ApiFixture {
 protected:
  // A request with these members beside its messages.
  static std::string hello(std::string_view more = "") {
    return R"({"max_tokens": 100, "messages": [{"role": "user", "content": "hello"}])" +
           std::string(more) + "}";
  }

  static std::string text_of(const json::value& value) { return std::string(value.as_string()); }

  std::string prompt() const { return chat_tokenizer()->decode(engine.prompt); }

  const std::string tools_ = R"(, "tools": [{"name": "get_weather", "description": "Tells",
      "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}])";
  const std::string call_ =
      "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Ulm\"}}\n</tool_call>"
      "<|im_end|>";
  const std::string thinking_ = R"(, "thinking": {"type": "enabled", "budget_tokens": 50})";
};

TEST_F(Anthropic, AnswersWithBlocks) {
  const Reply reply = post(kPath, hello(thinking_), "<think>\nhm\n</think>\nhi<|im_end|>");
  EXPECT_EQ(reply.status, 200);
  const json::value answer = reply.json();
  EXPECT_THAT(text_of(answer.at("id")), StartsWith("msg_"));
  EXPECT_EQ(answer.at("type"), "message");
  EXPECT_EQ(answer.at("role"), "assistant");
  EXPECT_EQ(answer.at("model"), "tiny");
  EXPECT_EQ(answer.at("content"),
            json::parse(R"([{"type": "thinking", "thinking": "hm", "signature": ""},
                            {"type": "text", "text": "hi", "citations": null}])"));
  EXPECT_EQ(answer.at("stop_reason"), "end_turn");
  EXPECT_TRUE(answer.at("stop_sequence").is_null());
  const json::value& usage = answer.at("usage");
  EXPECT_EQ(usage.at("cache_read_input_tokens"), 2);
  EXPECT_EQ(usage.at("input_tokens").as_int64() + 2,
            static_cast<std::int64_t>(engine.prompt.size()));
  EXPECT_EQ(usage.at("output_tokens_details").at("thinking_tokens"), 5);
}

TEST_F(Anthropic, AStreamTellsEveryBlockFromItsBeginningToItsEnd) {
  const std::string script = "<think>\nhm\n</think>\nhi<|im_end|>";
  const auto events = post(kPath, hello(thinking_ + R"(, "stream": true)"), script).named_events();
  std::vector<std::string> types;
  std::string thinking;
  std::string text;
  for (const json::value& event : events) {
    types.push_back(text_of(event.at("type")));
    if (types.back() != "content_block_delta") continue;
    const json::value& delta = event.at("delta");
    if (delta.at("type") == "thinking_delta") thinking += text_of(delta.at("thinking"));
    if (delta.at("type") == "text_delta") text += text_of(delta.at("text"));
  }
  EXPECT_THAT(types,
              ElementsAre("message_start", "ping", "content_block_start", "content_block_delta",
                          "content_block_delta", "content_block_stop", "content_block_start",
                          "content_block_delta", "content_block_delta", "content_block_stop",
                          "message_delta", "message_stop"));
  EXPECT_EQ(thinking, "hm");
  EXPECT_EQ(text, "hi");
  EXPECT_EQ(events[0].at("message").at("usage").at("input_tokens"), engine.prompt.size());
  const json::value whole = post(kPath, hello(thinking_), script).json();
  EXPECT_EQ(events[10].at("usage"), whole.at("usage"));
  EXPECT_EQ(events[10].at("delta").at("stop_reason"), "end_turn");
}

TEST_F(Anthropic, ThinksOnlyWhereThatIsAskedFor) {
  post(kPath, hello(), "hi<|im_end|>");
  EXPECT_THAT(prompt(), HasSubstr("/no_think"));
  post(kPath, hello(thinking_), "hi<|im_end|>");
  EXPECT_THAT(prompt(), Not(HasSubstr("/no_think")));
  post(kPath, hello(R"(, "thinking": {"type": "adaptive"})"), "hi<|im_end|>");
  EXPECT_THAT(prompt(), Not(HasSubstr("/no_think")));
}

TEST_F(Anthropic, GivesToolCalls) {
  const json::value answer = post(kPath, hello(tools_), call_).json();
  EXPECT_EQ(answer.at("stop_reason"), "tool_use");
  const json::value& block = answer.at("content").at(0);
  EXPECT_EQ(block.at("type"), "tool_use");
  EXPECT_THAT(text_of(block.at("id")), StartsWith("toolu_"));
  EXPECT_EQ(block.at("input"), json::parse(R"({"city": "Ulm"})"));
  std::string input;
  for (const json::value& event :
       post(kPath, hello(tools_ + R"(, "stream": true)"), call_).named_events()) {
    if (event.at("type") != "content_block_delta") continue;
    input += text_of(event.at("delta").at("partial_json"));
  }
  EXPECT_EQ(json::parse(input), json::parse(R"({"city": "Ulm"})"));
}

TEST_F(Anthropic, ToolChoiceIsObeyed) {
  const auto reason = [&](std::string_view choice) {
    return text_of(post(kPath, hello(tools_ + R"(, "tool_choice": )" + std::string(choice)), call_)
                       .json()
                       .at("stop_reason"));
  };
  EXPECT_EQ(reason(R"({"type": "any"})"), "tool_use");
  EXPECT_EQ(reason(R"({"type": "tool", "name": "get_weather"})"), "tool_use");
  EXPECT_EQ(reason(R"({"type": "auto", "disable_parallel_tool_use": true})"), "tool_use");
  EXPECT_NE(reason(R"({"type": "none"})"), "tool_use");
}

TEST_F(Anthropic, SaysWhichStopSequenceEndedIt) {
  const std::string more = R"(, "stop_sequences": ["zz", "de", "cde"])";
  const json::value answer = post(kPath, hello(more), "abcdef").json();
  EXPECT_EQ(answer.at("content").at(0).at("text"), "ab");
  EXPECT_EQ(answer.at("stop_reason"), "stop_sequence");
  EXPECT_EQ(answer.at("stop_sequence"), "cde");
  const auto events = post(kPath, hello(more + R"(, "stream": true)"), "abcdef").named_events();
  EXPECT_EQ(events[events.size() - 2].at("delta").at("stop_sequence"), "cde");
  const json::value ended =
      post(kPath, hello(R"(, "stop_sequences": [">", "end"])"), "ab<|im_end|>").json();
  EXPECT_EQ(ended.at("stop_reason"), "end_turn");
  EXPECT_EQ(post(kPath, hello(), std::string(200, 'x')).json().at("stop_reason"), "max_tokens");
}

TEST_F(Anthropic, TheBlocksOfAConversationBecomeItsMessages) {
  post(kPath, R"({"max_tokens": 9, "system": [{"type": "text", "text": "Be kind."}], "messages": [
      {"role": "user", "content": [{"type": "text", "text": "How is "},
                                   {"type": "text", "text": "the weather?"}]},
      {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "ask", "signature": ""},
        {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "c1", "name": "get_weather", "input": {"city": "Ulm"}}]},
      {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "sun"}]},
        {"type": "tool_result", "tool_use_id": "c2", "content": "rain", "is_error": true},
        {"type": "text", "text": "Well?"}]}]})",
       "fine<|im_end|>");
  const std::string from_blocks = prompt();
  post("/v1/chat/completions", R"({"reasoning_effort": "none", "messages": [
      {"role": "system", "content": "Be kind."},
      {"role": "user", "content": "How is the weather?"},
      {"role": "assistant", "content": "Let me see.", "reasoning_content": "ask",
       "tool_calls": [{"id": "c1", "type": "function",
                       "function": {"name": "get_weather", "arguments": {"city": "Ulm"}}}]},
      {"role": "tool", "tool_call_id": "c1", "content": "sun"},
      {"role": "tool", "tool_call_id": "c2", "content": "Error: rain"},
      {"role": "user", "content": "Well?"}]})",
       "fine<|im_end|>");
  EXPECT_EQ(from_blocks, prompt());
}

TEST_F(Anthropic, CountsTheTokensOfAPrompt) {
  const json::value counted = post("/v1/messages/count_tokens", hello(tools_)).json();
  post(kPath, hello(tools_), "hi<|im_end|>");
  EXPECT_EQ(counted.at("input_tokens"), engine.prompt.size());
}

TEST_F(Anthropic, TheTextFollowsItsFormat) {
  const json::value answer = post(kPath, hello(R"(, "output_config": {"format": {
      "type": "json_schema", "schema": {"enum": [true]}}})"),
                                  "no<|im_end|>")
                                 .json();
  EXPECT_EQ(answer.at("content").at(0).at("text"), "true");
}

TEST_F(Anthropic, RefusalsHaveAnthropicsShape) {
  const auto message = [&](std::string_view body) {
    const Reply reply = post(kPath, body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(reply.json().at("type"), "error");
    EXPECT_EQ(error_member(reply, "type"), "invalid_request_error");
    return error_member(reply, "message");
  };
  EXPECT_THAT(message("{}"), StartsWith("messages is missing"));
  EXPECT_THAT(message("nonsense"), HasSubstr("not valid JSON"));
  EXPECT_THAT(message(R"({"messages": [{"role": "user", "content": "x"}]})"),
              StartsWith("max_tokens is missing"));
  EXPECT_THAT(message(R"({"messages": []})"), StartsWith("messages is empty"));
  EXPECT_THAT(message(R"({"messages": [{"role": "king", "content": "x"}]})"),
              StartsWith("messages[0].role"));
  EXPECT_THAT(message(R"({"messages": [{"role": "user", "content": [{"type": "image"}]}]})"),
              StartsWith("messages[0].content[0].type"));
  EXPECT_THAT(message(R"({"messages": [{"role": "user", "content": []}]})"),
              StartsWith("messages[0].content is empty"));
  EXPECT_THAT(message(R"({"messages": [{"role": "user", "content": "x"},
                                       {"role": "assistant", "content": "y"}]})"),
              StartsWith("messages ends with the assistant"));
  EXPECT_THAT(message(hello(R"(, "tools": [{"type": "bash_20250124", "name": "bash"}])")),
              StartsWith("tools[0].type"));
  EXPECT_THAT(message(hello(R"(, "tools": [{"name": "f"}])")),
              StartsWith("tools[0].input_schema is missing"));
  EXPECT_THAT(message(hello(R"(, "tool_choice": {"type": "maybe"})")),
              StartsWith("tool_choice.type"));
  EXPECT_THAT(message(hello(R"(, "thinking": {"type": "enabled"})")),
              StartsWith("thinking.budget_tokens is missing"));
  EXPECT_THAT(message(hello(R"(, "stop_sequences": [""])")), HasSubstr("stop"));
  EXPECT_THAT(message(hello(R"(, "output_config": {"effort": "huge"})")),
              StartsWith("output_config.effort"));
}

TEST_F(Anthropic, ErrorsOfTheServerHaveItToo) {
  engine.refuse = Error{ErrorCode::kUnavailable, "the queue is full"};
  const Reply busy = post(kPath, hello(R"(, "stream": true)"));
  EXPECT_EQ(busy.status, 429);
  EXPECT_EQ(busy.header("Retry-After"), "3");
  EXPECT_EQ(error_member(busy, "type"), "rate_limit_error");
  EXPECT_EQ(error_member(post(kPath, hello(R"(, "model": "claude")")), "type"), "not_found_error");
  http::Request request;
  request.path = "/v1/messages";
  EXPECT_THAT(api_server_error(request, 401, "no key").body, HasSubstr("authentication_error"));
  request.path = "/api/chat";
  EXPECT_EQ(api_server_error(request, 401, "no key").body, R"({"error":"no key"})");
  request.path = "/api/pull";
  EXPECT_EQ(api_server_error(request, 404, "no").body, R"({"error":"no"})");
  request.path = "/v1/responses";
  EXPECT_THAT(api_server_error(request, 401, "no key").body, HasSubstr("invalid_api_key"));
}

TEST_F(Anthropic, AFailureInMidStreamIsAnEvent) {
  FakeExchange& streamed = begin("POST", kPath, hello(R"(, "stream": true)"));
  run("half", RequestEnd::kError);
  poll();
  const std::string& body = streamed.reply.body;
  EXPECT_THAT(body, HasSubstr("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
                              "\"api_error\",\"message\":\"the step failed\"}}\n\n"));
  EXPECT_THAT(body, Not(HasSubstr("message_stop")));
}

TEST_F(Anthropic, ASilentStreamPings) {
  context.keep_alive_time_max = std::chrono::milliseconds(1);
  FakeExchange& streamed = begin("POST", kPath, hello(R"(, "stream": true)"));
  const std::string ping = "event: ping\ndata: {\"type\":\"ping\"}\n\n";
  wait_until([&] { return streamed.reply.body.ends_with(ping + ping); });
  context.keep_alive_time_max = std::chrono::hours(1);
  run("hi<|im_end|>");
  wait_until([&] { return streamed.reply.complete; });
  EXPECT_EQ(streamed.reply.named_events().back().at("type"), "message_stop");
}

}  // namespace
}  // namespace notso::api
