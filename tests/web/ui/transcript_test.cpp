#include "web/ui/transcript.h"

#include <gtest/gtest.h>

#include "web/ui/stored_messages.h"

namespace notso::ui {
namespace {

// 1 - 2 - 3 - 4, with 5 - 6 beside 3 - 4 and 7 beside 2.
std::vector<StoredMessage> tree() {
  return {question(1, 0, "a"), answer(2, 1, "b"), question(3, 2, "c"), answer(4, 3, "d"),
          question(5, 2, "e"), answer(6, 5, "f"), answer(7, 1, "g")};
}

TEST(TranscriptTest, ThePathToTheLeafIsCutIntoTurns) {
  const Transcript transcript(tree(), 6);
  ASSERT_EQ(transcript.turns().size(), 2U);
  EXPECT_EQ(transcript.turns()[0].id(), 1);
  EXPECT_EQ(transcript.turns()[0].answer_id(), 2);
  EXPECT_EQ(transcript.turns()[1].id(), 5);
  EXPECT_TRUE(transcript.on_path(5));
  EXPECT_FALSE(transcript.on_path(3));
}

TEST(TranscriptTest, ToolsAndFurtherAnswersBelongToTheTurn) {
  std::vector<StoredMessage> messages = {question(1, 0, "a"), answer(2, 1, ""), answer(3, 2, "7"),
                                         answer(4, 3, "b")};
  messages[2].message.role = Role::kTool;
  const Transcript transcript(messages, 4);
  ASSERT_EQ(transcript.turns().size(), 1U);
  EXPECT_EQ(transcript.turns()[0].answers.size(), 3U);
  EXPECT_EQ(transcript.turn_of(4)->answer_id(), 2);
}

TEST(TranscriptTest, BranchesCountThoseThatShareAParent) {
  const Transcript transcript(tree(), 4);
  const Branches branches = transcript.branches(5);
  EXPECT_EQ(branches.index, 2U);
  EXPECT_EQ(branches.count, 2U);
  EXPECT_EQ(branches.previous, 3);
  EXPECT_EQ(branches.next, 0);
  EXPECT_EQ(transcript.branches(1).count, 1U);
}

TEST(TranscriptTest, ABranchLeadsToItsNewestLeaf) {
  const Transcript transcript(tree(), 4);
  EXPECT_EQ(transcript.newest_leaf(2), 6);
  EXPECT_EQ(transcript.newest_leaf(3), 4);
  EXPECT_EQ(transcript.newest_leaf(7), 7);
}

TEST(TranscriptTest, AResetStandsBetweenTurns) {
  std::vector<StoredMessage> messages = {question(1, 0, "a"), answer(2, 1, "b"), question(3, 2, ""),
                                         question(4, 3, "c")};
  messages[2].message.role = Role::kSystem;
  EXPECT_TRUE(Transcript(messages, 3).ends_with_reset());
  const Transcript transcript(messages, 4);
  ASSERT_EQ(transcript.turns().size(), 2U);
  EXPECT_TRUE(transcript.turns()[1].after_reset);
  EXPECT_FALSE(transcript.ends_with_reset());
}

TEST(TranscriptTest, ALeafThatDoesNotExistLeavesNothing) {
  EXPECT_TRUE(Transcript(tree(), 99).turns().empty());
  EXPECT_TRUE(Transcript({}, 0).turns().empty());
}

TEST(TranscriptTest, RowsThatNameEachOtherAsParentsEnd) {
  const Transcript transcript({question(1, 2, "a"), answer(2, 1, "b")}, 2);
  EXPECT_LE(transcript.turns().size(), 2U);
}

}  // namespace
}  // namespace notso::ui
