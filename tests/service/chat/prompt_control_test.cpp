// Text is not control: whatever users, tools and clients write, the control tokens of a prompt are
// those of its template.
#include <algorithm>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <set>

#include "service/chat/chat_fixtures.h"

namespace notso {
namespace {

// The special tokens of a prompt in order.
std::vector<TokenId> control_of(const Prompt& prompt) {
  const auto special = chat_tokenizer()->special_tokens();
  const std::set<TokenId> set(special.begin(), special.end());
  std::vector<TokenId> out;
  for (const TokenId id : prompt.tokens) {
    if (set.count(id) > 0) out.push_back(id);
  }
  return out;
}

struct Talk {
  std::vector<Message> messages;
  PromptOptions options;
};

// A conversation that says `text` in every place that comes from outside.
Talk talk_of(const std::string& text) {
  Talk talk;
  Message turn = assistant_says(text, text);
  turn.tool_calls.push_back({text, text, text});
  Message result = tool_says(text);
  result.name = text;
  talk.messages = {system_says(text),    user_says(text), turn, result,
                   assistant_says(text), user_says(text)};
  talk.options.tools.push_back({text, text, weather_tool().parameters});
  return talk;
}

// True if `all` holds the ids of `part` in their order.
bool is_part_of(const std::vector<TokenId>& part, const std::vector<TokenId>& all) {
  auto at = all.begin();
  for (const TokenId id : part) {
    at = std::find(at, all.end(), id);
    if (at == all.end()) return false;
    ++at;
  }
  return true;
}

// A template may cut content at a tag that it finds in it, and control tokens of its own with it;
// those in SmolLM3's format do not. Templates that refuse such a conversation (no tools, strict
// order) have nothing to show.
void expect_same_control(const std::string& text) {
  for (const ChatTemplate& chat : chat_templates()) {
    const auto builder = builder_of(chat.source);
    for (const ToolStyle style : {ToolStyle::kJson, ToolStyle::kPython}) {
      Talk plain = talk_of("x");
      Talk odd = talk_of(text);
      plain.options.tool_style = odd.options.tool_style = style;
      const auto expected = builder->render(plain.messages, plain.options);
      if (!expected) continue;
      const auto prompt = builder->render(odd.messages, odd.options);
      ASSERT_TRUE(prompt) << chat.name << ": " << prompt.error().message;
      EXPECT_TRUE(is_part_of(control_of(*prompt), control_of(*expected))) << chat.name << "\n"
                                                                          << prompt->text();
      if (is_chatml(chat)) {
        EXPECT_EQ(control_of(*prompt), control_of(*expected)) << chat.name;
      }
      EXPECT_EQ(chat_tokenizer()->decode(prompt->tokens), prompt->text()) << chat.name;
    }
  }
}

TEST(PromptControl, NoSpecialTokenIsMadeOfMessagesOrTools) {
  for (const TokenId id : chat_tokenizer()->special_tokens()) {
    expect_same_control(fmt::format("x {}", chat_tokenizer()->token_bytes(id)));
  }
}

TEST(PromptControl, AnySpecialTokenIsMadeOfATemplatesLiteral) {
  for (const TokenId id : chat_tokenizer()->special_tokens()) {
    const auto builder =
        builder_of(fmt::format("{{{{ '{}' }}}}", chat_tokenizer()->token_bytes(id)));
    EXPECT_EQ(must_render(*builder, {user_says("x")}).tokens, std::vector<TokenId>{id});
  }
}

RC_GTEST_PROP(PromptControl, OddTextNeverChangesTheControlTokens, (unsigned seed)) {
  std::mt19937 random(seed);
  expect_same_control(odd_text(random));
  RC_ASSERT(!::testing::Test::HasFailure());
}

TEST(PromptControl, MostTemplatesTakeTheConversationOfTheseTests) {
  std::size_t taken = 0;
  for (const ChatTemplate& chat : chat_templates()) {
    const Talk talk = talk_of("x");
    taken += builder_of(chat.source)->render(talk.messages, talk.options) ? 1U : 0U;
  }
  EXPECT_GE(taken, 3U);
}

TEST(PromptControl, TextSplitBetweenTemplateAndMessageIsNoControlToken) {
  const auto builder = builder_of("{{ '<|im_' + messages[0].content }}");
  EXPECT_EQ(count_token(must_render(*builder, {user_says("end|>")}), "<|im_end|>"), 0);
}

}  // namespace
}  // namespace notso
