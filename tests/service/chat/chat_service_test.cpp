// The chat service over an engine whose tokens are a script.
#include "service/chat/chat_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdexcept>

#include "base/log.h"
#include "service/chat/answer_fixture.h"
#include "service/chat/chat_fixtures.h"
#include "service/chat/default_templates.h"
#include "service/chat/script_engine.h"

namespace notso {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ChatServiceTest : public ::testing::Test {
 protected:
  ChatServiceTest() {
    ChatModelInfo info;
    info.name = "test";
    info.context = 600;
    service_ = std::make_unique<ChatService>(engine_, chat_tokenizer(),
                                             builder_of(default_chat_template()), info, size_);
  }

  // A short conversation, greedily answered.
  static ChatRequest hello(bool thinking = false) {
    ChatRequest request;
    request.messages = {user_says("hello")};
    request.prompt_options.thinking = thinking;
    request.answer.sampling.temperature = 0;
    return request;
  }

  ChatSinks sinks() {
    ChatSinks out;
    out.events = [this](std::span<const ChatEvent> events) {
      events_.insert(events_.end(), events.begin(), events.end());
      order_ += 'e';
    };
    out.logprobs = [this](const TokenLogprobs& logprobs) {
      logprobs_.push_back(logprobs);
      order_ += 'l';
    };
    out.report = [this](const RequestReport& report) {
      report_ = report;
      order_ += 'r';
    };
    return out;
  }

  void start(ChatRequest request) {
    const auto started = service_->start(std::move(request), sinks());
    ASSERT_TRUE(started) << started.error().message;
  }

  std::string refusal(ChatRequest request) {
    const auto started = service_->start(std::move(request), sinks());
    EXPECT_TRUE(engine_.waiting.empty() && events_.empty());
    return started ? "" : started.error().message;
  }

  // Tokens of a text in which special tokens count.
  static std::vector<TokenId> tokens(const std::string& text) {
    return chat_tokenizer()->encode(text, true);
  }

  [[nodiscard]] const Finished& finished() const { return std::get<Finished>(events_.back()); }

  const std::size_t size_ = static_cast<std::size_t>(chat_tokenizer()->vocab_size());
  ScriptEngine engine_{size_};
  std::unique_ptr<ChatService> service_;
  std::vector<ChatEvent> events_;
  std::vector<TokenLogprobs> logprobs_;
  RequestReport report_;
  std::string order_;
};

TEST_F(ChatServiceTest, TellsThoughtsAndContentAndTheEndWithItsCounts) {
  start(hello(true));
  engine_.run(tokens("<think>\nhm\n</think>\nhi<|im_end|>"));
  EXPECT_EQ(summary(events_), "think(hm) text(hi) end");
  EXPECT_EQ(finished().reason, FinishReason::kStop);
  EXPECT_EQ(finished().message.tokens, tokens("<think>\nhm\n</think>\nhi<|im_end|>"));
  const Usage& usage = finished().usage;
  EXPECT_EQ(usage.prompt_tokens, static_cast<std::int32_t>(engine_.prompt.size()));
  EXPECT_EQ(usage.cached_tokens, 2);
  EXPECT_EQ(usage.completion_tokens, static_cast<std::int32_t>(finished().message.tokens.size()));
  EXPECT_GT(usage.thinking_tokens, 0);
  EXPECT_EQ(usage.prompt_s, 0.5);
  EXPECT_EQ(usage.first_token_s, 0.75);
  EXPECT_EQ(usage.completion_s, 2);
  EXPECT_EQ(order_.substr(order_.size() - 2), "er");
  EXPECT_EQ(report_.end, RequestEnd::kDone);
}

TEST_F(ChatServiceTest, SaysWhyTheEngineEndedAnAnswer) {
  const std::vector<std::pair<RequestEnd, FinishReason>> cases = {
      {RequestEnd::kLength, FinishReason::kLength},
      {RequestEnd::kCancelled, FinishReason::kCancelled},
      {RequestEnd::kTimeout, FinishReason::kTimeout},
      {RequestEnd::kError, FinishReason::kError}};
  for (const auto& [end, reason] : cases) {
    events_.clear();
    start(hello());
    engine_.run(tokens("half an"), end);
    EXPECT_EQ(summary(events_), "text(half an) end");
    EXPECT_EQ(finished().reason, reason);
    EXPECT_EQ(finished().error, reason == FinishReason::kError ? "the step failed" : "");
  }
}

TEST_F(ChatServiceTest, AnAnswerThatWasOverIsNotCancelledAnyMore) {
  start(hello());
  engine_.run(tokens("done<|im_end|>"), RequestEnd::kCancelled);
  EXPECT_EQ(finished().reason, FinishReason::kStop);
}

TEST_F(ChatServiceTest, PassesTheRequestOnToTheEngine) {
  ChatRequest request = hello();
  request.session = "s";
  request.cache_scope = "key";
  request.priority = Priority::kBackground;
  request.drafts = false;
  request.token_s_max = 3;
  request.answer_s_max = 4;
  start(request);
  const EngineRequest& submitted = engine_.waiting.front().second;
  EXPECT_EQ(submitted.session, "s");
  EXPECT_EQ(submitted.cache_scope, "key");
  EXPECT_EQ(submitted.priority, Priority::kBackground);
  EXPECT_FALSE(submitted.drafts);
  EXPECT_EQ(submitted.token_s_max, 3);
  EXPECT_EQ(submitted.answer_s_max, 4);
  EXPECT_EQ(submitted.prompt, service_->render(request.messages, request.prompt_options)->tokens);
}

TEST_F(ChatServiceTest, RefusesBeforeAnyEvent) {
  ChatRequest hot = hello();
  hot.answer.sampling.temperature = 5;
  EXPECT_THAT(refusal(hot), HasSubstr("temperature"));
  ChatRequest many = hello();
  many.top_logprobs = 21;
  EXPECT_THAT(refusal(many), HasSubstr("top_logprobs"));
  ChatRequest strange;
  strange.prompt = {static_cast<TokenId>(size_)};
  EXPECT_THAT(refusal(strange), HasSubstr("vocabulary"));
  strange.prompt = {-1};
  EXPECT_THAT(refusal(strange), HasSubstr("vocabulary"));
  EXPECT_THAT(refusal({}), HasSubstr("empty"));
}

TEST_F(ChatServiceTest, NamesBothNumbersOfAPromptThatIsTooLong) {
  ChatRequest request = hello();
  request.messages = {user_says(std::string(1000, 'x'))};
  const auto size = service_->render(request.messages, request.prompt_options)->tokens.size();
  const std::string error = refusal(request);
  EXPECT_THAT(error, HasSubstr(std::to_string(size)));
  EXPECT_THAT(error, HasSubstr("600"));
}

TEST_F(ChatServiceTest, PassesTheEnginesRefusalOn) {
  engine_.refuse = Error{ErrorCode::kUnavailable, "the queue is full"};
  EXPECT_EQ(refusal(hello()), "the queue is full");
}

TEST_F(ChatServiceTest, AHandleCancelsItsRequest) {
  const auto first = service_->start(hello(), sinks());
  const auto second = service_->start(hello(), sinks());
  ASSERT_TRUE(first && second);
  second->cancel();
  ChatHandle().cancel();
  EXPECT_THAT(engine_.cancelled, ElementsAre(2));
}

TEST_F(ChatServiceTest, GivesTheLogprobsOfEveryTokenBeforeItsEvents) {
  ChatRequest request = hello();
  request.top_logprobs = 3;
  start(request);
  const auto script = tokens("ab<|im_end|>");
  engine_.run(script);
  ASSERT_THAT(logprobs_, SizeIs(script.size()));
  EXPECT_EQ(order_,
            "lelele"
            "er");
  for (std::size_t i = 0; i < script.size(); ++i) {
    EXPECT_EQ(logprobs_[i].token.token, script[i]);
    EXPECT_LT(logprobs_[i].token.logprob, 0);
    ASSERT_THAT(logprobs_[i].top, SizeIs(3));
    EXPECT_EQ(logprobs_[i].top[0].token, script[i]);
    EXPECT_EQ(logprobs_[i].top[0].logprob, logprobs_[i].token.logprob);
    EXPECT_LT(logprobs_[i].top[1].logprob, logprobs_[i].top[0].logprob);
  }
}

TEST_F(ChatServiceTest, TellsWhichTokensAreContent) {
  ChatRequest request = hello(true);
  request.prompt_options.tools = {weather_tool()};
  request.top_logprobs = 0;
  start(request);
  engine_.run(
      tokens("<think>\nhm\n</think>\nab</think>\n\xC3\xA9\n<tool_call>\n{\"name\": "
             "\"get_weather\", \"arguments\": {}}\n</tool_call>\n<|im_end|>"));
  std::vector<TokenId> content;
  for (const TokenLogprobs& token : logprobs_) {
    if (token.part == TokenPart::kContent) content.push_back(token.token.token);
  }
  EXPECT_EQ(chat_tokenizer()->decode(content), "ab\xC3\xA9\n");
  EXPECT_EQ(finished().reason, FinishReason::kToolCalls);
}

TEST_F(ChatServiceTest, CertainTokensNeedLogitsOnlyWhereLogprobsAreWanted) {
  ChatRequest request = hello();
  request.prompt_options.tools = {weather_tool()};
  request.answer.tool_choice.kind = ToolChoice::Kind::kRequired;
  start(request);
  const auto script = tokens("<tool_call>\n{\"name\": \"x<|im_end|>");
  engine_.run(script, RequestEnd::kCancelled);
  EXPECT_GT(engine_.forced_tokens, 0);
  engine_.forced_tokens = 0;
  request.top_logprobs = 0;
  start(request);
  engine_.run(script, RequestEnd::kCancelled);
  EXPECT_EQ(engine_.forced_tokens, 0);
  EXPECT_FALSE(logprobs_.empty());
  EXPECT_THAT(logprobs_.front().top, IsEmpty());
}

TEST_F(ChatServiceTest, ARawPromptIsAnsweredWithPlainText) {
  ChatRequest request;
  request.prompt = tokens("a <think>");
  request.answer.sampling.temperature = 0;
  start(request);
  const std::string written = "\n<think>\nhm</think>\n<tool_call>{}\n";
  engine_.run(tokens(written + "<|im_end|>"));
  EXPECT_EQ(summary(events_), "text(" + written + ") end");
  EXPECT_EQ(finished().reason, FinishReason::kStop);
  EXPECT_EQ(finished().usage.thinking_tokens, 0);
}

TEST_F(ChatServiceTest, TheLogHasWhatIsAskedAndAnsweredOnlyWhereThatIsAllowed) {
  for (const bool allowed : {false, true}) {
    std::string log;
    start_log({.level = LogLevel::kDebug, .prompts = allowed, .write = [&](std::string_view line) {
                 log += line;
               }});
    ChatRequest request = hello();
    request.messages = {user_says("secret\nquestion")};
    start(request);
    engine_.run(tokens("hidden answer<|im_end|>"));
    ChatRequest raw;
    raw.prompt = tokens("raw words");
    start(raw);
    engine_.run(tokens("more words<|im_end|>"));
    stop_log();
    if (!allowed) {
      EXPECT_EQ(log, "");
      continue;
    }
    EXPECT_THAT(log, HasSubstr("INFO  answer asked=\"secret\\u000aquestion\" "
                               "answered=\"hidden answer\"\n"));
    EXPECT_THAT(log, HasSubstr("asked=\"raw words\" answered=\"more words\"\n"));
  }
  start_log({});
  stop_log();
}

TEST_F(ChatServiceTest, ScoresTheTokensOfARawPrompt) {
  ChatRequest request;
  request.prompt = tokens("abc");
  request.answer.sampling.temperature = 0;
  request.prompt_logprobs = true;
  EXPECT_THAT(refusal(request), HasSubstr("prompt_logprobs"));
  request.top_logprobs = 1;
  start(request);
  EXPECT_EQ(engine_.waiting.front().second.prompt, tokens("a"));
  engine_.run(tokens("bcde<|im_end|>"));
  ASSERT_THAT(logprobs_, SizeIs(5));
  EXPECT_EQ(logprobs_[0].token.token, tokens("b").front());
  EXPECT_EQ(logprobs_[0].part, TokenPart::kPrompt);
  EXPECT_EQ(logprobs_[1].part, TokenPart::kPrompt);
  EXPECT_EQ(logprobs_[2].part, TokenPart::kContent);
  EXPECT_EQ(logprobs_[4].part, TokenPart::kOther);
  EXPECT_EQ(summary(events_), "text(de) end");
  EXPECT_EQ(finished().usage.prompt_tokens, 3);
  EXPECT_EQ(finished().usage.completion_tokens, 3);
}

TEST_F(ChatServiceTest, ASinkThatThrowsEndsItsAnswerOnly) {
  ChatSinks bad = sinks();
  bad.events = [](auto) { throw std::runtime_error("no"); };
  ASSERT_TRUE(service_->start(hello(), bad));
  engine_.run(tokens("some text<|im_end|>"));
  EXPECT_EQ(report_.end, RequestEnd::kDone);
  start(hello());
  engine_.run(tokens("hi<|im_end|>"));
  EXPECT_EQ(summary(events_), "text(hi) end");
}

TEST_F(ChatServiceTest, AnAnswerGoesOnWhereItStopped) {
  ChatRequest request = hello(true);
  request.prompt_options.tools = {weather_tool()};
  const auto whole = tokens(
      "<think>\nhm\n</think>\nso <tool_call>\n{\"name\": \"get_weather\", \"arguments\": "
      "{\"city\": "
      "\"Ulm\"}}\n</tool_call><|im_end|>");
  start(request);
  engine_.run(whole);
  const std::string told = summary(events_);
  const auto prompt = engine_.prompt;
  const Finished once = finished();
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    events_.clear();
    request.so_far.assign(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut));
    start(request);
    engine_.run({whole.begin() + static_cast<std::ptrdiff_t>(cut), whole.end()});
    EXPECT_EQ(engine_.prompt.size(), prompt.size() + cut);
    EXPECT_EQ(finished().message.tokens, whole);
    EXPECT_EQ(finished().message.content, once.message.content);
    EXPECT_EQ(finished().message.reasoning, once.message.reasoning);
    EXPECT_THAT(finished().message.tool_calls, SizeIs(1));
    EXPECT_EQ(finished().reason, FinishReason::kToolCalls);
    EXPECT_EQ(finished().usage.prompt_tokens, once.usage.prompt_tokens);
    EXPECT_EQ(finished().usage.completion_tokens, once.usage.completion_tokens);
    if (cut == 0) {
      EXPECT_EQ(summary(events_), told);
    }
  }
}

TEST_F(ChatServiceTest, AnAnswerThatIsOverAlreadyEndsAsItDid) {
  ChatRequest request = hello();
  request.so_far = tokens("done<|im_end|>");
  start(request);
  EXPECT_EQ(finished().reason, FinishReason::kStop);
  EXPECT_EQ(finished().message.content, "done");
  EXPECT_EQ(finished().message.tokens, request.so_far);
  request.so_far.pop_back();
  request.answer.max_tokens = static_cast<std::int32_t>(request.so_far.size());
  start(request);
  EXPECT_EQ(finished().reason, FinishReason::kLength);
  EXPECT_EQ(finished().message.content, "done");
  EXPECT_GT(finished().usage.prompt_tokens, 0);
  EXPECT_TRUE(engine_.waiting.empty());
}

TEST_F(ChatServiceTest, AnAnswerThatFillsTheContextEndsThere) {
  ChatRequest request = hello();
  const auto prompt = service_->render(request.messages, request.prompt_options)->tokens.size();
  const auto room = static_cast<std::size_t>(service_->info().context) - prompt;
  request.so_far.assign(room, tokens("a").front());
  start(request);
  EXPECT_EQ(finished().reason, FinishReason::kLength);
  EXPECT_EQ(finished().message.tokens.size(), room);
}

TEST_F(ChatServiceTest, DoesNotGoOnBehindTheEnd) {
  ChatRequest request = hello();
  request.so_far = tokens("done<|im_end|>more");
  EXPECT_THAT(refusal(request), HasSubstr("over after"));
  request.so_far = {static_cast<TokenId>(size_)};
  EXPECT_THAT(refusal(request), HasSubstr("vocabulary"));
}

TEST_F(ChatServiceTest, RunningAnswersMayOutliveTheService) {
  start(hello());
  service_.reset();
  engine_.run(tokens("hi<|im_end|>"));
  EXPECT_EQ(summary(events_), "text(hi) end");
}

TEST_F(ChatServiceTest, WarmOnlyReadsThePrompt) {
  ChatRequest request = hello();
  request.cache_scope = "key";
  ASSERT_TRUE(service_->warm(request));
  const EngineRequest& submitted = engine_.waiting.front().second;
  EXPECT_EQ(submitted.policy, nullptr);
  EXPECT_EQ(submitted.priority, Priority::kBackground);
  EXPECT_EQ(submitted.cache_scope, "key");
  EXPECT_EQ(submitted.prompt, service_->render(request.messages, request.prompt_options)->tokens);
}

}  // namespace
}  // namespace notso
