// The model changes between answers, and while one is written.
#include <gmock/gmock.h>

#include "turns_fixture.h"

namespace notso {
namespace {

using testing::HasSubstr;

// Turns whose model is what the test says.
class TurnsAndModels : public TurnsTest {
 protected:
  TurnsAndModels() {
    first_ = service(*engine, "first");
    second_engine_ = std::make_unique<PacedEngine>(
        vocab(), [](const auto& /*prompt*/) { return tokens("from the second<|im_end|>"); });
    second_ = service(*second_engine_, "second");
    turns = TurnService::make([this] { return now(); }, *store_, turn_options_);
    change_to(first_);
  }
  ~TurnsAndModels() override { turns.reset(); }

  static std::shared_ptr<ChatService> service(Engine& engine, const std::string& name) {
    ChatModelInfo info;
    info.name = name;
    info.context = 4096;
    return std::make_shared<ChatService>(engine, chat_tokenizer(),
                                         builder_of(default_chat_template()), info, vocab());
  }
  void change_to(Result<std::shared_ptr<ChatService>> model) {
    const std::lock_guard lock(mutex_);
    model_ = std::move(model);
  }
  Result<std::shared_ptr<ChatService>> now() {
    const std::lock_guard lock(mutex_);
    return model_;
  }

  std::mutex mutex_;
  std::unique_ptr<PacedEngine> second_engine_;
  std::shared_ptr<ChatService> first_;
  std::shared_ptr<ChatService> second_;
  Result<std::shared_ptr<ChatService>> model_ = nullptr;
};

TEST_F(TurnsAndModels, FinishOnTheModelThatTheyBeganWith) {
  answer_with("from the first<|im_end|>");
  engine->let_through(2);
  Page page(*turns, id);
  ASSERT_TRUE(send("who?"));
  engine->wait_until_held();
  change_to(second_);
  engine->let_through();
  page.wait_for_end();
  EXPECT_EQ(last().message.content, "from the first");
  EXPECT_EQ(last().model, "first");
  ask("and now?");
  EXPECT_EQ(last().message.content, "from the second");
  EXPECT_EQ(last().model, "second");
}

TEST_F(TurnsAndModels, HoldTheirModelUntilTheyAreOverAndNoLonger) {
  const std::weak_ptr<ChatService> watched = first_;
  engine->let_through(2);
  Page page(*turns, id);
  ASSERT_TRUE(send("who?"));
  engine->wait_until_held();
  change_to(second_);
  first_.reset();
  EXPECT_FALSE(watched.expired());
  engine->let_through();
  page.wait_for_end();
  for (int i = 0; i < 2000 && !watched.expired(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_TRUE(watched.expired());
}

TEST_F(TurnsAndModels, AreRefusedWhereThereIsNoModelBeforeAnythingIsStored) {
  change_to(fail(ErrorCode::kUnavailable, "the model is being loaded: 7%"));
  const auto refused = send("who?");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("7%"));
  EXPECT_TRUE(texts().empty());
  change_to(second_);
  ask("who?");
  EXPECT_EQ(last().message.content, "from the second");
}

TEST_F(TurnsAndModels, AnswersOfAnotherModelAreNotGoneOnWith) {
  engine->let_through(5);
  const auto started = send("who?");
  ASSERT_TRUE(started);
  engine->wait_until_held();
  std::promise<Result<void>> stopped;
  turns->stop("anna", id, [&](auto done) { stopped.set_value(done); });
  engine->let_through();
  ASSERT_TRUE(stopped.get_future().get());
  change_to(second_);
  std::promise<Result<Started>> resumed;
  turns->resume({"anna"}, id, started->answer.id, [&](auto done) { resumed.set_value(done); });
  const auto refused = resumed.get_future().get();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("not this model's"));
}

}  // namespace
}  // namespace notso
