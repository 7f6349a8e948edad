// Turns among strangers, and on disks that fail.
#include <gmock/gmock.h>
#include <sqlite3.h>

#include "turns_fixture.h"

namespace notso {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

using Turns = TurnsTest;

TEST_F(Turns, ThatRunStayTheirOwnersWhateverStrangersAsk) {
  answer_with("500 grams<|im_end|>");
  engine->let_through(1);
  Page page(*turns, id);
  const auto started = send("How much flour?");
  ASSERT_TRUE(started);
  engine->wait_until_held();
  const auto as_ben = [](const auto& call) { return code_of(wait_for<Started>(call)); };
  const std::int64_t answer = started->answer.id;
  const std::int64_t question = started->question->id;
  for (const ErrorCode code : {
           as_ben([&](auto then) { turns->send({"ben"}, id, 0, "hello", "", then); }),
           as_ben([&](auto then) { turns->edit({"ben"}, id, question, "hello", then); }),
           as_ben([&](auto then) { turns->regenerate({"ben"}, id, answer, then); }),
           as_ben([&](auto then) { turns->resume({"ben"}, id, answer, then); }),
           code_of(wait_for<void>([&](auto then) { turns->stop("ben", id, then); })),
       }) {
    EXPECT_EQ(code, ErrorCode::kNotFound);
  }
  turns->warm({"ben"}, id, "hello");
  engine->let_through();
  EXPECT_EQ(page.wait_for_end().phase, TurnPhase::kDone);
  EXPECT_EQ(last().state, MessageState::kDone);
  EXPECT_EQ(last().message.content, "500 grams");
}

TEST_F(Turns, AreCountedForWhoeverAsks) {
  Page page(*turns, id);
  ASSERT_TRUE(wait_for<Started>([&](auto then) {
    turns->send({"anna", "the network"}, id, 0, "hello", "", then);
  }));
  page.wait_for_end();
  EXPECT_THAT(engine->last_asker(), Pair("the network", ""));
  turns->warm({"anna", "another network"}, id, "How mu");
  while (engine->prompts().size() < 2) {
  }
  EXPECT_THAT(engine->last_asker(), Pair("another network", ""));
}

TEST_F(Turns, KeepPrefixesToTheirOwnerWhereTheyAreNotShared) {
  turn_options_.share_prefixes = false;
  restart();
  ask("hello");
  EXPECT_EQ(engine->last_asker().second, "anna");
  turns->warm({"anna"}, id, "How mu");
  while (engine->prompts().size() < 2) {
  }
  EXPECT_EQ(engine->last_asker().second, "anna");
}

TEST_F(Turns, TakeOnlyKeysThatCannotBeTheirOwn) {
  for (const std::string& key :
       {std::string("after/1"), std::string(kClientKeyBytesMax + 1, 'k')}) {
    EXPECT_EQ(code_of(send("hello", key)), ErrorCode::kInvalidArgument);
  }
  EXPECT_THAT(*store.messages("anna", id), IsEmpty());
  EXPECT_TRUE(send("hello", std::string(kClientKeyBytesMax, 'k')));
}

TEST_F(Turns, OfAFullDiskSayWhyTheyDoNotEnd) {
  answer_with("500 grams<|im_end|>");
  engine->let_through(1);
  Page page(*turns, id);
  ASSERT_TRUE(send("How much flour?"));
  engine->wait_until_held();
  vfs_.write_error = SQLITE_FULL;
  for (int i = 0; i < 2; ++i) {  // first what is stopped, then what is over
    const Status stopped = stop();
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, ErrorCode::kResourceExhausted);
    EXPECT_THAT(stopped.error().message, HasSubstr("not stored yet"));
  }
  const auto refused = send("And water?");
  EXPECT_EQ(code_of(refused), ErrorCode::kUnavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("no room left"));
  vfs_.heal();
  EXPECT_EQ(page.wait_for_end().phase, TurnPhase::kStopped);
  EXPECT_EQ(last().state, MessageState::kStopped);
  EXPECT_TRUE(stop());
}

TEST_F(Turns, LeaveNothingRunningWhicheverWriteFails) {
  settings_.tools = true;
  settings_.max_tokens = 400;
  for (int good = 0; good < 200; good += 3) {
    vfs_.heal();
    auto made = store.create("anna", "", write_turn_settings(settings_));
    while (!made) made = store.create("anna", "", write_turn_settings(settings_));
    id = made->id;
    {
      const std::lock_guard lock(scripts_mutex_);
      answers_.clear();
    }
    answer_with(
        "<tool_call>\n{\"name\": \"calculator\", \"arguments\": {\"expression\": \"6*7\"}}\n"
        "</tool_call><|im_end|>");
    answer_with("It is 42.<|im_end|>");
    Page page(*turns, id);
    vfs_.good_before = good;
    vfs_.failures_left = 1;
    vfs_.write_error = SQLITE_FULL;
    if (!send("6 times 7?")) continue;
    page.wait_for_end();
    EXPECT_THAT(*store.running(), IsEmpty()) << "after " << good << " writes";
  }
}

}  // namespace
}  // namespace notso
