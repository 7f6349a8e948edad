// POST /v1/chat/completions over scripted tokens.
#include <boost/asio/thread_pool.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/chat/chat_fixtures.h"
#include "web/api/api_fixture.h"

namespace notso::api {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr std::string_view kChat = "/v1/chat/completions";

class ChatCompletions : public ::testing::Test, protected ApiFixture {
 protected:
  // A request with these members beside its messages.
  static std::string hello(std::string_view more = "") {
    return R"({"messages": [{"role": "user", "content": "hello"}])" + std::string(more) + "}";
  }

  static const json::value& choice_of(const json::value& answer, std::size_t index = 0) {
    return answer.at("choices").at(index);
  }

  // The deltas of one choice of a stream, one after the other, as a message.
  static json::object joined(const std::vector<json::value>& events, std::int64_t index = 0) {
    json::object message{{"content", ""}, {"reasoning_content", ""}, {"calls", json::object()}};
    const auto append = [](json::object& to, std::string_view key, const json::value* text) {
      if (text == nullptr || text->is_null()) return;
      json::value& member = to[key];
      if (!member.is_string()) member = "";
      member.get_string() += text->as_string();
    };
    for (const json::value& event : events) {
      if (event.at("choices").as_array().empty()) continue;
      const json::value& choice = choice_of(event);
      if (choice.at("index") != index) continue;
      const json::object& delta = choice.at("delta").as_object();
      append(message, "content", delta.if_contains("content"));
      append(message, "reasoning_content", delta.if_contains("reasoning_content"));
      if (const auto* calls = delta.if_contains("tool_calls")) {
        const json::object& call = calls->at(0).as_object();
        const std::string place = json::serialize(call.at("index"));
        json::value& gathered = message["calls"].as_object()[place];
        if (!gathered.is_object()) gathered = json::object{{"id", call.at("id")}};
        append(gathered.as_object(), "name", call.at("function").as_object().if_contains("name"));
        append(gathered.as_object(), "arguments", &call.at("function").at("arguments"));
      }
      if (!choice.at("finish_reason").is_null()) message["finish"] = choice.at("finish_reason");
    }
    return message;
  }

  const std::string tools_ = R"(, "tools": [{"type": "function", "function": {
      "name": "get_weather", "parameters": {"type": "object",
      "properties": {"city": {"type": "string"}}}}}])";
  const std::string call_ =
      "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Ulm\"}}\n</tool_call>"
      "<|im_end|>";
};

TEST_F(ChatCompletions, AnswersInOpenAisShape) {
  const Reply reply =
      post(kChat, hello(R"(, "model": "default")"), "<think>\nhm\n</think>\nhi<|im_end|>");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.header("Content-Type"), "application/json");
  const json::value answer = reply.json();
  EXPECT_THAT(std::string(answer.at("id").as_string()), StartsWith("chatcmpl-"));
  EXPECT_EQ(answer.at("object"), "chat.completion");
  EXPECT_EQ(answer.at("model"), "tiny");
  EXPECT_THAT(std::string(answer.at("system_fingerprint").as_string()), StartsWith("notso-"));
  EXPECT_EQ(choice_of(answer), json::parse(R"({"index": 0, "message": {"role": "assistant",
      "content": "hi", "refusal": null, "reasoning_content": "hm"}, "logprobs": null,
      "finish_reason": "stop"})"));
  const json::value& usage = answer.at("usage");
  const auto prompt = static_cast<std::int64_t>(engine.prompt.size());
  const auto script = chat_tokenizer()->encode("<think>\nhm\n</think>\nhi<|im_end|>", true);
  const auto written = static_cast<std::int64_t>(script.size());
  EXPECT_EQ(usage.at("prompt_tokens"), prompt);
  EXPECT_EQ(usage.at("completion_tokens"), written);
  EXPECT_EQ(usage.at("total_tokens"), prompt + written);
  EXPECT_EQ(usage.at("prompt_tokens_details").at("cached_tokens"), 2);
  EXPECT_EQ(usage.at("completion_tokens_details").at("reasoning_tokens"), 5);
}

TEST_F(ChatCompletions, AStreamSaysTheSame) {
  const Reply reply = post(kChat, hello(R"(, "stream": true)"),
                           "<think>\nhm\n</think>\nhi \xC3\xA9 there\n<|im_end|>");
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.streamed && reply.complete);
  EXPECT_THAT(reply.header("Content-Type"), StartsWith("text/event-stream"));
  const auto events = reply.events();
  EXPECT_EQ(choice_of(events.front()).at("delta"),
            json::parse(R"({"role": "assistant", "content": ""})"));
  for (const json::value& event : events) {
    EXPECT_EQ(event.at("object"), "chat.completion.chunk");
    EXPECT_EQ(event.at("id"), events.front().at("id"));
    EXPECT_FALSE(event.as_object().contains("usage"));
  }
  EXPECT_EQ(choice_of(events.back()).at("delta"), json::object());
  const json::object message = joined(events);
  EXPECT_EQ(message.at("content"), "hi \xC3\xA9 there\n");
  EXPECT_EQ(message.at("reasoning_content"), "hm");
  EXPECT_EQ(message.at("finish"), "stop");
}

TEST_F(ChatCompletions, AStreamEndsWithItsUsageWhereThatIsWanted) {
  const std::string script = "hi<|im_end|>";
  const auto whole = post(kChat, hello(), script).json().at("usage");
  const auto events =
      post(kChat, hello(R"(, "stream": true, "stream_options": {"include_usage": true})"), script)
          .events();
  EXPECT_EQ(events.back().at("choices"), json::array());
  EXPECT_EQ(events.back().at("usage"), whole);
  EXPECT_TRUE(events.front().at("usage").is_null());
}

TEST_F(ChatCompletions, GivesToolCalls) {
  const json::value answer = post(kChat, hello(tools_), call_).json();
  const json::value& choice = choice_of(answer);
  EXPECT_EQ(choice.at("finish_reason"), "tool_calls");
  EXPECT_TRUE(choice.at("message").at("content").is_null());
  const json::value& call = choice.at("message").at("tool_calls").at(0);
  EXPECT_THAT(std::string(call.at("id").as_string()), StartsWith("call_"));
  EXPECT_EQ(call.at("type"), "function");
  EXPECT_EQ(call.at("function").at("name"), "get_weather");
  EXPECT_EQ(call.at("function").at("arguments"), R"({"city": "Ulm"})");
  const json::object streamed =
      joined(post(kChat, hello(tools_ + R"(, "stream": true)"), call_).events());
  EXPECT_EQ(streamed.at("finish"), "tool_calls");
  EXPECT_EQ(streamed.at("calls").at("0").at("name"), "get_weather");
  EXPECT_EQ(streamed.at("calls").at("0").at("arguments"), R"({"city": "Ulm"})");
}

TEST_F(ChatCompletions, ToolChoiceIsObeyed) {
  const auto choice = [&](std::string_view text) {
    return post(kChat, hello(tools_ + R"(, "tool_choice": )" + std::string(text)), call_);
  };
  EXPECT_EQ(choice_of(choice("\"required\"").json()).at("finish_reason"), "tool_calls");
  EXPECT_EQ(choice_of(choice("\"none\"").json()).at("finish_reason"), "length");
  const std::string named = R"({"type": "function", "function": {"name": "get_weather"}})";
  EXPECT_EQ(choice_of(choice(named).json()).at("finish_reason"), "tool_calls");
  const std::string other = R"({"type": "function", "function": {"name": "other"}})";
  EXPECT_EQ(error_member(choice(other), "param"), "tool_choice");
  for (const std::string_view bad : {"\"maybe\"", "3", "{}", R"({"type": "function"})",
                                     R"({"type": "function", "function": {"name": 3}})"}) {
    EXPECT_EQ(choice(bad).status, 400) << bad;
  }
  EXPECT_EQ(post(kChat, hello(R"(, "tool_choice": "required")")).status, 400);
}

TEST_F(ChatCompletions, SeveralChoicesAreSeveralAnswers) {
  const Reply reply = post(kChat, hello(R"(, "n": 3)"), "hi<|im_end|>");
  const json::value answer = reply.json();
  ASSERT_THAT(answer.at("choices").as_array(), SizeIs(3));
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(choice_of(answer, i).at("index"), i);
    EXPECT_EQ(choice_of(answer, i).at("message").at("content"), "hi");
  }
  EXPECT_EQ(answer.at("usage").at("completion_tokens"), 9);
  EXPECT_EQ(answer.at("usage").at("prompt_tokens"), engine.prompt.size());
  const auto events = post(kChat, hello(R"(, "n": 2, "stream": true)"), "hi<|im_end|>").events();
  EXPECT_EQ(joined(events, 0).at("content"), "hi");
  EXPECT_EQ(joined(events, 1).at("content"), "hi");
  EXPECT_EQ(error_member(post(kChat, hello(R"(, "n": 17)")), "param"), "n");
}

TEST_F(ChatCompletions, GivesLogprobsOfTheContent) {
  const std::string more = R"(, "logprobs": true, "top_logprobs": 2)";
  const std::string script = "<think>\nhm\n</think>\na\xC3\xA9<|im_end|>";
  const json::value answer = post(kChat, hello(more), script).json();
  const json::array& content = choice_of(answer).at("logprobs").at("content").as_array();
  ASSERT_THAT(content, SizeIs(3));  // "a" and the two bytes of "é"
  EXPECT_EQ(content[0].at("token"), "a");
  EXPECT_EQ(content[0].at("bytes"), json::parse("[97]"));
  EXPECT_EQ(content[1].at("bytes"), json::parse("[195]"));
  EXPECT_LT(content[0].at("logprob").as_double(), 0);
  ASSERT_THAT(content[0].at("top_logprobs").as_array(), SizeIs(2));
  EXPECT_EQ(content[0].at("top_logprobs").at(0).at("token"), "a");
  json::array streamed;
  for (const json::value& event :
       post(kChat, hello(more + R"(, "stream": true)"), script).events()) {
    const json::value& logprobs = choice_of(event).at("logprobs");
    if (logprobs.is_null()) continue;
    for (const json::value& entry : logprobs.at("content").as_array()) streamed.push_back(entry);
  }
  EXPECT_EQ(streamed, content);
}

TEST_F(ChatCompletions, AnswersThatAreCutSaySo) {
  FakeExchange& exchange = begin("POST", kChat, hello());
  run("half", RequestEnd::kTimeout);
  poll();
  EXPECT_EQ(choice_of(exchange.reply.json()).at("finish_reason"), "length");
  EXPECT_EQ(choice_of(exchange.reply.json()).at("message").at("content"), "half");
  const Reply free = post(kChat, hello(R"(, "max_tokens": -1)"), "abcdef<|im_end|>");
  EXPECT_EQ(choice_of(free.json()).at("message").at("content"), "abcdef");
  const Reply limited = post(kChat, hello(R"(, "max_tokens": 2)"), "abcdef");
  EXPECT_EQ(choice_of(limited.json()).at("finish_reason"), "length");
  EXPECT_EQ(limited.json().at("usage").at("completion_tokens"), 2);
}

TEST_F(ChatCompletions, StopsAtStopStrings) {
  const Reply reply = post(kChat, hello(R"(, "stop": ["de", "x"])"), "abcdef");
  EXPECT_EQ(choice_of(reply.json()).at("message").at("content"), "abc");
  EXPECT_EQ(choice_of(reply.json()).at("finish_reason"), "stop");
  const auto events = post(kChat, hello(R"(, "stop": "de", "stream": true)"), "abcdef").events();
  EXPECT_EQ(joined(events).at("content"), "abc");
  EXPECT_EQ(error_member(post(kChat, hello(R"(, "stop": "")")), "param"), "stop");
}

TEST_F(ChatCompletions, AFailureOfTheEngineIsAnError) {
  FakeExchange& whole = begin("POST", kChat, hello());
  run("half", RequestEnd::kError);
  poll();
  EXPECT_EQ(whole.reply.status, 500);
  EXPECT_EQ(error_member(whole.reply, "message"), "the step failed");
  FakeExchange& streamed = begin("POST", kChat, hello(R"(, "stream": true)"));
  run("half", RequestEnd::kError);
  poll();
  const auto events = streamed.reply.events();
  EXPECT_EQ(events.back().at("error").at("message"), "the step failed");
  FakeExchange& stopping = begin("POST", kChat, hello());
  run("half", RequestEnd::kCancelled);
  poll();
  EXPECT_EQ(stopping.reply.status, 503);
}

TEST_F(ChatCompletions, AFullQueueIs429WithRetryAfter) {
  engine.refuse = Error{ErrorCode::kUnavailable, "the queue is full"};
  for (const std::string_view more : {"", R"(, "stream": true)"}) {
    const Reply reply = post(kChat, hello(more));
    EXPECT_EQ(reply.status, 429);
    EXPECT_EQ(reply.header("Retry-After"), "3");
    EXPECT_FALSE(reply.streamed);
  }
}

TEST_F(ChatCompletions, APromptThatIsTooLongIs400WithBothNumbersAlsoInAStream) {
  const std::string body =
      R"({"messages": [{"role": "user", "content": ")" + std::string(1000, 'x') + "\"}]";
  for (const std::string_view more : {"}", R"(, "stream": true})"}) {
    const Reply reply = post(kChat, body + std::string(more));
    EXPECT_EQ(reply.status, 400);
    EXPECT_FALSE(reply.streamed);
    EXPECT_EQ(error_member(reply, "code"), "context_length_exceeded");
    EXPECT_EQ(error_member(reply, "param"), "messages");
    EXPECT_EQ(error_member(reply, "n_ctx"), "600");
    EXPECT_THAT(error_member(reply, "message"), HasSubstr("600"));
    EXPECT_THAT(error_member(reply, "message"), HasSubstr(error_member(reply, "n_prompt_tokens")));
  }
}

TEST_F(ChatCompletions, AClientThatGoesEndsItsAnswers) {
  FakeExchange& exchange = begin("POST", kChat, hello(R"(, "n": 2, "stream": true)"));
  exchange.disconnect();
  EXPECT_THAT(engine.cancelled, SizeIs(2));
  poll();
  EXPECT_THAT(exchange.reply.body, ::testing::Not(HasSubstr("[DONE]")));
}

TEST_F(ChatCompletions, ASilentStreamShowsThatItIsAlive) {
  context.keep_alive_time_max = std::chrono::milliseconds(1);
  FakeExchange& exchange = begin("POST", kChat, hello(R"(, "stream": true)"));
  wait_until([&] { return exchange.reply.body.ends_with(": keep-alive\n\n"); });
  context.keep_alive_time_max = std::chrono::hours(1);
  run("hi<|im_end|>");
  wait_until([&] { return exchange.reply.complete; });
  EXPECT_EQ(joined(exchange.reply.events()).at("content"), "hi");
}

TEST_F(ChatCompletions, AReaderThatIsTooSlowIsCutOff) {
  context.stream_bytes_max = 400;
  FakeExchange& exchange = begin("POST", kChat, hello(R"(, "stream": true)"));
  run("a long answer that nobody reads while it is written");
  poll();
  EXPECT_FALSE(exchange.reply.complete);
  EXPECT_THAT(exchange.reply.body, ::testing::Not(HasSubstr("[DONE]")));
  EXPECT_THAT(engine.cancelled, ::testing::Not(::testing::IsEmpty()));
}

TEST_F(ChatCompletions, MalformedRequestsNameTheField) {
  const std::vector<std::pair<std::string_view, std::string_view>> cases = {
      {R"({})", "messages"},
      {R"({"messages": []})", "messages"},
      {R"({"messages": {}})", "messages"},
      {R"({"messages": [3]})", "messages[0]"},
      {R"({"messages": [{"role": "owner", "content": "x"}]})", "messages[0].role"},
      {R"({"messages": [{"content": "x"}]})", "messages[0].role"},
      {R"({"messages": [{"role": "user"}]})", "messages[0].content"},
      {R"({"messages": [{"role": "user", "content": 3}]})", "messages[0].content"},
      {R"({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]})",
       "messages[0].content[0].type"}};
  for (const auto& [body, field] : cases) {
    const Reply reply = post(kChat, body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(error_member(reply, "param"), field) << body;
    EXPECT_EQ(error_member(reply, "type"), "invalid_request_error") << body;
  }
}

TEST_F(ChatCompletions, BadParametersNameTheField) {
  const std::vector<std::pair<std::string_view, std::string_view>> cases = {
      {R"(, "temperature": 3)", "temperature"},
      {R"(, "max_tokens": 0)", "max_tokens"},
      {R"(, "max_completion_tokens": -2)", "max_completion_tokens"},
      {R"(, "top_logprobs": 3)", "top_logprobs"},
      {R"(, "logprobs": true, "top_logprobs": 21)", "top_logprobs"},
      {R"(, "stream": "yes")", "stream"},
      {R"(, "stream_options": {"include_usage": 1})", "stream_options.include_usage"},
      {R"(, "reasoning_effort": "much")", "reasoning_effort"},
      {R"(, "chat_template_kwargs": {"enable_thinking": 1})",
       "chat_template_kwargs.enable_thinking"},
      {R"(, "tools": 3)", "tools"},
      {R"(, "tools": [{"type": "function"}])", "tools[0].function"},
      {R"(, "functions": [])", "functions"},
      {R"(, "logit_bias": {"99999": 1})", "logit_bias"},
      {R"(, "response_format": {"type": "xml"})", "response_format.type"}};
  for (const auto& [more, field] : cases) {
    const Reply reply = post(kChat, hello(more));
    EXPECT_EQ(reply.status, 400) << more;
    EXPECT_EQ(error_member(reply, "param"), field) << more;
  }
}

TEST_F(ChatCompletions, UnknownFieldsAreIgnored) {
  const Reply reply =
      post(kChat, hello(R"(, "user": "u", "store": true, "x": {"y": []})"), "hi<|im_end|>");
  EXPECT_EQ(reply.status, 200);
}

TEST_F(ChatCompletions, UnknownModelsAre404) {
  const Reply reply = post(kChat, hello(R"(, "model": "gpt-9")"));
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(error_member(reply, "code"), "model_not_found");
  EXPECT_EQ(error_member(reply, "param"), "model");
}

TEST_F(ChatCompletions, AModelThatIsStillLoadedIs503) {
  context.model = [](const std::string&, const TakeModel& take) {
    take(fail(ErrorCode::kUnavailable, "the model is being loaded"));
  };
  const Reply reply = post(kChat, hello());
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.header("Retry-After"), "1");
}

TEST_F(ChatCompletions, ThinkingIsSwitchedByEffortAndByTheTemplatesOwnSwitch) {
  const auto prompt = [&](std::string_view more) {
    post(kChat, hello(more), "hi<|im_end|>");
    return chat_tokenizer()->decode(engine.prompt);
  };
  const std::string on = prompt("");
  const std::string off = prompt(R"(, "chat_template_kwargs": {"enable_thinking": false})");
  EXPECT_NE(on, off);
  EXPECT_EQ(prompt(R"(, "reasoning_effort": "none")"), off);
  EXPECT_EQ(prompt(R"(, "reasoning_effort": "minimal")"), off);
  EXPECT_EQ(prompt(R"(, "reasoning_effort": "high")"), on);
  EXPECT_EQ(prompt(R"(, "reasoning_effort": "none",
                      "chat_template_kwargs": {"enable_thinking": true})"),
            on);
}

TEST_F(ChatCompletions, AThinkingBudgetEndsTheThought) {
  const Reply reply =
      post(kChat, hello(R"(, "thinking_budget": 4)"), "<think>\nabcdefghijklmnop<|im_end|>");
  EXPECT_EQ(choice_of(reply.json()).at("message").at("reasoning_content"), "abc");
}

TEST_F(ChatCompletions, PromptsAreRenderedOnTheWorkers) {
  boost::asio::thread_pool pool(1);
  context.workers = pool.get_executor();
  FakeExchange& exchange = begin("POST", kChat, hello());
  FakeExchange& refused = begin("POST", kChat, hello(R"(, "tool_choice": "required")"));
  FakeExchange& gone = begin("POST", kChat, hello());
  gone.disconnect();
  pool.join();
  poll();
  run("hi<|im_end|>");
  poll();
  EXPECT_EQ(choice_of(exchange.reply.json()).at("message").at("content"), "hi");
  EXPECT_EQ(refused.reply.status, 400);
  EXPECT_THAT(engine.cancelled, ::testing::Contains(2));
}

TEST_F(ChatCompletions, RequestsOfOneKeyShareAPortionAndNoPrefixesWhereThatIsForbidden) {
  begin("POST", kChat, hello());
  EXPECT_EQ(engine.waiting.back().second.session, "127.0.0.1");
  EXPECT_EQ(engine.waiting.back().second.cache_scope, "");
}

}  // namespace
}  // namespace notso::api
