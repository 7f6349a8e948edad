#include <boost/json.hpp>
#include <functional>
#include <string>

#include "store_fixture.h"

namespace notso {
namespace {

namespace json = boost::json;

class Transfer : public StoreTest {
 protected:
  Transfer() : store(open()) {
    id = store.create("anna", "Bread \"and\" more", R"({"temperature":0.3})")->id;
    const auto question = store.append("anna", id, user_message("How much\nflour?"));
    StoredMessage answer;
    answer.parent_id = question->id;
    answer.message.role = Role::kAssistant;
    answer.message.content = "500 g \xf0\x9f\x8d\x9e";
    answer.message.reasoning = "Let me think.";
    answer.message.tool_calls = {{"call_0", "calculator", R"({"expression":"1"})"}};
    answer.message.tokens = {1, 2, 3};
    answer.usage = {10, 5, 3, 1, 0.1, 0.2, 0.3};
    answer.model = "SmolLM3-3B";
    answer.followups = {"And water?"};
    answer.client_key = "key";
    first = store.append("anna", id, answer)->id;
    answer.client_key = "";
    answer.message.content = "400 g";
    answer.state = MessageState::kStopped;
    answer.finish = FinishReason::kCancelled;
    EXPECT_TRUE(store.append("anna", id, answer));
    EXPECT_TRUE(store.set_leaf("anna", id, first));
    EXPECT_TRUE(store.rename("anna", id, "Bread"));
  }

  // The export with a change made to it.
  std::string changed(const std::function<void(json::object&)>& change) {
    json::value file = json::parse(*store.export_json("anna", id));
    change(file.get_object());
    return json::serialize(file);
  }

  // The error of importing an export that was changed.
  std::string refusal(const std::function<void(json::object&)>& change) {
    const auto imported = store.import_json("anna", changed(change));
    EXPECT_FALSE(imported);
    return imported ? "" : imported.error().message;
  }

  static json::object& message(json::object& file, std::size_t index) {
    return file["messages"].get_array()[index].get_object();
  }

  WaitingStore store;
  SessionId id;
  std::int64_t first = 0;
};

TEST_F(Transfer, LosesNothingOnTheWayOutAndBack) {
  const auto exported = store.export_json("anna", id);
  ASSERT_TRUE(exported);
  const auto imported = store.import_json("ben", *exported);
  ASSERT_TRUE(imported) << imported.error().message;
  EXPECT_NE(imported->id, id);
  EXPECT_EQ(imported->message_count, 3);
  EXPECT_TRUE(imported->title_by_user);
  EXPECT_EQ(store.export_json("ben", imported->id), *exported);
  const auto path = store.path("ben", imported->id);
  ASSERT_EQ(path->size(), 2U);
  EXPECT_EQ(path->back().message.content, "500 g \xf0\x9f\x8d\x9e");
  EXPECT_EQ(store.search("ben", "flour")->size(), 1U);
}

TEST_F(Transfer, LeavesTokenIdsBehind) {
  const auto imported = store.import_json("anna", changed([](json::object& file) {
                                            message(file, 1)["tokens"] = {128011, 128012};
                                          }));
  ASSERT_TRUE(imported);
  const auto all = store.messages("anna", imported->id);
  for (const StoredMessage& found : *all) {
    EXPECT_TRUE(found.message.tokens.empty());
  }
}

TEST_F(Transfer, TakesAnAnswerThatWasBeingWrittenAsStopped) {
  const auto imported = store.import_json(
      "anna", changed([](json::object& file) { message(file, 2)["state"] = "running"; }));
  ASSERT_TRUE(imported);
  EXPECT_EQ(store.messages("anna", imported->id)->back().state, MessageState::kStopped);
  EXPECT_TRUE(store.running()->empty());
}

TEST_F(Transfer, NamesWhatIsWrong) {
  EXPECT_EQ(refusal([](json::object& file) { message(file, 1)["role"] = "robot"; }),
            "messages[1].role must be one of system, user, assistant, tool");
  EXPECT_EQ(refusal([](json::object& file) { message(file, 0)["content"] = 5; }),
            "messages[0].content must be a string");
  EXPECT_EQ(refusal([](json::object& file) { file["messages"] = "none"; }),
            "messages must be an array");
  EXPECT_EQ(refusal([](json::object& file) { file["messages"] = {1}; }),
            "messages[0] must be an object");
  EXPECT_EQ(refusal([](json::object& file) {
              message(file, 1)["tool_calls"].get_array()[0].get_object()["name"] = true;
            }),
            "messages[1].tool_calls[0].name must be a string");
  EXPECT_EQ(refusal([](json::object& file) { file["leaf"] = 17; }),
            "leaf is not the id of a message");
  EXPECT_EQ(refusal([](json::object& file) { file["version"] = 2; }),
            "the conversation was exported by a newer notso (version 2, this one reads 1): update "
            "notso");
  EXPECT_EQ(refusal([](json::object& file) { file["format"] = "chat"; }),
            "this is no exported conversation: \"format\" is not \"notso-conversation\"");
}

TEST_F(Transfer, RefusesParentsThatDoNotComeFirst) {
  const std::string error =
      "messages[1] must have an id of its own and the id of an earlier message as its parent, or 0";
  EXPECT_EQ(refusal([](json::object& file) { message(file, 1)["parent"] = 2; }), error);
  EXPECT_EQ(refusal([](json::object& file) { message(file, 1)["parent"] = 3; }), error);
  EXPECT_EQ(refusal([](json::object& file) { message(file, 1)["id"] = 1; }), error);
}

TEST_F(Transfer, LeavesNothingBehindWhenItFails) {
  refusal([](json::object& file) { message(file, 2)["role"] = "robot"; });
  EXPECT_EQ(store.list("anna")->size(), 1U);
  EXPECT_EQ(store.search("anna", "flour")->size(), 1U);
}

TEST_F(Transfer, RefusesWhatIsNoJsonOrTooLargeOrTooDeep) {
  EXPECT_EQ(code_of(store.import_json("anna", "{")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(store.import_json("anna", "")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(store.import_json("anna", "[]")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(store.import_json("anna", std::string(100'000, '['))),
            ErrorCode::kInvalidArgument);
  options_.limits.import_bytes_max = 100;
  store = open();
  EXPECT_EQ(code_of(store.import_json("anna", std::string(101, ' '))), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace notso
