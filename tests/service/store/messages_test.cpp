#include <atomic>
#include <limits>
#include <map>
#include <mutex>
#include <sqlite3.h>
#include <string>

#include "store_fixture.h"

namespace notso {
namespace {

class Messages : public StoreTest {
 protected:
  Messages() : store(open()), id(store.create("anna", "Bread")->id) {}

  std::int64_t add(const std::string& text, std::int64_t parent_id) {
    const auto added = store.append("anna", id, user_message(text, parent_id));
    EXPECT_TRUE(added) << added.error().message;
    return added ? added->id : 0;
  }

  std::vector<std::string> texts(std::int64_t leaf_id = 0) {
    std::vector<std::string> out;
    const auto all = store.path("anna", id, leaf_id);
    for (const StoredMessage& message : *all) {
      out.push_back(message.message.content);
    }
    return out;
  }

  WaitingStore store;
  SessionId id;
};

using Texts = std::vector<std::string>;

TEST_F(Messages, KeepEverythingTheyHave) {
  StoredMessage answer;
  answer.message = {
      Role::kAssistant,
      "Mix it.",
      "Hm, bread.",
      {{"call_0", "calculator", R"({"expression":"1+1"})"}, {"call_1", "clock", "{}"}},
      "call_9",
      "tool name",
      {0, 127, 128, 128011, 16383, 16384, std::numeric_limits<std::int32_t>::max()}};
  answer.state = MessageState::kFailed;
  answer.finish = FinishReason::kTimeout;
  answer.error = "too slow";
  answer.usage = {100, 50, 20, 10, 0.25, 0.5, 1.125};
  answer.model = "SmolLM3-3B";
  answer.client_key = "key";
  answer.followups = {"How long?", "How \"hot\"?"};
  const auto added = store.append("anna", id, answer);
  ASSERT_TRUE(added) << added.error().message;
  EXPECT_EQ(added->created_ms, now_ms_);
  store = open();
  const auto path = store.path("anna", id);
  ASSERT_TRUE(path);
  ASSERT_EQ(path->size(), 1U);
  const StoredMessage& found = path->front();
  EXPECT_EQ(found.id, added->id);
  EXPECT_EQ(found.message.role, Role::kAssistant);
  EXPECT_EQ(found.message.content, answer.message.content);
  EXPECT_EQ(found.message.reasoning, answer.message.reasoning);
  ASSERT_EQ(found.message.tool_calls.size(), 2U);
  EXPECT_EQ(found.message.tool_calls[0].id, "call_0");
  EXPECT_EQ(found.message.tool_calls[0].name, "calculator");
  EXPECT_EQ(found.message.tool_calls[0].arguments, R"({"expression":"1+1"})");
  EXPECT_EQ(found.message.tool_call_id, "call_9");
  EXPECT_EQ(found.message.name, "tool name");
  EXPECT_EQ(found.message.tokens, answer.message.tokens);
  EXPECT_EQ(found.state, MessageState::kFailed);
  EXPECT_EQ(found.finish, FinishReason::kTimeout);
  EXPECT_EQ(found.error, "too slow");
  EXPECT_EQ(found.usage.prompt_tokens, 100);
  EXPECT_EQ(found.usage.thinking_tokens, 10);
  EXPECT_EQ(found.usage.completion_s, 1.125);
  EXPECT_EQ(found.model, "SmolLM3-3B");
  EXPECT_EQ(found.client_key, "key");
  EXPECT_EQ(found.followups, answer.followups);
}

TEST_F(Messages, FormTreesWhosePathsCanBeWalked) {
  const auto question = add("question", 0);
  const auto first = add("first answer", question);
  const auto second = add("second answer", question);
  EXPECT_EQ(texts(), (Texts{"question", "second answer"}));
  EXPECT_EQ(texts(first), (Texts{"question", "first answer"}));
  EXPECT_EQ(store.siblings("anna", id, second), (std::vector<std::int64_t>{first, second}));
  EXPECT_EQ(store.siblings("anna", id, question), std::vector<std::int64_t>{question});
  ASSERT_TRUE(store.set_leaf("anna", id, first));
  EXPECT_EQ(texts(), (Texts{"question", "first answer"}));
  EXPECT_EQ(store.messages("anna", id)->size(), 3U);
}

TEST_F(Messages, AreNotFoundInAnotherConversation) {
  const auto message = add("question", 0);
  const auto other = store.create("anna", "Cheese");
  EXPECT_EQ(code_of(store.append("anna", other->id, user_message("hi", message))),
            ErrorCode::kNotFound);
  EXPECT_EQ(code_of(store.set_leaf("anna", other->id, message)), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(store.path("anna", other->id, message)), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(store.siblings("anna", other->id, message)), ErrorCode::kNotFound);
  StoredMessage changed;
  changed.id = message;
  EXPECT_EQ(code_of(store.update("anna", other->id, changed)), ErrorCode::kNotFound);
}

TEST_F(Messages, SentTwiceAreStoredOnce) {
  StoredMessage message = user_message("question");
  message.client_key = "key";
  const auto first = store.append("anna", id, message);
  const auto leaf = add("later", first->id);
  message.message.content = "changed";
  const auto again = store.append("anna", id, message);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->id, first->id);
  EXPECT_EQ(again->message.content, "question");
  EXPECT_EQ(store.get("anna", id)->message_count, 2);
  EXPECT_EQ(store.get("anna", id)->leaf_id, leaf);
  const auto other = store.create("anna", "Cheese");
  EXPECT_NE(store.append("anna", other->id, message)->id, first->id);
}

TEST_F(Messages, ThatRunAreKnownUntilTheyEnd) {
  StoredMessage answer = user_message("par");
  answer.message.role = Role::kAssistant;
  answer.state = MessageState::kRunning;
  StoredMessage stored = *store.append("anna", id, answer);
  const auto running = store.running();
  ASSERT_EQ(running->size(), 1U);
  EXPECT_EQ(running->front().owner, "anna");
  EXPECT_EQ(running->front().conversation, id);
  EXPECT_EQ(running->front().message_id, stored.id);
  EXPECT_TRUE(store.search("anna", "par")->empty());
  stored.message.content = "partly whole";
  stored.state = MessageState::kDone;
  ASSERT_TRUE(store.update("anna", id, stored));
  EXPECT_TRUE(store.running()->empty());
  EXPECT_EQ(texts(), Texts{"partly whole"});
  EXPECT_EQ(store.search("anna", "par")->size(), 1U);
}

TEST_F(Messages, AreWholeUtf8WithoutNulWhateverComes) {
  add(std::string("a\0b", 3) + "\xff\xc3 \xf0\x9f\x8d\x9e", 0);
  EXPECT_EQ(texts(), Texts{"a\xEF\xBF\xBD"
                           "b\xEF\xBF\xBD\xEF\xBF\xBD \xf0\x9f\x8d\x9e"});
  add("'; DROP TABLE message; --", 0);
  EXPECT_EQ(store.messages("anna", id)->size(), 2U);
}

TEST_F(Messages, RefuseWhatIsTooLarge) {
  options_.limits.message_bytes_max = 100;
  options_.limits.messages_max = 1;
  store = open();
  EXPECT_EQ(code_of(store.append("anna", id, user_message(std::string(101, 'x')))),
            ErrorCode::kInvalidArgument);
  add("fits", 0);
  EXPECT_EQ(code_of(store.append("anna", id, user_message("one more"))),
            ErrorCode::kInvalidArgument);
}

// What the statements of all connections have cost, by their text.
std::mutex scan_mutex;
std::map<std::string, int> scan_steps;

int note_statement(unsigned /*kind*/, void* /*context*/, void* statement, void* /*nanoseconds*/) {
  const auto* stmt = static_cast<sqlite3_stmt*>(statement);
  const int steps =
      sqlite3_stmt_status(const_cast<sqlite3_stmt*>(stmt), SQLITE_STMTSTATUS_FULLSCAN_STEP, 1);
  const std::lock_guard lock(scan_mutex);
  if (const char* sql = sqlite3_sql(const_cast<sqlite3_stmt*>(stmt)); sql != nullptr) {
    scan_steps[sql] += steps;
  }
  return 0;
}

int note_connection(sqlite3* connection, const char** /*error*/, const void* /*api*/) {
  return sqlite3_trace_v2(connection, SQLITE_TRACE_PROFILE, note_statement, nullptr);
}

// SQLite counts each row that a statement reads by walking through a whole table.
TEST_F(Messages, AreFoundByIndexesOnly) {
  const auto hook = reinterpret_cast<void (*)()>(note_connection);
  ASSERT_EQ(sqlite3_auto_extension(hook), SQLITE_OK);
  store = open();
  sqlite3_cancel_auto_extension(hook);
  std::int64_t parent = 0;
  for (int i = 0; i < 50; ++i) parent = add("flour and water", parent);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(store.create("anna", "other"));
  {
    const std::lock_guard lock(scan_mutex);
    scan_steps.clear();
  }
  add("flour", parent);
  StoredMessage changed = user_message("changed");
  changed.id = parent;
  ASSERT_TRUE(store.update("anna", id, changed));
  EXPECT_EQ(store.path("anna", id)->size(), 51U);
  EXPECT_EQ(store.messages("anna", id)->size(), 51U);
  EXPECT_EQ(store.siblings("anna", id, parent)->size(), 1U);
  EXPECT_EQ(store.list("anna")->size(), 51U);
  EXPECT_TRUE(store.running()->empty());
  EXPECT_FALSE(store.search("anna", "flour")->empty());
  EXPECT_EQ(store.purge(1, 1), 0);
  close();
  const std::lock_guard lock(scan_mutex);
  EXPECT_GT(scan_steps.size(), 5U);
  for (const auto& [sql, steps] : scan_steps) EXPECT_EQ(steps, 0) << sql;
}

}  // namespace
}  // namespace notso
