#include "web/ui/chat_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "web/ui/stored_messages.h"

namespace notso::ui {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

class ChatStreamTest : public testing::Test {
 protected:
  void SetUp() override { pages_ = Pages::load().value(); }

  // For a page that shows all of `now`.
  ChatStream stream(Transcript now, bool old = false) {
    ShownPage shown;
    shown.first = now.turns().front().id();
    shown.last = now.turns().back().answer_id();
    shown.old = old;
    return stream_for(std::move(now), shown);
  }

  ChatStream stream_for(Transcript now, ShownPage shown) {
    return {pages_, "c1", std::move(now), shown, [this] { return now_; }};
  }

  // What a page that shows this is sent to catch up.
  std::vector<Partial> caught_up(Transcript now, ShownPage shown) {
    ChatStream page = stream_for(std::move(now), shown);
    EXPECT_TRUE(page.catch_up());
    return take(page);
  }

  // Turns 1, 3, 5, ... with one answer each.
  static std::vector<StoredMessage> turns(int count) {
    std::vector<StoredMessage> messages;
    for (std::int64_t id = 1; id < 2 * count; id += 2) {
      messages.push_back(question(id, id - 1, "q"));
      messages.push_back(answer(id + 1, id, "a"));
    }
    return messages;
  }

  TurnEvent event(std::int64_t message, decltype(TurnEvent::what) what) {
    return {++last_event_, message, std::move(what)};
  }

  TurnEvent status(std::int64_t message, TurnPhase phase) {
    TurnStatus turn;
    turn.phase = phase;
    return event(message, turn);
  }

  static std::vector<Partial> take(ChatStream& stream) {
    return partials_of(stream.take().value());
  }

  static StoredMessage running(std::int64_t id, std::int64_t parent) {
    StoredMessage stored = answer(id, parent, "");
    stored.state = MessageState::kRunning;
    return stored;
  }

  // The first turn and a second one, whose answer has just begun.
  std::vector<StoredMessage> two_turns() {
    std::vector<StoredMessage> now = first_;
    now.push_back(question(3, 2, "c"));
    now.push_back(running(4, 3));
    return now;
  }

  // A page that shows both.
  ChatStream begun() {
    ChatStream page = stream(Transcript(first_, 2));
    page.set_transcript(Transcript(two_turns(), 4));
    EXPECT_TRUE(page.push(status(4, TurnPhase::kGenerating)));
    (void)take(page);
    return page;
  }

  const std::vector<StoredMessage> first_ = {question(1, 0, "a"), answer(2, 1, "b")};
  double now_ = 10;
  std::uint64_t last_event_ = 0;
  std::shared_ptr<const Pages> pages_;
};

TEST_F(ChatStreamTest, ATurnThatFollowsIsAppended) {
  ChatStream page = stream(Transcript(first_, 2));
  const TurnEvent begin = status(4, TurnPhase::kQueued);
  ASSERT_TRUE(page.needs_transcript(begin));
  page.set_transcript(Transcript(two_turns(), 4));
  ASSERT_TRUE(page.push(begin));
  EXPECT_THAT(take(page), Contains(AllOf(Field(&Partial::target, "#messages"),
                                         Field(&Partial::swap, "beforeend"),
                                         Field(&Partial::content, HasSubstr("id=\"t-3\"")))));
  EXPECT_FALSE(page.needs_transcript(status(4, TurnPhase::kGenerating)));
}

TEST_F(ChatStreamTest, WhatIsInsideOfANewTurnComesInALaterUpdate) {
  ChatStream page = stream(Transcript(first_, 2));
  page.set_transcript(Transcript(two_turns(), 4));
  ASSERT_TRUE(page.push(status(4, TurnPhase::kQueued)));
  ASSERT_TRUE(page.push(event(4, ToolCallDelta{0, "x", "clock", "{}"})));
  ASSERT_TRUE(page.push(event(4, TurnSaved{answer(4, 3, "d")})));
  for (const Partial& partial : take(page)) EXPECT_NE(partial.target, "#p-4");
  EXPECT_FALSE(page.take_ended());
  EXPECT_THAT(take(page), Contains(AllOf(Field(&Partial::target, "#p-4"),
                                         Field(&Partial::content, HasSubstr("clock")))));
  EXPECT_TRUE(page.take_ended());
}

TEST_F(ChatStreamTest, ATurnOfAnotherBranchBringsTheWholeList) {
  ChatStream page = stream(Transcript(first_, 2));
  std::vector<StoredMessage> now = first_;
  now.push_back(running(3, 1));
  page.set_transcript(Transcript(now, 3));
  ASSERT_TRUE(page.push(status(3, TurnPhase::kQueued)));
  EXPECT_THAT(take(page), Contains(AllOf(Field(&Partial::target, "#messages"),
                                         Field(&Partial::swap, "innerMorph"))));
}

TEST_F(ChatStreamTest, ASnapshotRedrawsTheTurnThatThePageHas) {
  const std::vector<StoredMessage> now = {question(1, 0, "a"), running(2, 1)};
  ChatStream page = stream(Transcript(now, 2));
  TurnSnapshot snapshot;
  snapshot.message = running(2, 1);
  snapshot.message.message.content = "so far";
  snapshot.status.phase = TurnPhase::kGenerating;
  page.set_transcript(Transcript(now, 2));
  ASSERT_TRUE(page.push(event(2, snapshot)));
  EXPECT_THAT(take(page),
              Contains(AllOf(Field(&Partial::target, "#t-1"), Field(&Partial::swap, "outerMorph"),
                             Field(&Partial::content, HasSubstr("so far")))));
}

TEST_F(ChatStreamTest, AnAnswerThatGoesOnIsDrawnFromItsSnapshot) {
  ChatStream page = begun();
  StoredMessage stopped = answer(4, 3, "half");
  stopped.state = MessageState::kStopped;
  ASSERT_TRUE(page.push(event(4, TurnSaved{stopped})));
  (void)take(page);
  TurnSnapshot snapshot;
  snapshot.message = running(4, 3);
  snapshot.message.message.content = "half";
  snapshot.status.phase = TurnPhase::kGenerating;
  const TurnEvent again = event(4, snapshot);
  ASSERT_TRUE(page.needs_transcript(again));
  page.set_transcript(Transcript(two_turns(), 4));
  ASSERT_TRUE(page.push(again));
  EXPECT_THAT(take(page), Contains(AllOf(Field(&Partial::target, "#t-3"),
                                         Field(&Partial::content, HasSubstr("half")))));
  ASSERT_TRUE(page.push(event(4, ContentDelta{" and whole."})));
  now_ += 1;
  page.poll();
  EXPECT_THAT(take(page), Contains(Field(&Partial::content, HasSubstr("half and whole."))));
}

TEST_F(ChatStreamTest, OnlyAPageThatLostItsConnectionIsSentAFinishedTurn) {
  TurnSnapshot snapshot;
  snapshot.message = first_[1];
  snapshot.status.phase = TurnPhase::kDone;
  for (const bool again : {false, true}) {
    ChatStream page = stream(Transcript(first_, 2), again);
    page.set_transcript(Transcript(first_, 2));
    ASSERT_TRUE(page.push(event(2, snapshot)));
    EXPECT_EQ(take(page).empty(), !again);
  }
}

TEST_F(ChatStreamTest, SuggestionsThatMayHaveComeAfterThePageWasMadeAreSentAlone) {
  TurnSnapshot snapshot;
  snapshot.message = first_[1];
  snapshot.message.followups = {"Tell me more"};
  snapshot.status.phase = TurnPhase::kDone;
  ChatStream page = stream(Transcript(first_, 2));
  page.set_transcript(Transcript(first_, 2));
  ASSERT_TRUE(page.push(event(2, snapshot)));
  const std::vector<Partial> sent = take(page);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].target, "#f-2");
  EXPECT_THAT(sent[0].content, HasSubstr("Tell me more"));
  EXPECT_THAT(take(page), IsEmpty());
}

TEST_F(ChatStreamTest, AFreshPageThatShowsTheStoredPathIsSentNothing) {
  EXPECT_THAT(caught_up(Transcript(first_, 2), {.first = 1, .last = 2}), IsEmpty());
  EXPECT_THAT(caught_up(Transcript({}, 0), {}), IsEmpty());
}

TEST_F(ChatStreamTest, APageThatComesBackIsSentTheLastTurnAlone) {
  const std::vector<Partial> sent =
      caught_up(Transcript(turns(40), 80), {.first = 1, .last = 80, .old = true});
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].target, "#t-79");
  EXPECT_EQ(sent[0].swap, "outerMorph");
}

TEST_F(ChatStreamTest, AnAnswerThatIsBeingWrittenIsLeftToItsSnapshot) {
  EXPECT_THAT(caught_up(Transcript(two_turns(), 4), {.first = 1, .last = 4, .old = true}),
              IsEmpty());
}

TEST_F(ChatStreamTest, APageThatMissedATurnIsSentTheListFromItsOldestTurnOn) {
  const std::vector<Partial> sent =
      caught_up(Transcript(turns(41), 82), {.first = 3, .last = 80, .old = true});
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent[0].target, "#messages");
  EXPECT_EQ(sent[0].swap, "innerMorph");
  EXPECT_THAT(sent[0].content, HasSubstr("id=\"t-3\""));
  EXPECT_THAT(sent[0].content, HasSubstr("id=\"t-81\""));
  EXPECT_THAT(sent[0].content, testing::Not(HasSubstr("id=\"t-1\"")));
}

TEST_F(ChatStreamTest, APageOfAnotherBranchIsSentTheList) {
  std::vector<StoredMessage> now = first_;
  now.push_back(answer(3, 1, "other"));
  EXPECT_THAT(caught_up(Transcript(now, 3), {.first = 1, .last = 2}),
              Contains(Field(&Partial::target, "#messages")));
}

TEST_F(ChatStreamTest, APageThatMayHaveMissedAResetIsSentTheList) {
  std::vector<StoredMessage> now = first_;
  StoredMessage mark = answer(3, 2, "");
  mark.message.role = Role::kSystem;
  now.push_back(mark);
  EXPECT_THAT(caught_up(Transcript(now, 3), {.first = 1, .last = 2}), IsEmpty());
  EXPECT_THAT(caught_up(Transcript(now, 3), {.first = 1, .last = 2, .old = true}),
              Contains(Field(&Partial::content, HasSubstr("remembers from here on"))));
}

TEST_F(ChatStreamTest, AnAnswerOfAHiddenBranchIsLookedUpOnce) {
  ChatStream page = stream(Transcript(first_, 2));
  const TurnEvent begin = status(9, TurnPhase::kGenerating);
  ASSERT_TRUE(page.needs_transcript(begin));
  page.set_transcript(Transcript(first_, 2));
  ASSERT_TRUE(page.push(begin));
  EXPECT_FALSE(page.needs_transcript(event(9, ContentDelta{"x"})));
  EXPECT_THAT(take(page), IsEmpty());
}

TEST_F(ChatStreamTest, TextComesAtOnceAndThenInGroups) {
  ChatStream page = begun();
  ASSERT_TRUE(page.push(event(4, ContentDelta{"One"})));
  EXPECT_THAT(take(page), Contains(Field(&Partial::content, HasSubstr("One"))));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(page.push(event(4, ContentDelta{" more"})));
  EXPECT_THAT(take(page), IsEmpty());
  ASSERT_TRUE(page.due_in_s());
  now_ += 0.6;
  page.poll();
  EXPECT_THAT(take(page), Contains(Field(&Partial::content, HasSubstr("One more more"))));
}

TEST_F(ChatStreamTest, AToolsTurnStaysOneAnswer) {
  ChatStream page = begun();
  ASSERT_TRUE(page.push(event(4, ToolCallDelta{0, "x", "clock", "{}"})));
  (void)take(page);
  StoredMessage result = answer(5, 4, "noon");
  result.message.role = Role::kTool;
  std::vector<StoredMessage> now = two_turns();
  now.push_back(result);
  now.push_back(running(6, 5));
  const TurnEvent next = event(6, ContentDelta{"It is noon."});
  ASSERT_TRUE(page.needs_transcript(next));
  page.set_transcript(Transcript(now, 6));
  ASSERT_TRUE(page.push(next));
  now_ += 1;
  page.poll();
  EXPECT_THAT(take(page), Contains(AllOf(Field(&Partial::target, "#p-4"),
                                         Field(&Partial::content, HasSubstr("It is noon.")))));
}

TEST_F(ChatStreamTest, TheEndIsTakenOnce) {
  ChatStream page = begun();
  ASSERT_TRUE(page.push(event(4, TurnSaved{answer(4, 3, "d")})));
  (void)take(page);
  EXPECT_TRUE(page.take_ended());
  EXPECT_FALSE(page.take_ended());
}

TEST_F(ChatStreamTest, TitlesGoWhereverTheyAreShown) {
  ChatStream page = begun();
  ASSERT_TRUE(page.push(event(4, TurnTitle{"A <title>"})));
  const std::vector<Partial> titles = take(page);
  ASSERT_EQ(titles.size(), 2U);
  EXPECT_EQ(titles[0].target, "#chat-title");
  EXPECT_EQ(titles[1].target, "#title-c1");
  EXPECT_THAT(titles[0].content, HasSubstr("A &lt;title&gt;"));
}

}  // namespace
}  // namespace notso::ui
