// Whole answers of a tiny model that writes noise: what must hold, holds whatever it samples.
#include "service/chat/answer.h"

#include <algorithm>
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "ml/core/tokenizer/small_vocab.h"
#include "service/chat/answer_fixture.h"

namespace notso {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class AnswererTest : public ::testing::Test {
 protected:
  AnswererTest() { restart(); }

  void restart() {
    AnswererOptions options;
    options.prompt_chunk = 16;
    options.clock = [this] { return now_s_ += step_s_; };
    answerer_ = std::move(*Answerer::make(*tiny_model().model, tiny_model().tokenizer, options));
  }

  static std::vector<TokenId> prompt_of(const std::string& text) {
    return tiny_model().tokenizer->encode(text, true);
  }

  // Runs an answer that must start; its end. The events are in events_.
  Finished run(const std::vector<TokenId>& prompt, const AnswerOptions& options) {
    events_.clear();
    AnswerSinks sinks;
    sinks.events = [this](std::span<const ChatEvent> events) {
      ++calls_;
      events_.insert(events_.end(), events.begin(), events.end());
      if (cancel_after_ > 0 && calls_ >= cancel_after_) cancel_ = true;
    };
    sinks.prompt_progress = [this](std::int32_t done, std::int32_t) {
      progress_.push_back(done);
      if (cancel_at_ > 0 && done >= cancel_at_) cancel_ = true;
    };
    const auto started = answerer_->answer(prompt, options, sinks, &cancel_);
    EXPECT_TRUE(started) << started.error().message;
    EXPECT_TRUE(std::holds_alternative<Finished>(events_.back()));
    return std::get<Finished>(events_.back());
  }

  // Why an answer does not start.
  std::string refusal(const std::vector<TokenId>& prompt, const AnswerOptions& options) {
    const auto started = answerer_->answer(prompt, options, {[](auto) { ADD_FAILURE(); }, {}});
    return started ? "" : started.error().message;
  }

  [[nodiscard]] std::string text_of(const Finished& finished) const {
    return tiny_model().tokenizer->decode(finished.message.tokens);
  }

  const std::string think_prompt_ = "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n";
  const std::string no_think_prompt_ = think_prompt_ + "<think>\n\n</think>\n";
  const Tool tool_{"add", "adds",
                   R"({"type":"object","properties":{"a":{"type":"integer","minimum":0,
                   "maximum":99}},"required":["a"],"additionalProperties":false})"};
  double now_s_ = 0;
  double step_s_ = 0;
  std::unique_ptr<Answerer> answerer_;
  std::vector<ChatEvent> events_;
  std::vector<std::int32_t> progress_;
  std::atomic<bool> cancel_{false};
  int calls_ = 0;
  int cancel_after_ = 0;
  std::int32_t cancel_at_ = 0;
};

SamplingParams hot(std::uint64_t seed) {
  SamplingParams sampling;
  sampling.temperature = 1.5F;
  sampling.top_p = 1;
  sampling.seed = seed;
  return sampling;
}

TEST_F(AnswererTest, TheLimitOfTokensIsKept) {
  const auto end = run(prompt_of(think_prompt_), {.sampling = hot(1), .max_tokens = 20});
  EXPECT_EQ(end.reason, FinishReason::kLength);
  EXPECT_THAT(end.message.tokens, SizeIs(20));
  EXPECT_EQ(end.usage.completion_tokens, 20);
}

TEST_F(AnswererTest, APromptWithoutRoomIsRefusedWithBothNumbers) {
  EXPECT_THAT(refusal(std::vector<TokenId>(600, 5), {}), AllOf(HasSubstr("600"), HasSubstr("512")));
}

TEST_F(AnswererTest, BadOptionsAreRefused) {
  const auto prompt = prompt_of(think_prompt_);
  AnswerOptions options;
  options.sampling.temperature = -1;
  EXPECT_THAT(refusal(prompt, options), HasSubstr("temperature"));
  EXPECT_THAT(refusal(prompt, {.stop = {""}}), HasSubstr("stop"));
  EXPECT_THAT(refusal(prompt, {.max_tokens = -1}), HasSubstr("max_tokens"));
  AnswerOptions calling;
  calling.tool_choice.kind = ToolChoice::Kind::kRequired;
  EXPECT_THAT(refusal(prompt, calling), HasSubstr("no tools"));
  calling.tools = {tool_};
  calling.tool_choice = {ToolChoice::Kind::kNamed, "sub"};
  EXPECT_THAT(refusal(prompt, calling), HasSubstr("'sub'"));
  EXPECT_THAT(refusal({}, {}), HasSubstr("empty"));
}

TEST_F(AnswererTest, AReusedPrefixGivesTheTokensOfAFreshRun) {
  const auto first = run(prompt_of(think_prompt_), {.sampling = hot(2), .max_tokens = 30});
  std::vector<TokenId> next = prompt_of(think_prompt_);
  next.insert(next.end(), first.message.tokens.begin(), first.message.tokens.end());
  const auto more = prompt_of("<|im_end|>\n" + no_think_prompt_);
  next.insert(next.end(), more.begin(), more.end());
  const auto again = run(next, {.sampling = hot(3), .max_tokens = 30});
  EXPECT_GE(again.usage.cached_tokens, 29);
  restart();
  const auto fresh = run(next, {.sampling = hot(3), .max_tokens = 30});
  EXPECT_EQ(fresh.usage.cached_tokens, 0);
  EXPECT_EQ(again.message.tokens, fresh.message.tokens);
}

TEST_F(AnswererTest, CancellingKeepsWhatIsRead) {
  const std::vector<TokenId> prompt(100, 70);
  cancel_at_ = 32;
  const auto end = run(prompt, {.sampling = hot(1), .max_tokens = 5});
  EXPECT_EQ(end.reason, FinishReason::kCancelled);
  EXPECT_EQ(end.usage.completion_tokens, 0);
  EXPECT_THAT(answerer_->resident(), SizeIs(32));
  cancel_ = false;
  cancel_at_ = 0;
  const auto after = run(prompt, {.sampling = hot(1), .max_tokens = 5});
  EXPECT_EQ(after.usage.cached_tokens, 32);
  EXPECT_EQ(progress_.back(), 100);
}

TEST_F(AnswererTest, CancellingAnAnswerKeepsItsTokens) {
  cancel_after_ = 7;
  const auto end = run(prompt_of(think_prompt_), {.sampling = hot(1), .max_tokens = 50});
  EXPECT_EQ(end.reason, FinishReason::kCancelled);
  EXPECT_THAT(end.message.tokens, SizeIs(7));
}

TEST_F(AnswererTest, TimeLimitsEndItGracefully) {
  step_s_ = 31;
  const auto slow = run(prompt_of(think_prompt_), {.sampling = hot(1), .max_tokens = 50});
  EXPECT_EQ(slow.reason, FinishReason::kTimeout);
  step_s_ = 10;
  const auto longer = run(prompt_of(think_prompt_), {.sampling = hot(1), .max_tokens = 50});
  EXPECT_EQ(longer.reason, FinishReason::kTimeout);
  EXPECT_GT(longer.message.tokens.size(), 10U);
}

TEST_F(AnswererTest, TheThinkingBudgetClosesTheThought) {
  auto prompt = prompt_of(think_prompt_ + "<think>\n");
  for (const std::int32_t budget : {0, 1, 9}) {
    const auto end = run(prompt, {.sampling = hot(5), .max_tokens = 40, .thinking_budget = budget});
    const auto text = text_of(end);
    EXPECT_NE(text.find("\n</think>\n"), std::string::npos) << text;
    EXPECT_LE(end.usage.thinking_tokens, budget + 2 + 3) << "the end, and the rest of a character";
    EXPECT_FALSE(end.message.content.empty());
  }
}

// The tokens of a thought, one for each byte, until its end is forced.
std::size_t thought_under_budget(std::int32_t budget, std::string_view bytes) {
  const auto tokenizer = mark_tokenizer();
  AnswerVocabulary vocabulary(tokenizer, static_cast<std::size_t>(tokenizer->vocab_size()));
  const std::vector<TokenId> prompt = {1, *tokenizer->find("<think>")};
  auto state = *AnswerState::make(vocabulary, {.thinking_budget = budget}, prompt, 100);
  std::vector<ChatEvent> events;
  std::size_t count = 0;
  while (!state->is_forced() && count < bytes.size()) {
    state->accept(*tokenizer->find(in_byte_alphabet(bytes.substr(count, 1))), events);
    ++count;
  }
  return count;
}

TEST(AnswerState, AThoughtOverItsBudgetMayFinishACharacter) {
  EXPECT_EQ(thought_under_budget(2, "\u00e4\u00f6\u00fc"), 2U);
  EXPECT_EQ(thought_under_budget(3, "\u00e4\u00f6\u00fc"), 4U);
  EXPECT_EQ(thought_under_budget(1, "\U0001F600 abcdef"), 4U);
  EXPECT_EQ(thought_under_budget(1, "\xF0\xF0\xF0\xF0\xF0\xF0\xF0\xF0"), 4U) << "not for ever";
}

TEST_F(AnswererTest, AResponseFormatIsMatchedAfterAnyThought) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    for (const auto& prompt : {think_prompt_, no_think_prompt_, think_prompt_ + "<think>\n"}) {
      AnswerOptions options{.sampling = hot(seed), .thinking_budget = 4};
      options.response_format = GrammarSource{
          GrammarSource::Kind::kJsonSchema,
          R"({"type":"object","properties":{"ok":{"type":"boolean"},"n":{"type":"array",
          "items":{"enum":[1,2]},"maxItems":2}},"required":["ok","n"],
          "additionalProperties":false})"};
      const auto end = run(prompt_of(prompt), options);
      EXPECT_EQ(end.reason, FinishReason::kStop);
      boost::system::error_code error;
      const auto value = boost::json::parse(end.message.content, error);
      ASSERT_FALSE(error) << end.message.content;
      EXPECT_TRUE(value.at("ok").is_bool());
      EXPECT_LE(value.at("n").as_array().size(), 2U);
    }
  }
}

TEST_F(AnswererTest, ARequiredCallIsMadeAndValid) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    for (const auto& prompt : {think_prompt_, no_think_prompt_}) {
      AnswerOptions options{.sampling = hot(seed), .thinking_budget = 4, .tools = {tool_}};
      options.tool_choice.kind = ToolChoice::Kind::kRequired;
      options.parallel_tool_calls = seed % 2 == 0;
      const auto end = run(prompt_of(prompt), options);
      EXPECT_EQ(end.reason, FinishReason::kToolCalls) << text_of(end);
      ASSERT_FALSE(end.message.tool_calls.empty());
      EXPECT_TRUE(options.parallel_tool_calls || end.message.tool_calls.size() == 1);
      for (const ToolCall& call : end.message.tool_calls) {
        EXPECT_EQ(call.name, "add");
        const auto a = boost::json::parse(call.arguments).at("a").as_int64();
        EXPECT_TRUE(a >= 0 && a <= 99);
      }
      EXPECT_NE(text_of(end).find("<tool_call>\n{"), std::string::npos);
      EXPECT_NE(text_of(end).find("}\n</tool_call>"), std::string::npos);
    }
  }
}

TEST_F(AnswererTest, ASchemaThatCannotBeFollowedLoosensOnlyItsOwnTool) {
  const Tool loose{"loose", "", R"({"type":"object","minProperties":1})"};
  std::set<std::string> called;
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    AnswerOptions options{.sampling = hot(seed), .max_tokens = 200, .tools = {loose, tool_}};
    options.tool_choice.kind = ToolChoice::Kind::kRequired;
    options.parallel_tool_calls = false;
    const auto end = run(prompt_of(no_think_prompt_), options);
    const auto warning = std::find_if(events_.begin(), events_.end(), [](const ChatEvent& event) {
      return std::holds_alternative<Warning>(event);
    });
    ASSERT_NE(warning, events_.end());
    EXPECT_THAT(std::get<Warning>(*warning).text, HasSubstr("calls of 'loose' are"));
    if (end.reason != FinishReason::kToolCalls) continue;
    const ToolCall& call = end.message.tool_calls.at(0);
    called.insert(call.name);
    if (call.name != "add") continue;
    const auto a = boost::json::parse(call.arguments).at("a").as_int64();
    EXPECT_TRUE(a >= 0 && a <= 99);
  }
  EXPECT_TRUE(called.contains("add"));
}

TEST_F(AnswererTest, ANamedToolIsCalledOnce) {
  const Tool other{"sub", "", ""};
  AnswerOptions options{.sampling = hot(3), .tools = {other, tool_}};
  options.tool_choice = {ToolChoice::Kind::kNamed, "add"};
  const auto end = run(prompt_of(no_think_prompt_), options);
  ASSERT_THAT(end.message.tool_calls, SizeIs(1));
  EXPECT_EQ(end.message.tool_calls[0].name, "add");
}

TEST_F(AnswererTest, ACallThatTheModelBeginsByItselfIsValid) {
  const auto mark = *tiny_model().tokenizer->find("<tool_call>");
  AnswerOptions options{.sampling = hot(8), .max_tokens = 120, .tools = {tool_}};
  options.sampling.logit_bias = {{mark, 100}};
  const auto end = run(prompt_of(no_think_prompt_), options);
  ASSERT_FALSE(end.message.tool_calls.empty());
  EXPECT_EQ(end.message.tool_calls[0].name, "add");
}

TEST_F(AnswererTest, WithoutAChoiceNoCallIsMade) {
  const auto mark = *tiny_model().tokenizer->find("<tool_call>");
  AnswerOptions options{.sampling = hot(8), .max_tokens = 20, .tools = {tool_}};
  options.sampling.logit_bias = {{mark, 100}};
  options.tool_choice.kind = ToolChoice::Kind::kNone;
  const auto end = run(prompt_of(no_think_prompt_), options);
  EXPECT_EQ(text_of(end).find("<tool_call>"), std::string::npos);
}

TEST_F(AnswererTest, ASchemaBeyondGrammarsStillGivesAnObject) {
  Tool odd = tool_;
  odd.parameters = R"({"type":"object","not":{"type":"string"}})";
  AnswerOptions options{.sampling = hot(3), .tools = {odd}};
  options.tool_choice = {ToolChoice::Kind::kNamed, "add"};
  options.max_tokens = 400;
  run(prompt_of(no_think_prompt_), options);
  EXPECT_TRUE(std::holds_alternative<Warning>(events_.front()));
}

TEST_F(AnswererTest, TheEndTokenIsKeptAndNotShown) {
  const auto ends = tiny_model().tokenizer->end_tokens();
  AnswerOptions options{.sampling = hot(3), .max_tokens = 20};
  options.sampling.logit_bias = {{ends.front(), 100}};
  const auto end = run(prompt_of(no_think_prompt_), options);
  EXPECT_EQ(end.reason, FinishReason::kStop);
  EXPECT_EQ(end.message.tokens, std::vector<TokenId>{ends.front()});
  EXPECT_EQ(end.message.content, "");
}

// Tokenizers join the end of an object with the newline after it, and models write what tokenizers
// make: a grammar must not force the call into other tokens.
TEST(AnswerState, ACallInTheVocabularysOwnTokensIsLeftAsItIs) {
  const auto tokenizer =
      tokenizer_of({.merges = prefix_merges({"}}\n", "{\"", "\": "}),
                    .user_defined = {"<think>", "</think>", "<tool_call>", "</tool_call>"}});
  AnswerVocabulary vocabulary(tokenizer, static_cast<std::size_t>(tokenizer->vocab_size()));
  const std::vector<TokenId> prompt = {1, 2};
  const auto written = tokenizer->encode(
      "<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 5}}\n</tool_call>", true);
  ASSERT_THAT(written, Contains(tokenizer->find(in_byte_alphabet("}}\n"))));
  AnswerOptions options;
  options.tools = {{"add", "", R"({"type":"object","properties":{"a":{"type":"integer"}}})"}};
  options.sampling.temperature = 0;
  auto state = AnswerState::make(vocabulary, options, prompt, 100);
  ASSERT_TRUE(state);
  Sampler sampler(vocabulary.size());
  std::vector<ChatEvent> events;
  for (const TokenId wanted : written) {
    std::vector<float> logits(vocabulary.size(), 0.0F);
    logits[static_cast<std::size_t>(wanted)] = 50.0F;
    const auto token = (*state)->next(logits, sampler);
    ASSERT_TRUE(token);
    ASSERT_EQ(tokenizer->token_bytes(*token), tokenizer->token_bytes(wanted));
    (*state)->accept(*token, events);
  }
  const Finished end = (*state)->finish(FinishReason::kStop, events);
  ASSERT_THAT(end.message.tool_calls, SizeIs(1));
  EXPECT_EQ(end.message.tool_calls[0].arguments, R"({"a": 5})");
}

TEST(AnswerState, LogitsThatAreNotFiniteAreAnError) {
  AnswerVocabulary vocabulary(tiny_model().tokenizer,
                              static_cast<std::size_t>(tiny_model().model->config().vocab));
  const std::vector<TokenId> prompt = {1, 2};
  auto state = AnswerState::make(vocabulary, {}, prompt, 100);
  ASSERT_TRUE(state);
  Sampler sampler(vocabulary.size());
  std::vector<float> logits(vocabulary.size(), 0.0F);
  EXPECT_TRUE((*state)->next(logits, sampler));
  logits[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE((*state)->next(logits, sampler));
  std::vector<ChatEvent> events;
  EXPECT_EQ((*state)->finish(FinishReason::kError, events).reason, FinishReason::kError);
}

}  // namespace
}  // namespace notso
