// POST /v1/responses over scripted tokens, and what is kept of them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/chat/chat_fixtures.h"
#include "web/api/api_fixture.h"
#include "web/api/memory_store.h"

namespace notso::api {
namespace {

namespace json = boost::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr std::string_view kPath = "/v1/responses";

class Responses : public ::testing::Test, protected ApiFixture {
 protected:
  Responses() { context.store = &store_; }

  // A request with these members beside its input.
  static std::string hello(std::string_view more = "") {
    return R"({"input": "hello")" + std::string(more) + "}";
  }

  static std::string text_of(const json::value& value) { return std::string(value.as_string()); }

  // The prompt that the engine got last.
  std::string prompt() const { return chat_tokenizer()->decode(engine.prompt); }

  static std::vector<std::string> types_of(const std::vector<json::value>& events) {
    std::vector<std::string> types;
    for (const json::value& event : events) types.push_back(text_of(event.at("type")));
    return types;
  }

  MemoryStore store_;
  const std::string tools_ = R"(, "tools": [{"type": "function", "name": "get_weather",
      "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}])";
  const std::string call_ =
      "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Ulm\"}}\n</tool_call>"
      "<|im_end|>";
};

TEST_F(Responses, MetadataIsSmall) {
  const auto status = [&](const std::string& metadata) {
    return post(kPath, hello(R"(, "metadata": )" + metadata), "hi<|im_end|>").status;
  };
  json::object pairs;
  for (int i = 0; i < 16; ++i) pairs[std::to_string(i)] = std::string(512, 'x');
  EXPECT_EQ(status(json::serialize(pairs)), 200);
  pairs["16"] = "one more";
  EXPECT_EQ(status(json::serialize(pairs)), 400);
  EXPECT_EQ(status(json::serialize(json::object{{"a", std::string(513, 'x')}})), 400);
  EXPECT_EQ(status(json::serialize(json::object{{std::string(65, 'k'), "a"}})), 400);
  EXPECT_EQ(status(R"({"a": 5})"), 400);
}

TEST_F(Responses, TellsTheSettingsAsTheyWereWritten) {
  const json::value answer = post(kPath, hello(), "hi<|im_end|>").json();
  const auto same = [](const json::value& value) {
    return value.as_double() == std::stod(fmt::format("{:.6g}", value.as_double()));
  };
  EXPECT_TRUE(same(answer.at("temperature"))) << answer.at("temperature");
  EXPECT_TRUE(same(answer.at("top_p"))) << answer.at("top_p");
}

TEST_F(Responses, AnswersWithItems) {
  const Reply reply = post(kPath, hello(R"(, "metadata": {"a": "b"}, "instructions": "Be brief")"),
                           "<think>\nhm\n</think>\nhi<|im_end|>");
  EXPECT_EQ(reply.status, 200);
  const json::value answer = reply.json();
  EXPECT_THAT(text_of(answer.at("id")), StartsWith("resp_"));
  EXPECT_EQ(answer.at("object"), "response");
  EXPECT_EQ(answer.at("status"), "completed");
  EXPECT_EQ(answer.at("model"), "tiny");
  EXPECT_EQ(answer.at("metadata"), json::parse(R"({"a": "b"})"));
  EXPECT_EQ(answer.at("instructions"), "Be brief");
  const json::array& output = answer.at("output").as_array();
  ASSERT_THAT(output, SizeIs(2));
  EXPECT_EQ(output[0].at("type"), "reasoning");
  EXPECT_EQ(output[0].at("content"), json::parse(R"([{"type": "reasoning_text", "text": "hm"}])"));
  EXPECT_EQ(output[1].at("type"), "message");
  EXPECT_EQ(output[1].at("content").at(0).at("text"), "hi");
  const json::value& usage = answer.at("usage");
  EXPECT_EQ(usage.at("input_tokens"), engine.prompt.size());
  EXPECT_EQ(usage.at("input_tokens_details").at("cached_tokens"), 2);
  EXPECT_EQ(usage.at("output_tokens_details").at("reasoning_tokens"), 5);
  EXPECT_EQ(usage.at("total_tokens").as_int64(),
            usage.at("input_tokens").as_int64() + usage.at("output_tokens").as_int64());
  EXPECT_THAT(prompt(), HasSubstr("Be brief"));
}

TEST_F(Responses, AStreamTellsEveryItemFromItsBeginningToItsEnd) {
  const std::string script = "<think>\nhm\n</think>\nhi<|im_end|>";
  const auto events = post(kPath, hello(R"(, "stream": true)"), script).named_events();
  EXPECT_THAT(types_of(events),
              ElementsAre("response.created", "response.in_progress",                        //
                          "response.output_item.added", "response.content_part.added",       //
                          "response.reasoning_text.delta", "response.reasoning_text.delta",  //
                          "response.reasoning_text.done", "response.content_part.done",      //
                          "response.output_item.done",                                       //
                          "response.output_item.added", "response.content_part.added",       //
                          "response.output_text.delta", "response.output_text.delta",        //
                          "response.output_text.done", "response.content_part.done",         //
                          "response.output_item.done", "response.completed"));
  for (std::size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].at("sequence_number"), i);
  const json::value& last = events.back().at("response");
  EXPECT_EQ(events[8].at("item"), last.at("output").at(0));
  EXPECT_EQ(events[15].at("item"), last.at("output").at(1));
  EXPECT_EQ(events[13].at("text"), "hi");
  const json::value whole = post(kPath, hello(), script).json();
  EXPECT_EQ(last.at("usage"), whole.at("usage"));
  EXPECT_EQ(last.at("output").at(1).at("content"), whole.at("output").at(1).at("content"));
}

TEST_F(Responses, CallsAreItems) {
  const json::value answer = post(kPath, hello(tools_), call_).json();
  const json::value& call = answer.at("output").at(0);
  EXPECT_EQ(call.at("type"), "function_call");
  EXPECT_EQ(call.at("name"), "get_weather");
  EXPECT_EQ(call.at("arguments"), R"({"city": "Ulm"})");
  EXPECT_THAT(text_of(call.at("call_id")), StartsWith("call_"));
  const auto events = post(kPath, hello(tools_ + R"(, "stream": true)"), call_).named_events();
  std::string arguments;
  for (const json::value& event : events) {
    if (event.at("type") == "response.function_call_arguments.delta") {
      arguments += text_of(event.at("delta"));
    }
  }
  EXPECT_EQ(arguments, R"({"city": "Ulm"})");
  EXPECT_EQ(text_of(events.back().at("response").at("output").at(0).at("arguments")), arguments);
}

TEST_F(Responses, ACallThatTheAnswerEndsInsideIsIncompleteAndItsTextContent) {
  const std::string half = "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"ci";
  const auto events = post(kPath, hello(tools_ + R"(, "stream": true)"), half).named_events();
  const json::value& last = events.back();
  EXPECT_EQ(last.at("type"), "response.incomplete");
  EXPECT_EQ(last.at("response").at("incomplete_details").at("reason"), "max_output_tokens");
  const json::array& output = last.at("response").at("output").as_array();
  ASSERT_THAT(output, SizeIs(1));
  EXPECT_EQ(output[0].at("type"), "message");
  std::vector<std::string> ends;
  for (const json::value& event : events) {
    if (event.at("type") != "response.output_item.done") continue;
    ends.push_back(text_of(event.at("item").at("type")) + " " +
                   text_of(event.at("item").at("status")));
  }
  EXPECT_THAT(ends, ElementsAre("function_call incomplete", "message incomplete"));
}

TEST_F(Responses, TheItemsOfAConversationBecomeItsMessages) {
  post(kPath, R"({"input": [
      {"role": "developer", "content": "Be kind."},
      {"role": "user", "content": [{"type": "input_text", "text": "How is "},
                                   {"type": "input_text", "text": "the weather?"}]},
      {"type": "reasoning", "id": "rs_1", "summary": [],
       "content": [{"type": "reasoning_text", "text": "ask"}]},
      {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed",
       "content": [{"type": "output_text", "text": "Let me see.", "annotations": []}]},
      {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": "{}"},
      {"type": "function_call_output", "call_id": "c1", "output": "sunny"}]})",
       "fine<|im_end|>");
  const std::string from_items = prompt();
  post("/v1/chat/completions", R"({"messages": [
      {"role": "system", "content": "Be kind."},
      {"role": "user", "content": "How is the weather?"},
      {"role": "assistant", "content": "Let me see.", "reasoning_content": "ask",
       "tool_calls": [{"id": "c1", "type": "function",
                       "function": {"name": "get_weather", "arguments": "{}"}}]},
      {"role": "tool", "tool_call_id": "c1", "content": "sunny"}]})",
       "fine<|im_end|>");
  EXPECT_EQ(from_items, prompt());
}

TEST_F(Responses, ACallWhoseNameCouldNotBeReadBackIsRefused) {
  const auto answer = post(kPath, R"({"input": [{"role": "user", "content": "Hi"},
      {"type": "function_call", "call_id": "c1", "name": "mcp:search", "arguments": "{}"},
      {"type": "function_call_output", "call_id": "c1", "output": "sunny"}]})",
                           "fine<|im_end|>");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.json().at("error").at("param"), "input[1].name");
}

TEST_F(Responses, GoOnFromAnEarlierOneTokenByToken) {
  const json::value first =
      post(kPath, hello(R"(, "instructions": "Be brief")"), "hi there<|im_end|>").json();
  const std::vector<std::int32_t> begun = engine.prompt;
  const json::value second =
      post(kPath,
           R"({"input": "more", "previous_response_id": ")" + text_of(first.at("id")) + "\"}",
           "ok<|im_end|>")
          .json();
  EXPECT_EQ(second.at("previous_response_id"), first.at("id"));
  EXPECT_THAT(prompt(), HasSubstr("hello"));
  EXPECT_THAT(prompt(), HasSubstr("hi there"));
  EXPECT_THAT(prompt(), HasSubstr("more"));
  EXPECT_THAT(prompt(), ::testing::Not(HasSubstr("Be brief")));
  post(kPath, R"({"input": "last", "previous_response_id": ")" + text_of(second.at("id")) + "\"}",
       "ok<|im_end|>");
  EXPECT_THAT(prompt(), HasSubstr("hi there"));
  EXPECT_THAT(prompt(), HasSubstr("last"));
}

TEST_F(Responses, AreReadAgainAndForgotten) {
  const json::value made = post(kPath, hello(), "hi<|im_end|>").json();
  const std::string path = std::string(kPath) + "/" + text_of(made.at("id"));
  EXPECT_GT(store_.expires_ms_last, 0);
  EXPECT_EQ(ask("GET", path, "").json(), made);
  const auto streamed = post(kPath, hello(R"(, "stream": true)"), "hi<|im_end|>").named_events();
  const std::string other = text_of(streamed.back().at("response").at("id"));
  EXPECT_EQ(ask("GET", std::string(kPath) + "/" + other, "").json(),
            streamed.back().at("response"));
  EXPECT_EQ(ask("DELETE", path, "").json().at("deleted"), true);
  EXPECT_EQ(ask("GET", path, "").status, 404);
  EXPECT_EQ(ask("DELETE", path, "").status, 404);
  const Reply gone =
      post(kPath, R"({"input": "x", "previous_response_id": ")" + text_of(made.at("id")) + "\"}");
  EXPECT_EQ(gone.status, 404);
  EXPECT_EQ(error_member(gone, "param"), "previous_response_id");
}

TEST_F(Responses, AreNotKeptWhereThatIsNotWanted) {
  const json::value made = post(kPath, hello(R"(, "store": false)"), "hi<|im_end|>").json();
  EXPECT_EQ(made.at("store"), false);
  EXPECT_TRUE(store_.values.empty());
  context.store = nullptr;
  EXPECT_EQ(post(kPath, hello(R"(, "store": true)"), "hi<|im_end|>").json().at("store"), false);
  EXPECT_EQ(ask("GET", std::string(kPath) + "/resp_1", "").status, 404);
  EXPECT_EQ(ask("DELETE", std::string(kPath) + "/resp_1", "").status, 404);
}

TEST_F(Responses, OneThatCannotBeKeptIsNotCalledComplete) {
  store_.refuse = Error{ErrorCode::kResourceExhausted, "no room on the disk"};
  const Reply whole = post(kPath, hello(), "hi<|im_end|>");
  EXPECT_EQ(whole.status, 507);
  const auto events = post(kPath, hello(R"(, "stream": true)"), "hi<|im_end|>").named_events();
  EXPECT_EQ(events.back().at("type"), "response.failed");
  EXPECT_EQ(events.back().at("response").at("error").at("message"), "no room on the disk");
}

TEST_F(Responses, AFailureOfTheEngineIsAFailedResponse) {
  FakeExchange& streamed = begin("POST", kPath, hello(R"(, "stream": true)"));
  run("half", RequestEnd::kError);
  poll();
  const auto events = streamed.reply.named_events();
  EXPECT_EQ(events.back().at("type"), "response.failed");
  EXPECT_EQ(events.back().at("response").at("status"), "failed");
  EXPECT_TRUE(store_.values.empty());
}

TEST_F(Responses, GiveLogprobsOfTheText) {
  const std::string more = R"(, "include": ["message.output_text.logprobs"], "top_logprobs": 2)";
  const json::value answer = post(kPath, hello(more), "ab<|im_end|>").json();
  const json::value& part = answer.at("output").at(0).at("content").at(0);
  ASSERT_THAT(part.at("logprobs").as_array(), SizeIs(2));
  EXPECT_EQ(part.at("logprobs").at(0).at("token"), "a");
  json::array told;
  const auto events =
      post(kPath, hello(more + R"(, "stream": true)"), "ab<|im_end|>").named_events();
  for (const json::value& event : events) {
    if (event.at("type") != "response.output_text.delta") continue;
    for (const json::value& entry : event.at("logprobs").as_array()) told.push_back(entry);
  }
  EXPECT_EQ(told, part.at("logprobs"));
}

TEST_F(Responses, TheTextFollowsItsFormat) {
  const json::value answer = post(kPath, hello(R"(, "reasoning": {"effort": "none"},
      "text": {"format": {"type": "json_schema", "name": "n",
                          "schema": {"enum": [true]}}})"),
                                  "no<|im_end|>")
                                 .json();
  EXPECT_EQ(answer.at("output").at(0).at("content").at(0).at("text"), "true");
}

TEST_F(Responses, WrongFieldsAreNamed) {
  const auto param = [&](std::string_view body) {
    const Reply reply = post(kPath, body);
    EXPECT_EQ(reply.status, 400) << body;
    return error_member(reply, "param");
  };
  EXPECT_EQ(param("{}"), "input");
  EXPECT_EQ(param(R"({"input": []})"), "input");
  EXPECT_EQ(param(R"({"input": 3})"), "input");
  EXPECT_EQ(param(R"({"input": [3]})"), "input[0]");
  EXPECT_EQ(param(R"({"input": [{"role": "king", "content": "x"}]})"), "input[0].role");
  EXPECT_EQ(param(R"({"input": [{"role": "user"}]})"), "input[0].content");
  EXPECT_EQ(param(R"({"input": [{"role": "user", "content": [{"type": "input_image"}]}]})"),
            "input[0].content[0].type");
  EXPECT_EQ(param(R"({"input": [{"type": "item_reference", "id": "x"}]})"), "input[0].type");
  EXPECT_EQ(param(R"({"input": [{"type": "function_call", "name": "f"}]})"), "input[0].call_id");
  EXPECT_EQ(param(hello(R"(, "tools": [{"type": "web_search"}])")), "tools[0].type");
  EXPECT_EQ(param(hello(R"(, "tool_choice": "sometimes")")), "tool_choice");
  EXPECT_EQ(param(hello(R"(, "reasoning": {"effort": "huge"})")), "reasoning.effort");
  EXPECT_EQ(param(hello(R"(, "text": {"format": {"type": "xml"}})")), "text.format.type");
  EXPECT_EQ(param(hello(R"(, "text": {"format": {"type": "json_schema"}})")), "text.format.schema");
  EXPECT_EQ(param(hello(R"(, "max_output_tokens": 0)")), "max_output_tokens");
  EXPECT_EQ(param(hello(R"(, "background": true)")), "background");
  EXPECT_EQ(param(hello(R"(, "conversation": "conv_1")")), "conversation");
  EXPECT_EQ(param(hello(R"(, "temperature": 9)")), "temperature");
}

}  // namespace
}  // namespace notso::api
