// A conversation that goes on begins with exactly the tokens that were read and sampled before.
#include <algorithm>
#include <gtest/gtest.h>

#include "service/chat/chat_fixtures.h"

namespace notso {
namespace {

TokenId id_of(std::string_view token) { return chat_tokenizer()->find(token).value(); }

// Single bytes: what no tokenizer would make of a text that has merges.
void sample_text(std::string_view text, std::vector<TokenId>& out) {
  for (const char c : text) {
    const auto ids = chat_tokenizer()->encode(std::string_view(&c, 1));
    out.insert(out.end(), ids.begin(), ids.end());
  }
}

// What a model might sample, with its text in the message's fields as a parser would find it.
Message sample_turn(std::mt19937& random, bool thinking, bool call) {
  Message turn;
  turn.role = Role::kAssistant;
  if (thinking) {
    turn.reasoning = "weather: " + odd_text(random);
    turn.tokens.push_back(id_of("<think>"));
    sample_text("\n" + turn.reasoning + "\n", turn.tokens);
    turn.tokens.push_back(id_of("</think>"));
    sample_text("\n", turn.tokens);
  }
  turn.content = "the answer" + odd_text(random);
  sample_text(turn.content, turn.tokens);
  if (call) {
    turn.tool_calls.push_back({"call_1", "get_weather", R"({"city": "Bern"})"});
    turn.tokens.push_back(id_of("<tool_call>"));
    sample_text("\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Bern\"}}\n",
                turn.tokens);
    turn.tokens.push_back(id_of("</tool_call>"));
  }
  turn.tokens.push_back(id_of("<|im_end|>"));
  return turn;
}

// Whether a prompt begins with the one before it and what was sampled then.
bool continues(const Prompt& now, const Prompt& before, std::span<const TokenId> written) {
  std::vector<TokenId> read = before.tokens;
  read.insert(read.end(), written.begin(), written.end());
  return read.size() <= now.tokens.size() &&
         std::equal(read.begin(), read.end(), now.tokens.begin());
}

// Ten turns; every prompt must continue the one before it.
void expect_reuse(const ChatTemplate& chat, unsigned seed, std::optional<bool> thinking) {
  std::mt19937 random(seed);
  const auto builder = builder_of(chat.source);
  PromptOptions options;
  options.thinking = thinking;
  options.tools.push_back(weather_tool());
  std::vector<Message> messages = {system_says("be brief"), user_says("hello")};
  Prompt before = must_render(*builder, messages, options);
  for (int turn = 0; turn < 10; ++turn) {
    const bool call = turn % 3 == 1;
    messages.push_back(sample_turn(random, thinking.value_or(true), call));
    messages.push_back(call ? tool_says(odd_text(random)) : user_says(odd_text(random)));
    const Prompt now = must_render(*builder, messages, options);
    const auto& written = messages[messages.size() - 2].tokens;
    ASSERT_TRUE(continues(now, before, written)) << chat.name << " turn " << turn;
    EXPECT_EQ(chat_tokenizer()->decode(now.tokens), now.text());
    before = now;
  }
}

TEST(TokenExact, ThinkingTurnsAndToolCallsAreReusedWhole) {
  for (const ChatTemplate& chat : chat_templates()) {
    for (unsigned seed = 0; seed < 20 && is_chatml(chat); ++seed) {
      expect_reuse(chat, seed, std::nullopt);
    }
  }
}

TEST(TokenExact, TurnsWithoutThinkingAreReusedWhole) {
  for (const ChatTemplate& chat : chat_templates()) {
    for (unsigned seed = 0; seed < 20 && is_chatml(chat); ++seed) {
      expect_reuse(chat, seed, false);
    }
  }
}

TEST(TokenExact, AnEmptyTurnThatOnlyEndedIsReused) {
  const auto builder = builder_of(chat_templates()[0].source);
  Message turn = assistant_says("");
  turn.tokens = {id_of("<|im_end|>")};
  const Prompt before = must_render(*builder, {user_says("a")});
  const Prompt now = must_render(*builder, {user_says("a"), turn, user_says("b")});
  EXPECT_TRUE(continues(now, before, turn.tokens));
}

TEST(TokenExact, ATurnCutShortIsEndedByTheTemplate) {
  const auto builder = builder_of(chat_templates()[0].source);
  Message turn = assistant_says("", "so");
  turn.tokens = {id_of("<think>")};
  sample_text("\nso", turn.tokens);
  const Prompt before = must_render(*builder, {user_says("a")});
  const Prompt now = must_render(*builder, {user_says("a"), turn, user_says("b")});
  EXPECT_TRUE(continues(now, before, turn.tokens));
  const std::size_t end = before.tokens.size() + turn.tokens.size();
  EXPECT_EQ(now.tokens.at(end), id_of("<|im_end|>"));
}

TEST(TokenExact, ThoughtsAreLeftOutWhenTheTemplateClosesTheThinkingItself) {
  std::mt19937 random(1);
  const auto builder = builder_of(chat_templates()[0].source);
  PromptOptions off;
  off.thinking = false;
  const Message turn = sample_turn(random, true, false);
  const Prompt prompt = must_render(*builder, {user_says("a"), turn, user_says("b")}, off);
  // One empty block for the past turn, one for the answer to come.
  EXPECT_EQ(count_token(prompt, "<think>"), 2);
  EXPECT_EQ(prompt.text().find(turn.reasoning), std::string::npos);
  EXPECT_NE(prompt.text().find(turn.content), std::string::npos);
}

TEST(TokenExact, AThoughtThatThePromptOpenedIsRenderedFromItsText) {
  const auto builder = builder_of(chat_templates()[0].source);
  Message turn = assistant_says("yes", "hm");
  sample_text("hm", turn.tokens);
  turn.tokens.push_back(id_of("</think>"));
  sample_text("yes", turn.tokens);
  const Prompt prompt = must_render(*builder, {user_says("a"), turn, user_says("b")});
  EXPECT_NE(prompt.text().find("<think>\nhm\n</think>\nyes"), std::string::npos);
}

TEST(TokenExact, ATemplateThatHidesATurnFallsBackToItsText) {
  const auto builder = builder_of("{% for m in messages %}{{ m.content | upper }};{% endfor %}");
  Message turn = assistant_says("yes");
  turn.tokens = {id_of("<|im_end|>")};
  const Prompt prompt = must_render(*builder, {user_says("a"), turn});
  EXPECT_EQ(prompt.text(), "A;YES;");
}

TEST(TokenExact, ATemplateThatRepeatsATurnFallsBackToItsText) {
  const auto builder =
      builder_of("{% for m in messages %}{{ m.content ~ m.content }};{% endfor %}");
  Message turn = assistant_says("yes");
  turn.tokens = {id_of("<|im_end|>")};
  EXPECT_EQ(must_render(*builder, {user_says("a"), turn}).text(), "aa;yesyes;");
}

TEST(TokenExact, IdsOutsideTheVocabularyAreRefused) {
  const auto builder = builder_of(chat_templates()[0].source);
  Message turn = assistant_says("yes");
  turn.tokens = {1, -1};
  const std::vector<Message> messages = {user_says("a"), turn};
  const auto prompt = builder->render(messages, {});
  ASSERT_FALSE(prompt);
  EXPECT_NE(prompt.error().message.find("messages[1].tokens holds -1"), std::string::npos);
}

}  // namespace
}  // namespace notso
