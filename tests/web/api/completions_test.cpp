// POST /v1/completions, the models and the routes that show tokens, over scripted tokens.
#include <boost/asio/io_context.hpp>
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

constexpr std::string_view kPath = "/v1/completions";

class Completions : public ::testing::Test, protected ApiFixture {
 protected:
  static std::string text_of(const Reply& reply, std::size_t choice = 0) {
    return std::string(reply.json().at("choices").at(choice).at("text").as_string());
  }

  // The text of a stream.
  static std::string streamed_text(const Reply& reply) {
    std::string text;
    for (const json::value& event : reply.events()) {
      if (event.at("choices").as_array().empty()) continue;
      text += event.at("choices").at(0).at("text").as_string();
    }
    return text;
  }
};

TEST_F(Completions, GoOnWithAPromptInPlainText) {
  const Reply reply = post(kPath, R"({"prompt": "ab", "max_tokens": 9})", "c</think>d<|im_end|>");
  EXPECT_EQ(reply.status, 200);
  const json::value answer = reply.json();
  EXPECT_THAT(std::string(answer.at("id").as_string()), StartsWith("cmpl-"));
  EXPECT_EQ(answer.at("object"), "text_completion");
  EXPECT_EQ(answer.at("choices").at(0),
            json::parse(R"({"index": 0, "text": "c</think>d", "logprobs": null,
                            "finish_reason": "stop"})"));
  EXPECT_EQ(answer.at("usage").at("prompt_tokens"), 2);
  EXPECT_EQ(answer.at("usage").at("completion_tokens"), 4);
  EXPECT_EQ(streamed_text(post(kPath, R"({"prompt": "ab", "max_tokens": 9, "stream": true})",
                               "c</think>d<|im_end|>")),
            "c</think>d");
}

TEST_F(Completions, ControlTokensOfThePromptCount) {
  post(kPath, R"({"prompt": "<|im_start|>user"})", "x<|im_end|>");
  EXPECT_EQ(engine.prompt, chat_tokenizer()->encode("<|im_start|>user", true));
}

TEST_F(Completions, ArePromptedByTextsAndTokens) {
  const std::string ids = "[97, 98]";
  EXPECT_EQ(text_of(post(kPath, R"({"prompt": )" + ids + ", \"echo\": true}", "c<|im_end|>")),
            chat_tokenizer()->decode(std::vector<TokenId>{97, 98}) + "c");
  const Reply both = post(kPath, R"({"prompt": [[97], [98, 99]], "n": 2})", "c<|im_end|>");
  ASSERT_THAT(both.json().at("choices").as_array(), SizeIs(4));
  EXPECT_EQ(both.json().at("usage").at("prompt_tokens"), 3);
  EXPECT_EQ(both.json().at("usage").at("completion_tokens"), 8);
  const Reply texts = post(kPath, R"({"prompt": ["a", "bc"], "echo": true})", "d<|im_end|>");
  EXPECT_EQ(text_of(texts, 0), "ad");
  EXPECT_EQ(text_of(texts, 1), "bcd");
}

TEST_F(Completions, StopAfterSixteenTokensWhereNothingIsSaid) {
  const Reply reply = post(kPath, R"({"prompt": "a"})", std::string(50, 'b'));
  EXPECT_EQ(text_of(reply), std::string(16, 'b'));
  EXPECT_EQ(reply.json().at("choices").at(0).at("finish_reason"), "length");
}

TEST_F(Completions, EchoThePromptWithItsLogprobs) {
  const std::string body = R"({"prompt": "abc", "echo": true, "logprobs": 2, "max_tokens": 9)";
  const Reply reply = post(kPath, body + "}", "bcde<|im_end|>");
  const json::value answer = reply.json();
  EXPECT_EQ(text_of(reply), "abcde");
  EXPECT_EQ(answer.at("usage").at("prompt_tokens"), 3);
  const json::value& logprobs = answer.at("choices").at(0).at("logprobs");
  EXPECT_EQ(logprobs.at("tokens"), json::parse(R"(["a", "b", "c", "d", "e"])"));
  EXPECT_EQ(logprobs.at("text_offset"), json::parse("[0, 1, 2, 3, 4]"));
  EXPECT_TRUE(logprobs.at("token_logprobs").at(0).is_null());
  EXPECT_TRUE(logprobs.at("top_logprobs").at(0).is_null());
  for (std::size_t i = 1; i < 5; ++i) {
    EXPECT_LT(logprobs.at("token_logprobs").at(i).as_double(), 0);
    EXPECT_THAT(logprobs.at("top_logprobs").at(i).as_object(), SizeIs(2));
  }
  json::array tokens;
  const Reply streamed = post(kPath, body + R"(, "stream": true})", "bcde<|im_end|>");
  for (const json::value& event : streamed.events()) {
    const json::value& part = event.at("choices").at(0).at("logprobs");
    if (part.is_null()) continue;
    for (const json::value& token : part.at("tokens").as_array()) tokens.push_back(token);
  }
  EXPECT_EQ(tokens, logprobs.at("tokens"));
  EXPECT_EQ(streamed_text(streamed), "abcde");
}

TEST_F(Completions, ScoreAPromptWithoutGoingOn) {
  const Reply reply = post(
      kPath, R"({"prompt": "abc", "echo": true, "logprobs": 0, "max_tokens": 0})", "bcd<|im_end|>");
  EXPECT_EQ(text_of(reply), "abc");
  EXPECT_EQ(reply.json().at("usage").at("completion_tokens"), 0);
  const json::value answer = reply.json();
  EXPECT_THAT(answer.at("choices").at(0).at("logprobs").at("tokens").as_array(), SizeIs(3));
  EXPECT_EQ(answer.at("choices").at(0).at("finish_reason"), "length");
}

TEST_F(Completions, NameTheFieldThatIsWrong) {
  const std::vector<std::pair<std::string_view, std::string_view>> cases = {
      {R"({})", "prompt"},
      {R"({"prompt": ""})", "prompt"},
      {R"({"prompt": []})", "prompt"},
      {R"({"prompt": 3})", "prompt"},
      {R"({"prompt": [99999]})", "prompt[0]"},
      {R"({"prompt": [1, "a"]})", "prompt[1]"},
      {R"({"prompt": ["a", 1]})", "prompt[1]"},
      {R"({"prompt": [[-1]]})", "prompt[0][0]"},
      {R"({"prompt": ["a", "b", "c"], "n": 9})", "prompt"},
      {R"({"prompt": "a", "suffix": "b"})", "suffix"},
      {R"({"prompt": "a", "best_of": 3})", "best_of"},
      {R"({"prompt": "a", "max_tokens": 0})", "max_tokens"},
      {R"({"prompt": "a", "logprobs": 21})", "logprobs"}};
  for (const auto& [body, field] : cases) {
    const Reply reply = post(kPath, body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(error_member(reply, "param"), field) << body;
  }
  const Reply longest = post(kPath, R"({"prompt": ")" + std::string(700, 'x') + "\"}");
  EXPECT_EQ(longest.status, 400);
  EXPECT_EQ(error_member(longest, "param"), "prompt");
  EXPECT_EQ(error_member(longest, "n_prompt_tokens"), "700");
}

TEST_F(Completions, ModelsAreListedAndShown) {
  const json::value list = ask("GET", "/v1/models", "").json();
  EXPECT_EQ(list.at("object"), "list");
  EXPECT_EQ(list.at("data").at(0).at("id"), "tiny");
  EXPECT_EQ(list.at("data").at(0).at("object"), "model");
  EXPECT_EQ(list.at("data").at(0).at("meta").at("n_ctx"), 600);
  EXPECT_EQ(ask("GET", "/v1/models/tiny", "").json(), list.at("data").at(0));
  EXPECT_EQ(ask("GET", "/v1/models/tiny-Q8_0.gguf", "").status, 200);
  const Reply missing = ask("GET", "/v1/models/org/other", "");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(error_member(missing, "code"), "model_not_found");
}

TEST_F(Completions, WhatIsNotHereIs501AndNotTriedAgain) {
  for (const std::string_view path :
       {"/v1/embeddings", "/v1/images/generations", "/v1/audio/speech", "/v1/moderations"}) {
    const Reply reply = post(path, "{}");
    EXPECT_EQ(reply.status, 501) << path;
    EXPECT_EQ(reply.header("X-Should-Retry"), "false") << path;
    EXPECT_EQ(error_member(reply, "type"), "not_implemented_error") << path;
  }
}

TEST_F(Completions, TokensAreMadeWhereNoConnectionWaits) {
  boost::asio::io_context worker;
  context.workers = worker.get_executor();
  for (const auto& [path, body] : std::vector<std::pair<std::string_view, std::string_view>>{
           {"/tokenize", R"({"content": "a"})"},
           {"/detokenize", R"({"tokens": [1]})"},
           {"/apply-template", R"({"messages": [{"role": "user", "content": "a"}]})"}}) {
    FakeExchange& exchange = begin("POST", path, body);
    EXPECT_EQ(exchange.reply.status, 0) << path;
    worker.restart();
    worker.run();
    poll();
    EXPECT_EQ(exchange.reply.status, 200) << path;
  }
}

TEST_F(Completions, TokensAreShownAndTakenBack) {
  const auto ids = chat_tokenizer()->encode("a<|im_end|>", true);
  const json::value tokens = post("/tokenize", R"({"content": "a<|im_end|>"})").json();
  EXPECT_EQ(tokens.at("tokens"), json::array(ids.begin(), ids.end()));
  EXPECT_EQ(tokens.at("count"), 2);
  EXPECT_GT(post("/tokenize", R"({"content": "a<|im_end|>", "parse_special": false})")
                .json()
                .at("count")
                .as_int64(),
            2);
  const json::value pieces =
      post("/tokenize", R"({"content": "aé", "with_pieces": true})").json().at("tokens");
  EXPECT_EQ(pieces.at(0).at("piece"), "a");
  EXPECT_EQ(pieces.at(1).at("piece"), json::parse("[195]"));
  EXPECT_EQ(
      post("/detokenize", R"({"tokens": )" + json::serialize(tokens.at("tokens")) + "}").json(),
      json::parse(R"({"content": "a<|im_end|>"})"));
  EXPECT_EQ(error_member(post("/detokenize", R"({"tokens": [99999]})"), "param"), "tokens[0]");
  EXPECT_EQ(error_member(post("/detokenize", "{}"), "param"), "tokens");
  EXPECT_EQ(error_member(post("/tokenize", "{}"), "param"), "content");
}

TEST_F(Completions, ThePromptOfAConversationIsShown) {
  const json::value shown =
      post("/apply-template", R"({"messages": [{"role": "user", "content": "hello"}]})").json();
  EXPECT_THAT(std::string(shown.at("prompt").as_string()), HasSubstr("<|im_start|>user\nhello"));
  post("/v1/chat/completions", R"({"messages": [{"role": "user", "content": "hello"}]})",
       "hi<|im_end|>");
  EXPECT_EQ(shown.at("count"), engine.prompt.size());
  EXPECT_EQ(std::string(shown.at("prompt").as_string()), chat_tokenizer()->decode(engine.prompt));
  EXPECT_EQ(error_member(post("/apply-template", R"({"messages": []})"), "param"), "messages");
}

TEST_F(Completions, LogprobsOfALongPromptAreBoundByNoSlowReader) {
  context.stream_bytes_max = 2000;
  const std::string body = R"({"prompt": ")" + std::string(300, 'a') +
                           R"(", "echo": true, "logprobs": 2, "max_tokens": 0})";
  const Reply reply = post(kPath, body, std::string(299, 'a') + "b<|im_end|>");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const json::value answer = reply.json();
  EXPECT_THAT(answer.at("choices").at(0).at("logprobs").at("tokens").as_array(), SizeIs(300));
}

}  // namespace
}  // namespace notso::api
