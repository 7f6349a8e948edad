// The beginning of all conversations is read ahead, and is really their beginning.
#include "service/chat/system_prefix.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/chat/builtin_tools.h"
#include "service/chat/chat_fixtures.h"
#include "service/chat/default_templates.h"
#include "service/chat/script_engine.h"

namespace notso {
namespace {

class SystemPrefix : public ::testing::Test {
 protected:
  SystemPrefix() {
    ChatModelInfo info;
    info.context = 600;
    const auto size = static_cast<std::size_t>(chat_tokenizer()->vocab_size());
    engine_ = std::make_unique<ScriptEngine>(size);
    chat_ = std::make_unique<ChatService>(*engine_, chat_tokenizer(),
                                          builder_of(default_chat_template()), info, size);
  }

  std::unique_ptr<ScriptEngine> engine_;
  std::unique_ptr<ChatService> chat_;
};

TEST_F(SystemPrefix, IsWhatEveryConversationBeginsWith) {
  for (const bool thinking : {true, false}) {
    for (const bool tools : {true, false}) {
      PromptOptions options;
      options.thinking = thinking;
      if (tools) options.tools = builtin_tools();
      const auto prefix = system_prefix(*chat_, options);
      ASSERT_TRUE(prefix) << prefix.error().message;
      EXPECT_GT(prefix->size(), 1U);
      for (const char* text : {"hello", "  two", "", "1 + 1"}) {
        const std::vector<Message> messages = {user_says(text)};
        const auto prompt = chat_->render(messages, options);
        ASSERT_TRUE(prompt);
        ASSERT_GE(prompt->tokens.size(), prefix->size());
        EXPECT_TRUE(std::equal(prefix->begin(), prefix->end(), prompt->tokens.begin())) << text;
      }
    }
  }
}

TEST_F(SystemPrefix, IsReadBehindAllOtherWorkAndPinned) {
  ASSERT_TRUE(warm_system_prefixes(*chat_));
  EXPECT_EQ(engine_->waiting.size(), 4U);
  for (const auto& [id, request] : engine_->waiting) {
    EXPECT_TRUE(request.pin);
    EXPECT_EQ(request.priority, Priority::kBackground);
    EXPECT_EQ(request.policy, nullptr);
    EXPECT_FALSE(request.prompt.empty());
    EXPECT_EQ(request.cache_scope, "");
  }
}

TEST_F(SystemPrefix, IsAnotherOneOnTheNextDay) {
  std::tm next_day = fixed_day();
  next_day.tm_mday += 1;
  ScriptEngine engine(static_cast<std::size_t>(chat_tokenizer()->vocab_size()));
  const ChatService tomorrow(engine, chat_tokenizer(),
                             builder_of(default_chat_template(), next_day), ChatModelInfo{},
                             static_cast<std::size_t>(chat_tokenizer()->vocab_size()));
  EXPECT_NE(*system_prefix(*chat_, {}), *system_prefix(tomorrow, {}));
}

TEST_F(SystemPrefix, ARefusalIsPassedOn) {
  engine_->refuse = Error{ErrorCode::kUnavailable, "the queue is full"};
  const Status warmed = warm_system_prefixes(*chat_);
  ASSERT_FALSE(warmed);
  EXPECT_EQ(warmed.error().message, "the queue is full");
}

}  // namespace
}  // namespace notso
