#include <gmock/gmock.h>

#include "turns_fixture.h"

namespace notso {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kCall =
    "<tool_call>\n{\"name\": \"calculator\", \"arguments\": {\"expression\": \"6*7\"}}\n"
    "</tool_call><|im_end|>";

class Tools : public TurnsTest {
 protected:
  Tools() {
    settings_.tools = true;
    settings_.max_tokens = 400;
    restart();
  }
};

TEST_F(Tools, RunAndTheAnswerGoesOnWithTheirResults) {
  answer_with(kCall);
  answer_with("It is 42.<|im_end|>");
  Page page(*turns, id);
  ASSERT_TRUE(send("6 times 7?"));
  EXPECT_EQ(page.wait_for_end().phase, TurnPhase::kDone);
  EXPECT_EQ(page.wait<ToolResult>().result, "42");
  EXPECT_EQ(page.wait<TurnStatus>([](const auto& s) { return s.phase == TurnPhase::kTool; }).tool,
            "calculator");
  const auto path = store.path("anna", id);
  ASSERT_EQ(path->size(), 4U);
  ASSERT_EQ((*path)[1].message.tool_calls.size(), 1U);
  EXPECT_EQ((*path)[1].state, MessageState::kDone);
  EXPECT_EQ((*path)[2].message.role, Role::kTool);
  EXPECT_EQ((*path)[2].message.content, "42");
  EXPECT_EQ((*path)[2].message.tool_call_id, (*path)[1].message.tool_calls[0].id);
  EXPECT_EQ((*path)[3].message.content, "It is 42.");
  EXPECT_TRUE(store.running()->empty());
  EXPECT_THAT(chat_tokenizer()->decode(engine->prompts().back()), HasSubstr("42"));
}

TEST_F(Tools, AreCalledOnlySoOften) {
  turn_options_.rounds_max = 2;
  restart();
  for (int i = 0; i < 2; ++i) answer_with(kCall);
  answer_with("enough<|im_end|>");
  Page page(*turns, id);
  ASSERT_TRUE(send("6 times 7?"));
  page.wait_for_end();
  EXPECT_EQ(last().message.content, "enough");
  EXPECT_EQ(store.messages("anna", id)->size(), 6U);
}

TEST_F(Tools, RunOnceThoughACrashComesBetween) {
  // As a crash leaves it: the call is on disk, its result too, the next message is not.
  const auto question = store.append("anna", id, user_message("6 times 7?"));
  StoredMessage call;
  call.parent_id = question->id;
  call.message.role = Role::kAssistant;
  call.message.tool_calls = {{"call_1", "calculator", R"({"expression": "6*7"})"}};
  call.message.tokens = tokens(kCall);
  call.state = MessageState::kRunning;
  call.finish = FinishReason::kToolCalls;
  call.model = "test";
  const auto stored = store.append("anna", id, call);
  StoredMessage result;
  result.parent_id = stored->id;
  result.message = {Role::kTool, "42", "", {}, "call_1", "calculator", {}};
  result.client_key = "tool/" + std::to_string(stored->id) + "/0";
  ASSERT_TRUE(store.append("anna", id, result));
  answer_with("It is 42.<|im_end|>");
  turns->recover();
  Page page(*turns, id);
  page.wait_for_end();
  EXPECT_THAT(texts(), ElementsAre("6 times 7?", "", "42", "It is 42."));
  EXPECT_TRUE(store.running()->empty());
}

class Titles : public TurnsTest {
 protected:
  Titles() {
    turn_options_.titles = true;
    turn_options_.followups = true;
    restart();
  }
};

TEST_F(Titles, AndSuggestionsComeAfterTheFirstAnswer) {
  answer_with("500<|im_end|>");
  Page page(*turns, id);
  ASSERT_TRUE(send("How much flour?"));
  EXPECT_EQ(page.wait<TurnTitle>().title, "Bread for beginners");
  EXPECT_THAT(page.wait<TurnFollowups>().texts, ElementsAre("Why?", "How?", "When?"));
  EXPECT_EQ(store.get("anna", id)->title, "Bread for beginners");
  EXPECT_FALSE(store.get("anna", id)->title_by_user);
  EXPECT_THAT(last().followups, ElementsAre("Why?", "How?", "When?"));
}

TEST_F(Titles, OfPeopleStay) {
  ASSERT_TRUE(store.rename("anna", id, "My bread"));
  answer_with("500<|im_end|>");
  Page page(*turns, id);
  ASSERT_TRUE(send("How much flour?"));
  page.wait<TurnFollowups>();
  EXPECT_EQ(store.get("anna", id)->title, "My bread");
}

TEST_F(Titles, GiveWayToTheNextMessage) {
  answer_with("500<|im_end|>");
  engine->let_through(static_cast<std::int64_t>(tokens("500<|im_end|>").size()) + 2);
  Page page(*turns, id);
  ASSERT_TRUE(send("How much flour?"));
  page.wait_for_end();
  engine->wait_until_held();  // in the middle of the title
  ASSERT_TRUE(send("And water?"));
  engine->let_through();
  page.wait<TurnSaved>([](const auto& saved) { return saved.message.parent_id > 2; });
  page.wait<TurnFollowups>();
  EXPECT_EQ(store.get("anna", id)->title, "Bread for beginners");
  EXPECT_EQ(store.messages("anna", id)->size(), 4U);
}

TEST_F(Titles, ThatFailAreNotMentioned) {
  title_ = "<|im_end|>";
  context_ = 10'000;
  answer_with("500<|im_end|>");
  Page page(*turns, id);
  ASSERT_TRUE(send("How much flour?"));
  page.wait<TurnFollowups>();
  EXPECT_EQ(page.wait_for_end().phase, TurnPhase::kDone);
}

TEST(TurnSettings, ComeBackAsTheyWere) {
  TurnSettings settings;
  settings.temperature = 0.3F;
  settings.top_p = 0.5F;
  settings.max_tokens = 7;
  settings.system = "Be \"brief\".";
  settings.thinking = false;
  settings.tools = false;
  settings.model = "other";
  const auto read = parse_turn_settings(write_turn_settings(settings));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->temperature, 0.3F);
  EXPECT_EQ(read->top_p, 0.5F);
  EXPECT_EQ(read->max_tokens, 7);
  EXPECT_EQ(read->system, "Be \"brief\".");
  EXPECT_FALSE(read->thinking);
  EXPECT_FALSE(read->tools);
  EXPECT_EQ(read->model, "other");
}

TEST(TurnSettings, NameTheFieldThatIsWrong) {
  EXPECT_EQ(parse_turn_settings(R"({"temperature": 3})").error().message,
            "the setting temperature must be a number from 0 to 2");
  EXPECT_EQ(parse_turn_settings(R"({"thinking": "yes"})").error().message,
            "the setting thinking must be true or false");
  EXPECT_EQ(parse_turn_settings("[]").error().message, "the settings must be a JSON object");
  EXPECT_TRUE(parse_turn_settings(R"({"colour": "red"})"));
  EXPECT_TRUE(parse_turn_settings(""));
}

}  // namespace
}  // namespace notso
