#include <fstream>
#include <gmock/gmock.h>
#include <iterator>
#include <string>
#include <thread>

#include "store_fixture.h"

namespace notso {
namespace {

using Conversations = StoreTest;
using Values = StoreTest;

TEST_F(Conversations, AreThereAfterAReopening) {
  WaitingStore store = open();
  const auto made = store.create("anna", "Bread", R"({"temperature":0.5})");
  ASSERT_TRUE(made);
  EXPECT_EQ(made->created_ms, now_ms_);
  store = open();
  const auto found = store.get("anna", made->id);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->title, "Bread");
  EXPECT_EQ(found->settings, R"({"temperature":0.5})");
  EXPECT_EQ(found->owner, "anna");
  EXPECT_EQ(found->message_count, 0);
}

TEST_F(Conversations, AreListedNewestFirstAPageAtATime) {
  WaitingStore store = open();
  for (const char* title : {"one", "two", "three"}) ASSERT_TRUE(store.create("anna", title));
  const auto first = store.list("anna", 0, 2);
  ASSERT_TRUE(first);
  ASSERT_EQ(first->size(), 2U);
  EXPECT_EQ((*first)[0].title, "three");
  EXPECT_EQ((*first)[1].title, "two");
  const auto second = store.list("anna", (*first)[1].updated_ms, 2);
  ASSERT_EQ(second->size(), 1U);
  EXPECT_EQ((*second)[0].title, "one");
}

TEST_F(Conversations, ComeFirstWhenAMessageIsAdded) {
  WaitingStore store = open();
  const auto one = store.create("anna", "one");
  const auto two = store.create("anna", "two");
  ASSERT_TRUE(store.append("anna", one->id, user_message("hello")));
  EXPECT_EQ(store.list("anna")->front().title, "one");
  EXPECT_EQ(store.list("anna")->front().message_count, 1);
}

// A page that is drawn from what is read shows no state that never was.
TEST_F(Conversations, AreReadAsTheyWereAtOneMoment) {
  WaitingStore store = open();
  const SessionId id = store.create("anna", "long")->id;
  std::thread writer([&] {
    std::int64_t parent_id = 0;
    for (int i = 0; i < 200; ++i) {
      StoredMessage message = user_message("more");
      message.parent_id = parent_id;
      parent_id = store.append("anna", id, message)->id;
    }
  });
  std::size_t seen = 0;
  while (seen < 200) {
    const auto whole = store.get_whole("anna", id);
    ASSERT_TRUE(whole);
    seen = whole->messages.size();
    const std::int64_t last = seen == 0 ? 0 : whole->messages.back().id;
    EXPECT_EQ(whole->conversation.leaf_id, last);
    EXPECT_EQ(whole->conversation.message_count, static_cast<std::int64_t>(seen));
  }
  writer.join();
}

TEST_F(Conversations, AreNotThereForAnotherOwner) {
  WaitingStore store = open();
  const auto made = store.create("anna", "secret words");
  ASSERT_TRUE(made);
  const auto message = store.append("anna", made->id, user_message("secret words"));
  ASSERT_TRUE(message);
  const SessionId& id = made->id;
  const auto not_found = ErrorCode::kNotFound;
  EXPECT_EQ(code_of(store.get("ben", id)), not_found);
  EXPECT_EQ(code_of(store.rename("ben", id, "mine")), not_found);
  EXPECT_EQ(code_of(store.set_settings("ben", id, "{}")), not_found);
  EXPECT_EQ(code_of(store.set_deleted("ben", id, true)), not_found);
  EXPECT_EQ(code_of(store.set_leaf("ben", id, 0)), not_found);
  EXPECT_EQ(code_of(store.append("ben", id, user_message("hi"))), not_found);
  EXPECT_EQ(code_of(store.update("ben", id, *message)), not_found);
  EXPECT_EQ(code_of(store.path("ben", id)), not_found);
  EXPECT_EQ(code_of(store.messages("ben", id)), not_found);
  EXPECT_EQ(code_of(store.siblings("ben", id, message->id)), not_found);
  EXPECT_EQ(code_of(store.export_json("ben", id)), not_found);
  EXPECT_TRUE(store.list("ben")->empty());
  EXPECT_TRUE(store.search("ben", "secret")->empty());
  EXPECT_EQ(store.get("anna", id)->title, "secret words");
}

TEST_F(Conversations, ThatAreDeletedComeBackUntilTheyArePurged) {
  WaitingStore store = open();
  const auto made = store.create("anna", "Bread");
  ASSERT_TRUE(store.append("anna", made->id, user_message("flour")));
  ASSERT_TRUE(store.set_deleted("anna", made->id, true));
  EXPECT_TRUE(store.list("anna")->empty());
  EXPECT_TRUE(store.search("anna", "flour")->empty());
  EXPECT_EQ(store.get("anna", made->id)->deleted_ms, now_ms_);
  EXPECT_EQ(code_of(store.append("anna", made->id, user_message("water"))), ErrorCode::kNotFound);
  ASSERT_TRUE(store.set_deleted("anna", made->id, false));
  EXPECT_EQ(store.list("anna")->size(), 1U);

  ASSERT_TRUE(store.set_deleted("anna", made->id, true));
  EXPECT_EQ(store.purge(now_ms_, 0), 0);
  EXPECT_EQ(store.purge(now_ms_ + 1, 0), 1);
  EXPECT_EQ(code_of(store.get("anna", made->id)), ErrorCode::kNotFound);
}

TEST_F(Conversations, LeaveNoWordInTheFileOnceTheyAreGone) {
  WaitingStore store = open();
  const auto kept = store.create("anna", "Bread");
  ASSERT_TRUE(store.append("anna", kept->id, user_message("a loaf of sourdough")));
  const auto gone = store.create("anna", "Cake");
  ASSERT_TRUE(store.append("anna", gone->id, user_message("a slice of marzipan")));
  ASSERT_TRUE(store.set_deleted("anna", gone->id, true));
  EXPECT_EQ(store.purge(now_ms_ + 1, 0), 1);
  EXPECT_THAT(*store.search("anna", "sourdough"), testing::SizeIs(1));
  close();
  std::ifstream file(options_.path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  EXPECT_NE(bytes.find("sourdough"), std::string::npos);
  EXPECT_EQ(bytes.find("marzipan"), std::string::npos);
}

TEST_F(Conversations, GoWhenTheyWereIdleAsLongAsAsked) {
  WaitingStore store = open();
  const auto old = store.create("anna", "old");
  now_ms_ += 1000;
  ASSERT_TRUE(store.create("anna", "new"));
  EXPECT_EQ(store.purge(0, 0), 0);
  EXPECT_EQ(store.purge(0, now_ms_), 1);
  ASSERT_EQ(store.list("anna")->size(), 1U);
  EXPECT_EQ(store.list("anna")->front().title, "new");
}

TEST_F(Conversations, RefuseWhatIsTooLarge) {
  WaitingStore store = open();
  const auto made = store.create("anna", "Bread");
  const std::string large(std::size_t{1} << 20U, 'x');
  EXPECT_EQ(code_of(store.create("anna", large)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(store.rename("anna", made->id, large)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(store.set_settings("anna", made->id, large)), ErrorCode::kInvalidArgument);
}

TEST_F(Conversations, RememberWhoGaveTheTitle) {
  WaitingStore store = open();
  const auto made = store.create("anna", "Bread");
  EXPECT_FALSE(made->title_by_user);
  ASSERT_TRUE(store.rename("anna", made->id, "Rye bread"));
  EXPECT_TRUE(store.get("anna", made->id)->title_by_user);
}

TEST_F(Values, AreKeptByOwnerAndNameUntilTheirTime) {
  WaitingStore store = open();
  const std::string bytes("a\0b\xff", 4);
  ASSERT_TRUE(store.put_value("anna", "answer", "old", 0));
  ASSERT_TRUE(store.put_value("anna", "answer", bytes, now_ms_ + 10));
  EXPECT_EQ(store.get_value("anna", "answer"), bytes);
  EXPECT_EQ(code_of(store.get_value("ben", "answer")), ErrorCode::kNotFound);
  now_ms_ += 10;
  EXPECT_EQ(code_of(store.get_value("anna", "answer")), ErrorCode::kNotFound);
  EXPECT_EQ(store.purge(0, 0), 0);
}

TEST_F(Values, ThatExpireAreBoundedInSumForEachOwner) {
  options_.limits.values_bytes_max = 1000;
  WaitingStore store = open();
  const std::string bytes(400, 'x');
  ASSERT_TRUE(store.put_value("anna", "for ever", bytes, 0));
  ASSERT_TRUE(store.put_value("ben", "his", bytes, now_ms_ + 1));
  ASSERT_TRUE(store.put_value("anna", "second", bytes, now_ms_ + 20));
  ASSERT_TRUE(store.put_value("anna", "first", bytes, now_ms_ + 10));
  EXPECT_TRUE(store.get_value("anna", "first"));
  ASSERT_TRUE(store.put_value("anna", "third", bytes, now_ms_ + 30));
  EXPECT_EQ(code_of(store.get_value("anna", "first")), ErrorCode::kNotFound);
  ASSERT_TRUE(store.put_value("anna", "large", std::string(2000, 'x'), now_ms_ + 5));
  EXPECT_TRUE(store.get_value("anna", "large")) << "the newest is kept in any case";
  EXPECT_EQ(code_of(store.get_value("anna", "third")), ErrorCode::kNotFound);
  EXPECT_TRUE(store.get_value("anna", "for ever"));
  EXPECT_TRUE(store.get_value("ben", "his"));
}

TEST_F(Values, CanBeDeleted) {
  WaitingStore store = open();
  ASSERT_TRUE(store.put_value("anna", "answer", "42", 0));
  ASSERT_TRUE(store.delete_value("anna", "answer"));
  EXPECT_EQ(code_of(store.get_value("anna", "answer")), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace notso
