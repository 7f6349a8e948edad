#include <gmock/gmock.h>
#include <sqlite3.h>

#include "turns_fixture.h"

namespace notso {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Turns = TurnsTest;

TEST_F(Turns, HaveQuestionAndAnswerOnDiskBeforeTheFirstToken) {
  engine->let_through(0);
  const auto started = send("How much flour?");
  ASSERT_TRUE(started);
  EXPECT_EQ(started->question->message.content, "How much flour?");
  EXPECT_EQ(started->answer.parent_id, started->question->id);
  const auto path = store.path("anna", id);
  ASSERT_EQ(path->size(), 2U);
  EXPECT_EQ(path->back().id, started->answer.id);
  EXPECT_EQ(path->back().state, MessageState::kRunning);
}

TEST_F(Turns, StreamTheAnswerThatTheyStore) {
  answer_with("500 grams<|im_end|>");
  Page page(*turns, id);
  const auto started = send("How much flour?");
  ASSERT_TRUE(started);
  EXPECT_EQ(page.wait_for_end().phase, TurnPhase::kDone);
  EXPECT_EQ(page.content(), "500 grams");
  const StoredMessage answer = last();
  EXPECT_EQ(answer.message.content, "500 grams");
  EXPECT_EQ(answer.state, MessageState::kDone);
  EXPECT_EQ(answer.finish, FinishReason::kStop);
  EXPECT_EQ(answer.message.tokens, tokens("500 grams<|im_end|>"));
  EXPECT_EQ(answer.model, "test");
  EXPECT_GT(answer.usage.prompt_tokens, 0);
  const auto events = page.events();
  for (std::size_t i = 1; i < events.size(); ++i) EXPECT_EQ(events[i].id, events[i - 1].id + 1);
  EXPECT_EQ(page.wait<TurnSaved>().message.id, answer.id);
  EXPECT_EQ(turns->status(id)->phase, TurnPhase::kDone);
}

TEST_F(Turns, ShowWhatTheModelHasSaidBefore) {
  answer_with("500 grams<|im_end|>");
  ask("How much flour?");
  answer_with("300<|im_end|>");
  ask("And water?");
  const std::string prompt = chat_tokenizer()->decode(engine->prompts().back());
  EXPECT_THAT(prompt, HasSubstr("How much flour?"));
  EXPECT_THAT(prompt, HasSubstr("500 grams"));
  EXPECT_THAT(texts(), ElementsAre("How much flour?", "500 grams", "And water?", "300"));
}

TEST_F(Turns, GiveALateWatcherTheAnswerSoFarAndTheRest) {
  engine->let_through(10);
  const auto started = send("How much flour?");
  engine->wait_until_held();
  Page late(*turns, id);
  const auto shot = late.wait<TurnSnapshot>();
  EXPECT_EQ(shot.message.id, started->answer.id);
  engine->let_through();
  late.wait_for_end();
  EXPECT_EQ(late.content(), last().message.content);
}

TEST_F(Turns, GiveAWatcherThatComesBackWhatItHasMissed) {
  Page all(*turns, id);
  engine->let_through(10);
  ASSERT_TRUE(send("How much flour?"));
  engine->wait_until_held();
  all.wait<TurnStatus>([](const auto& s) { return s.phase == TurnPhase::kGenerating; });
  const std::uint64_t seen = all.last_id();
  engine->let_through();
  all.wait_for_end();
  Page back(*turns, id, seen);
  back.wait_for_end();
  EXPECT_EQ(back.events().front().id, seen + 1);
  EXPECT_EQ(back.last_id(), all.last_id());
}

TEST_F(Turns, AnswerOnceWhatWasSentTwice) {
  engine->let_through(0);
  const auto first = send("How much flour?", "key");
  const auto again = send("How much flour?", "key");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->question->id, first->question->id);
  EXPECT_EQ(again->answer.id, first->answer.id);
  EXPECT_EQ(code_of(send("Another?", "other key")), ErrorCode::kUnavailable);
  Page page(*turns, id);
  engine->let_through();
  page.wait_for_end();
  const auto later = send("How much flour?", "key");
  EXPECT_EQ(later->answer.id, first->answer.id);
  EXPECT_EQ(store.messages("anna", id)->size(), 2U);
  EXPECT_EQ(engine->prompts().size(), 1U);
}

TEST_F(Turns, StopAndGoOnAsIfTheyNeverHad) {
  const std::string whole = ask("How much flour?").message.content;
  ASSERT_FALSE(whole.empty());
  // The same again in a store of its own, where ids and with them the draws are the same.
  end();
  std::filesystem::remove(options_.path);
  start();
  id = store.create("anna", "", write_turn_settings(settings_))->id;
  engine->let_through(10);
  const auto started = send("How much flour?");
  engine->wait_until_held();
  ASSERT_TRUE(stop());
  StoredMessage stopped = last();
  EXPECT_EQ(stopped.state, MessageState::kStopped);
  EXPECT_EQ(stopped.message.tokens.size(), 10U);
  EXPECT_EQ(turns->status(id)->phase, TurnPhase::kStopped);
  engine->let_through();
  Page page(*turns, id, ~std::uint64_t{0} >> 1U);
  ASSERT_TRUE(resume(started->answer.id));
  const auto saved = page.wait<TurnSaved>(
      [](const TurnSaved& what) { return what.message.state == MessageState::kDone; });
  EXPECT_EQ(saved.message.message.content, whole);
}

TEST_F(Turns, GoOnAfterTheirLimit) {
  answer_with(std::string(60, 'a'));
  const StoredMessage cut = ask("Say a.");
  EXPECT_EQ(cut.finish, FinishReason::kLength);
  answer_with("bb<|im_end|>");
  Page page(*turns, id, ~std::uint64_t{0} >> 1U);
  ASSERT_TRUE(resume(cut.id));
  page.wait<TurnSaved>(
      [](const TurnSaved& what) { return what.message.finish == FinishReason::kStop; });
  EXPECT_EQ(last().message.content, cut.message.content + "bb");
  EXPECT_EQ(code_of(resume(cut.id)), ErrorCode::kInvalidArgument);
}

TEST_F(Turns, AreTakenUpAfterAShutDown) {
  const std::string whole = ask("How much flour?").message.content;
  end();
  std::filesystem::remove(options_.path);
  start();
  id = store.create("anna", "", write_turn_settings(settings_))->id;
  engine->let_through(10);
  std::uint64_t seen = 0;
  {
    Page page(*turns, id);
    ASSERT_TRUE(send("How much flour?"));
    engine->wait_until_held();
    page.wait<ContentDelta>();
    seen = page.last_id();
    turns->shut_down();
    EXPECT_EQ(code_of(send("More?")), ErrorCode::kUnavailable);
  }
  end();
  start();
  EXPECT_EQ(last().state, MessageState::kRunning);
  EXPECT_EQ(last().message.tokens.size(), 10U);
  turns->recover();
  Page page(*turns, id, seen);
  page.wait_for_end();
  EXPECT_GT(page.events().front().id, seen);
  EXPECT_TRUE(std::holds_alternative<TurnSnapshot>(page.events().front().what));
  EXPECT_EQ(page.content(), whole);
  EXPECT_EQ(last().message.content, whole);
  EXPECT_EQ(last().state, MessageState::kDone);
}

TEST_F(Turns, AreTakenUpAfterACrashWithTheTokensThatWereLost) {
  const std::string whole = ask("How much flour?").message.content;
  end();
  std::filesystem::remove(options_.path);
  turn_options_.partial_ms = 0;
  start();
  id = store.create("anna", "", write_turn_settings(settings_))->id;
  engine->let_through(5);
  ASSERT_TRUE(send("How much flour?"));
  engine->wait_until_held();
  while (last().message.tokens.empty()) {
  }
  vfs_.write_error = SQLITE_IOERR_WRITE;  // what comes now is lost
  engine->let_through(5);
  engine->wait_until_held();
  end();
  vfs_.heal();
  start();
  EXPECT_LT(last().message.tokens.size(), 10U);
  turns->recover();
  Page page(*turns, id);
  page.wait_for_end();
  EXPECT_EQ(last().message.content, whole);
}

TEST_F(Turns, OfAnotherModelAreNotTakenUp) {
  StoredMessage running;
  running.message = {Role::kAssistant, "half", "", {}, "", "", {1, 2}};
  running.state = MessageState::kRunning;
  running.model = "another";
  const auto question = store.append("anna", id, user_message("hello"));
  running.parent_id = question->id;
  ASSERT_TRUE(store.append("anna", id, running));
  turns->recover();
  while (last().state == MessageState::kRunning) {
  }
  EXPECT_EQ(last().state, MessageState::kStopped);
  EXPECT_EQ(code_of(resume(last().id)), ErrorCode::kUnsupported);
  EXPECT_TRUE(engine->prompts().empty());
}

TEST_F(Turns, AreGivenAgainAsASibling) {
  answer_with("one<|im_end|>");
  const StoredMessage first = ask("How much?");
  answer_with("two<|im_end|>");
  Page page(*turns, id, ~std::uint64_t{0} >> 1U);
  const auto again =
      wait_for<Started>([&](auto then) { turns->regenerate({"anna"}, id, first.id, then); });
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->question);
  page.wait<TurnSaved>([&](const auto& saved) { return saved.message.id == again->answer.id; });
  EXPECT_THAT(texts(), ElementsAre("How much?", "two"));
  EXPECT_THAT(*store.siblings("anna", id, first.id), ElementsAre(first.id, again->answer.id));
}

TEST_F(Turns, BranchWhereAMessageIsEdited) {
  answer_with("one<|im_end|>");
  ask("How much flour?");
  answer_with("two<|im_end|>");
  const auto path = store.path("anna", id);
  Page page(*turns, id, ~std::uint64_t{0} >> 1U);
  const auto edited = wait_for<Started>(
      [&](auto then) { turns->edit({"anna"}, id, path->front().id, "How much rye?", then); });
  ASSERT_TRUE(edited);
  page.wait<TurnSaved>([&](const auto& saved) { return saved.message.id == edited->answer.id; });
  EXPECT_THAT(texts(), ElementsAre("How much rye?", "two"));
  EXPECT_EQ(store.siblings("anna", id, path->front().id)->size(), 2U);
  EXPECT_EQ(code_of(wait_for<Started>([&](auto then) {
              turns->edit({"anna"}, id, path->back().id, "no question", then);
            })),
            ErrorCode::kInvalidArgument);
}

TEST_F(Turns, ReciteAGivenTextWithoutTheModel) {
  Page page(*turns, id);
  const std::string text = "So long, and thanks \xf0\x9f\x90\x9f <think>\n";
  ASSERT_TRUE(
      wait_for<Started>([&](auto then) { turns->recite({"anna"}, id, "/quote", text, then); }));
  EXPECT_EQ(page.wait_for_end().phase, TurnPhase::kDone);
  EXPECT_EQ(page.content(), text);
  EXPECT_THAT(texts(), ElementsAre("/quote", text));
  EXPECT_TRUE(engine->prompts().empty());
}

TEST_F(Turns, ForgetWhatIsAboveAReset) {
  answer_with("500<|im_end|>");
  ask("How much flour?");
  ASSERT_TRUE(wait_for<void>([&](auto then) { turns->reset("anna", id, then); }));
  answer_with("what?<|im_end|>");
  ask("And water?");
  const std::string prompt = chat_tokenizer()->decode(engine->prompts().back());
  EXPECT_THAT(prompt, testing::Not(HasSubstr("flour")));
  EXPECT_THAT(prompt, HasSubstr("And water?"));
}

TEST_F(Turns, FailWithTheReasonWhereTheEngineRefuses) {
  engine->refuse_next({ErrorCode::kUnavailable, "the queue is full"});
  const StoredMessage failed = ask("How much flour?");
  EXPECT_EQ(failed.state, MessageState::kFailed);
  EXPECT_EQ(failed.error, "the queue is full");
  answer_with("500<|im_end|>");
  Page page(*turns, id, ~std::uint64_t{0} >> 1U);
  ASSERT_TRUE(resume(failed.id));
  page.wait<TurnSaved>([](const auto& saved) { return saved.message.error.empty(); });
  EXPECT_THAT(texts(), ElementsAre("How much flour?", "500"));
}

TEST_F(Turns, FailWithBothNumbersWhereTheContextIsTooSmall) {
  context_ = 100;
  restart();
  const StoredMessage failed = ask(std::string(300, 'x'));
  EXPECT_EQ(failed.state, MessageState::kFailed);
  EXPECT_THAT(failed.error, HasSubstr("the context is 100"));
}

TEST_F(Turns, AreNotThereForAnotherOwner) {
  answer_with("500<|im_end|>");
  const StoredMessage answer = ask("How much flour?");
  const auto not_found = ErrorCode::kNotFound;
  EXPECT_EQ(code_of(wait_for<Started>(
                [&](auto then) { turns->send({"ben"}, id, 0, "hello", "", then); })),
            not_found);
  EXPECT_EQ(code_of(wait_for<Started>(
                [&](auto then) { turns->regenerate({"ben"}, id, answer.id, then); })),
            not_found);
  EXPECT_EQ(code_of(wait_for<void>([&](auto then) { turns->stop("ben", id, then); })), not_found);
  EXPECT_EQ(code_of(wait_for<void>([&](auto then) { turns->reset("ben", id, then); })), not_found);
  EXPECT_EQ(code_of(wait_for<TurnService::ContextUse>(
                [&](auto then) { turns->context_use("ben", id, then); })),
            not_found);
}

TEST_F(Turns, CountTheContextExactly) {
  const auto use = [&] {
    return *wait_for<TurnService::ContextUse>(
        [&](auto then) { turns->context_use("anna", id, then); });
  };
  EXPECT_EQ(use().tokens, 0);
  EXPECT_EQ(use().context, context_);
  answer_with("500<|im_end|>");
  const StoredMessage answer = ask("How much flour?");
  EXPECT_GT(use().tokens, answer.usage.prompt_tokens);
}

TEST_F(Turns, ReadAheadWhileAPersonTypes) {
  turns->warm({"anna"}, id, "How mu");
  while (engine->prompts().empty()) {
  }
  EXPECT_THAT(chat_tokenizer()->decode(engine->prompts().back()), HasSubstr("How mu"));
}

TEST_F(Turns, LetAWatcherEndItselfWhileItIsCalled) {
  const auto called = std::make_shared<std::promise<void>>();
  std::mutex made;
  std::unique_ptr<TurnSubscription> subscription;
  {
    const std::lock_guard lock(made);
    subscription = turns->watch(id, 0, [&, called](const TurnEvent&) {
      // This thread is done with what is the test's own before the test may end.
      const auto told = called;
      std::unique_lock inner(made);
      if (!subscription) return;
      subscription.reset();
      inner.unlock();
      told->set_value();
    });
  }
  answer_with("500<|im_end|>");
  ask("How much flour?");
  called->get_future().wait();
}

TEST_F(Turns, SurviveAWatcherThatThrows) {
  const auto subscription =
      turns->watch(id, 0, [](const TurnEvent&) { throw std::runtime_error("page"); });
  answer_with("500<|im_end|>");
  EXPECT_EQ(ask("How much flour?").message.content, "500");
}

TEST_F(Turns, OfAFullDiskBeginNotAtAllOrAreStoredLater) {
  engine->let_through(3);
  answer_with("500 grams<|im_end|>");
  Page page(*turns, id);
  ASSERT_TRUE(send("How much flour?"));
  engine->wait_until_held();
  vfs_.write_error = SQLITE_FULL;
  engine->let_through();
  EXPECT_THAT(page.wait<Warning>().text, HasSubstr("not stored yet"));
  vfs_.heal();
  EXPECT_EQ(page.wait_for_end().phase, TurnPhase::kDone);
  EXPECT_EQ(last().message.content, "500 grams");
  vfs_.write_error = SQLITE_FULL;
  EXPECT_EQ(code_of(send("And water?")), ErrorCode::kResourceExhausted);
  vfs_.heal();
  EXPECT_EQ(store.messages("anna", id)->size(), 2U);
}

}  // namespace
}  // namespace notso
