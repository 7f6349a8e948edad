// Ollama's API over scripted tokens.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/chat/chat_fixtures.h"
#include "web/api/api_fixture.h"

namespace notso::api {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr std::string_view kChat = "/api/chat";
constexpr std::string_view kGenerate = "/api/generate";

class Ollama : public ::testing::Test, protected ApiFixture {
 protected:
  // A request with these members beside its messages; unstreamed, unlike Ollama's default.
  static std::string hello(std::string_view more = "") {
    return R"({"model": "tiny", "stream": false,
               "messages": [{"role": "user", "content": "hello"}])" +
           std::string(more) + "}";
  }

  static std::string text_of(const json::value& value) { return std::string(value.as_string()); }

  std::string prompt() const { return chat_tokenizer()->decode(engine.prompt); }

  const std::string tools_ = R"(, "tools": [{"type": "function", "function": {
      "name": "get_weather", "parameters": {"type": "object",
      "properties": {"city": {"type": "string"}}}}}])";
  const std::string call_ =
      "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Ulm\"}}\n</tool_call>"
      "<|im_end|>";
  const std::string script_ = "<think>\nhm\n</think>\nhi<|im_end|>";
};

TEST_F(Ollama, AnswersWithAMessageAndItsCounts) {
  const Reply reply = post(kChat, hello(), script_);
  EXPECT_EQ(reply.status, 200);
  const json::value answer = reply.json();
  EXPECT_EQ(answer.at("model"), "tiny");
  EXPECT_EQ(answer.at("message"),
            json::parse(R"({"role": "assistant", "content": "hi", "thinking": "hm"})"));
  EXPECT_EQ(answer.at("done"), true);
  EXPECT_EQ(answer.at("done_reason"), "stop");
  EXPECT_EQ(answer.at("prompt_eval_count"), engine.prompt.size());
  EXPECT_EQ(answer.at("eval_count"), chat_tokenizer()->encode(script_, true).size());
  EXPECT_EQ(answer.at("prompt_eval_duration"), 500'000'000);
  EXPECT_EQ(answer.at("eval_duration"), 2'000'000'000);
  EXPECT_EQ(answer.at("total_duration"), 2'750'000'000);
  EXPECT_THAT(text_of(answer.at("created_at")),
              ::testing::MatchesRegex("20..-..-..T..:..:..[.]......Z"));
}

TEST_F(Ollama, StreamsLinesUnlessToldNotTo) {
  const Reply reply =
      post(kChat, R"({"messages": [{"role": "user", "content": "hello"}]})", script_);
  EXPECT_EQ(reply.header("Content-Type"), "application/x-ndjson");
  std::string content;
  std::string thinking;
  const auto lines = reply.lines();
  for (const json::value& line : lines) {
    EXPECT_EQ(line.at("model"), "tiny");
    EXPECT_EQ(line.at("done"), &line == &lines.back());
    const json::object& message = line.at("message").as_object();
    content += text_of(message.at("content"));
    if (const auto* more = message.if_contains("thinking")) thinking += text_of(*more);
  }
  EXPECT_EQ(content, "hi");
  EXPECT_EQ(thinking, "hm");
  const json::value whole = post(kChat, hello(), script_).json();
  for (const std::string_view count : {"prompt_eval_count", "eval_count", "done_reason"}) {
    EXPECT_EQ(lines.back().at(count), whole.at(count));
  }
}

TEST_F(Ollama, GivesWholeToolCalls) {
  const json::value expected = json::parse(R"({"name": "get_weather",
                                               "arguments": {"city": "Ulm"}})");
  const json::value answer = post(kChat, hello(tools_), call_).json();
  EXPECT_EQ(answer.at("message").at("tool_calls").at(0).at("function"), expected);
  EXPECT_EQ(answer.at("message").at("content"), "");
  const auto lines = post(kChat, hello(tools_ + R"(, "stream": true)"), call_).lines();
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(lines[0].at("message").at("tool_calls").at(0).at("function"), expected);
}

TEST_F(Ollama, ACallThatTheAnswerEndsInsideIsText) {
  const std::string half = "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"ci";
  for (const json::value& line : post(kChat, hello(tools_ + R"(, "stream": true)"), half).lines()) {
    EXPECT_FALSE(line.at("message").as_object().contains("tool_calls"));
  }
  const json::value whole = post(kChat, hello(tools_), half).json();
  EXPECT_THAT(text_of(whole.at("message").at("content")), HasSubstr("get_weather"));
  EXPECT_EQ(whole.at("done_reason"), "length");
}

TEST_F(Ollama, AConversationWithThoughtsAndCallsIsReadAsOpenAisIs) {
  post(kChat, R"({"think": false, "stream": false, "messages": [
      {"role": "user", "content": "How is it?"},
      {"role": "assistant", "content": "", "thinking": "ask",
       "tool_calls": [{"function": {"name": "get_weather", "arguments": {"city": "Ulm"}}}]},
      {"role": "tool", "content": "sun", "tool_name": "get_weather"}]})",
       "fine<|im_end|>");
  const std::string from_ollama = prompt();
  post("/v1/chat/completions", R"({"reasoning_effort": "none", "messages": [
      {"role": "user", "content": "How is it?"},
      {"role": "assistant", "content": "", "reasoning_content": "ask", "tool_calls": [
        {"function": {"name": "get_weather", "arguments": {"city": "Ulm"}}}]},
      {"role": "tool", "content": "sun", "name": "get_weather"}]})",
       "fine<|im_end|>");
  EXPECT_EQ(from_ollama, prompt());
}

TEST_F(Ollama, GeneratesFromAPromptAndASystemText) {
  const json::value answer = post(kGenerate, R"({"model": "tiny:latest", "stream": false,
      "prompt": "hello", "system": "Be kind."})",
                                  script_)
                                 .json();
  EXPECT_EQ(answer.at("model"), "tiny:latest");
  EXPECT_EQ(answer.at("response"), "hi");
  EXPECT_EQ(answer.at("thinking"), "hm");
  EXPECT_THAT(prompt(), HasSubstr("Be kind."));
  std::string text;
  for (const json::value& line : post(kGenerate, R"({"prompt": "hello"})", script_).lines()) {
    text += text_of(line.at("response"));
  }
  EXPECT_EQ(text, "hi");
}

TEST_F(Ollama, ARawPromptGoesOn) {
  const json::value answer = post(kGenerate, R"({"stream": false, "raw": true,
      "prompt": "<|im_start|>user"})",
                                  "<think>x<|im_end|>")
                                 .json();
  EXPECT_EQ(engine.prompt, chat_tokenizer()->encode("<|im_start|>user", true));
  EXPECT_THAT(text_of(answer.at("response")), HasSubstr("x"));
  EXPECT_FALSE(answer.as_object().contains("thinking"));
}

TEST_F(Ollama, WithoutAPromptTheModelIsOnlyLoaded) {
  EXPECT_EQ(post(kGenerate, R"({"model": "tiny"})").json().at("done_reason"), "load");
  EXPECT_EQ(post(kChat, R"({"model": "tiny", "messages": []})").json().at("done_reason"), "load");
  EXPECT_TRUE(engine.prompt.empty());
}

TEST_F(Ollama, OptionsSayHowTheAnswerIsDrawn) {
  const json::value limited =
      post(kChat, hello(R"(, "options": {"num_predict": 2, "num_ctx": 4096})"), "abcdef").json();
  EXPECT_EQ(limited.at("done_reason"), "length");
  EXPECT_EQ(limited.at("eval_count"), 2);
  const json::value stopped =
      post(kChat, hello(R"(, "options": {"stop": ["de"], "num_predict": -1})"), "abcdef").json();
  EXPECT_EQ(stopped.at("message").at("content"), "abc");
  EXPECT_EQ(post(kChat, hello(R"(, "think": false, "format": {"enum": [true]})"), "no<|im_end|>")
                .json()
                .at("message")
                .at("content"),
            "true");
  const json::value free =
      post(kChat, hello(R"(, "think": false, "format": "json")"), "no<|im_end|>").json();
  EXPECT_THAT(text_of(free.at("message").at("content")), StartsWith("{"));
}

TEST_F(Ollama, ThinkingIsASwitchOrAnEffort) {
  post(kChat, hello(R"(, "think": false)"), "hi<|im_end|>");
  EXPECT_THAT(prompt(), HasSubstr("/no_think"));
  for (const std::string_view think : {"true", "\"low\""}) {
    post(kChat, hello(R"(, "think": )" + std::string(think)), "hi<|im_end|>");
    EXPECT_THAT(prompt(), Not(HasSubstr("/no_think")));
  }
}

TEST_F(Ollama, LogprobsComeWithTheText) {
  const std::string more = R"(, "logprobs": true, "top_logprobs": 2)";
  const json::value answer = post(kChat, hello(more), "ab<|im_end|>").json();
  ASSERT_THAT(answer.at("logprobs").as_array(), SizeIs(2));
  EXPECT_EQ(answer.at("logprobs").at(0).at("token"), "a");
  EXPECT_THAT(answer.at("logprobs").at(0).at("top_logprobs").as_array(), SizeIs(2));
  json::array told;
  for (const json::value& line :
       post(kChat, hello(more + R"(, "stream": true)"), "ab<|im_end|>").lines()) {
    const auto* list = line.as_object().if_contains("logprobs");
    if (list == nullptr) continue;
    for (const json::value& entry : list->as_array()) told.push_back(entry);
  }
  EXPECT_EQ(told, answer.at("logprobs"));
}

TEST_F(Ollama, ModelsAreListedAndShown) {
  const json::value tags = ask("GET", "/api/tags", "").json();
  EXPECT_EQ(tags.at("models").at(0).at("name"), "tiny");
  EXPECT_EQ(tags.at("models").at(0).at("details").at("format"), "gguf");
  EXPECT_EQ(ask("GET", "/api/ps", "").json().at("models").at(0).at("context_length"), 600);
  const json::value shown = post("/api/show", R"({"model": "tiny:latest"})").json();
  EXPECT_EQ(shown.at("capabilities"), json::parse(R"(["completion", "tools", "thinking"])"));
  EXPECT_EQ(post("/api/show", R"({"name": "tiny"})").status, 200);
  EXPECT_EQ(post("/api/show", R"({"model": "other"})").status, 404);
  EXPECT_TRUE(ask("GET", "/api/version", "").json().at("version").is_string());
}

TEST_F(Ollama, RefusalsHaveOllamasShape) {
  const auto message = [&](std::string_view path, std::string_view body) {
    const Reply reply = post(path, body);
    EXPECT_EQ(reply.status, 400) << body;
    return text_of(reply.json().at("error"));
  };
  EXPECT_THAT(message(kChat, "[]"), StartsWith("the body must be a JSON object"));
  EXPECT_THAT(message(kChat, R"({"messages": [{"role": "king", "content": "x"}]})"),
              StartsWith("messages[0].role"));
  EXPECT_THAT(message(kChat, R"({"messages": [{"role": "user", "images": ["aa"]}]})"),
              StartsWith("messages[0].images"));
  EXPECT_THAT(message(kChat, hello(R"(, "options": {"temperature": 9})")),
              StartsWith("options.temperature"));
  EXPECT_THAT(message(kChat, hello(R"(, "options": {"num_predict": -3})")),
              StartsWith("options.num_predict"));
  EXPECT_THAT(message(kChat, hello(R"(, "think": "huge")")), StartsWith("think must be"));
  EXPECT_THAT(message(kChat, hello(R"(, "format": "xml")")), StartsWith("format must be"));
  EXPECT_THAT(message(kGenerate, R"({"prompt": "x", "suffix": "y"})"), StartsWith("suffix"));
  EXPECT_THAT(message(kGenerate, R"({"prompt": "x", "context": [1]})"), StartsWith("context"));
  EXPECT_EQ(post(kChat, hello(R"(, "model": "llama3")")).status, 404);
}

TEST_F(Ollama, AFailureInMidStreamIsALine) {
  FakeExchange& streamed = begin("POST", kChat, hello(R"(, "stream": true)"));
  run("half", RequestEnd::kError);
  poll();
  EXPECT_EQ(streamed.reply.lines().back(), json::parse(R"({"error": "the step failed"})"));
}

}  // namespace
}  // namespace notso::api
