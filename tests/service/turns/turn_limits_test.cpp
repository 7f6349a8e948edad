// Answers that reach a limit, are gone on with, and are broken off again.
#include <gtest/gtest.h>

#include "turns_fixture.h"

namespace notso {
namespace {

// Answers are long enough for any limit; settings_.max_tokens is 40.
class TurnLimits : public TurnsTest {
 protected:
  void answer_at_length() { answer_with(std::string(4000, 'a')); }

  // Goes on with the answer until 20 tokens more have come.
  void go_on_for_20(const StoredMessage& answer) {
    answer_at_length();
    engine->let_through(20);
    ASSERT_TRUE(resume(answer.id));
    engine->wait_until_held();
  }

  // Goes on with the answer to its end.
  StoredMessage go_on(std::int64_t message_id) {
    answer_at_length();
    engine->let_through();
    Page page(*turns, id, ~std::uint64_t{0} >> 1U);
    EXPECT_TRUE(resume(message_id));
    return page.wait<TurnSaved>().message;
  }

  static void expect_cut(const StoredMessage& answer, std::size_t tokens) {
    EXPECT_EQ(answer.state, MessageState::kDone) << answer.error;
    EXPECT_EQ(answer.finish, FinishReason::kLength);
    EXPECT_EQ(answer.message.tokens.size(), tokens);
  }
};

TEST_F(TurnLimits, AnAnswerThatFillsTheContextStaysAsItIs) {
  context_ = 1500;
  settings_.max_tokens = 0;
  restart();
  answer_at_length();
  const StoredMessage full = ask("Say a.");
  ASSERT_EQ(full.finish, FinishReason::kLength);
  const StoredMessage again = go_on(full.id);
  expect_cut(again, full.message.tokens.size());
  EXPECT_EQ(again.message.content, full.message.content);
  EXPECT_EQ(engine->prompts().size(), 1U);
}

TEST_F(TurnLimits, ARaisedLimitIsTheSameAfterACrash) {
  answer_at_length();
  const StoredMessage cut = ask("Say a.");
  expect_cut(cut, 40);
  go_on_for_20(cut);
  end();
  start();
  EXPECT_EQ(last().message.tokens.size(), 60U);
  answer_at_length();
  turns->recover();
  Page(*turns, id).wait_for_end();
  expect_cut(last(), 80);
}

TEST_F(TurnLimits, AnAnswerThatWasStoppedBehindItsLimitGoesOn) {
  answer_at_length();
  const StoredMessage cut = ask("Say a.");
  go_on_for_20(cut);
  ASSERT_TRUE(stop());
  EXPECT_EQ(last().message.tokens.size(), 60U);
  expect_cut(go_on(cut.id), 100);
}

TEST_F(TurnLimits, AnAnswerThatWasStoppedBeforeItsLimitHasTheRestOfIt) {
  answer_at_length();
  engine->let_through(15);
  const auto started = send("Say a.");
  engine->wait_until_held();
  ASSERT_TRUE(stop());
  expect_cut(go_on(started->answer.id), 40);
}

TEST_F(TurnLimits, AnAnswerThatIsLongerThanIsNowAllowedEndsWhereItStands) {
  answer_at_length();
  engine->let_through(15);
  ASSERT_TRUE(send("Say a."));
  engine->wait_until_held();
  end();
  start();
  settings_.max_tokens = 10;
  ASSERT_TRUE(store.set_settings("anna", id, write_turn_settings(settings_)));
  turns->recover();
  Page(*turns, id).wait_for_end();
  expect_cut(last(), 15);
}

TEST_F(TurnLimits, AnEndThatWasWrittenBeforeTheCrashIsOne) {
  StoredMessage running;
  running.message = {Role::kAssistant, "done", "", {}, "", "", tokens("done<|im_end|>")};
  running.state = MessageState::kRunning;
  running.model = "test";
  running.parent_id = store.append("anna", id, user_message("hello"))->id;
  ASSERT_TRUE(store.append("anna", id, running));
  turns->recover();
  Page(*turns, id).wait_for_end();
  EXPECT_EQ(last().state, MessageState::kDone);
  EXPECT_EQ(last().finish, FinishReason::kStop);
  EXPECT_EQ(last().message.content, "done");
  EXPECT_TRUE(engine->prompts().empty());
}

}  // namespace
}  // namespace notso
