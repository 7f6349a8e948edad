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

}  // namespace
}  // namespace notso
