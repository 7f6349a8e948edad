#include <string>

#include "store_fixture.h"

namespace notso {
namespace {

class Search : public StoreTest {
 protected:
  Search() : store(open()) {
    bread = store.create("anna", "Baking bread")->id;
    message = store.append("anna", bread, user_message("How much flour for a Crème loaf?"))->id;
  }

  std::size_t hits(const std::string& query) {
    const auto found = store.search("anna", query);
    EXPECT_TRUE(found) << found.error().message;
    return found ? found->size() : 0;
  }

  WaitingStore store;
  SessionId bread;
  std::int64_t message = 0;
};

TEST_F(Search, FindsTitlesAndMessagesAndMarksTheWord) {
  const auto in_title = store.search("anna", "BREAD");
  ASSERT_EQ(in_title->size(), 1U);
  EXPECT_EQ((*in_title)[0].conversation, bread);
  EXPECT_EQ((*in_title)[0].message_id, 0);
  EXPECT_EQ((*in_title)[0].snippet,
            "Baking \x02"
            "bread\x03");
  const auto in_message = store.search("anna", "flour");
  ASSERT_EQ(in_message->size(), 1U);
  EXPECT_EQ((*in_message)[0].message_id, message);
  EXPECT_EQ((*in_message)[0].title, "Baking bread");
  EXPECT_EQ((*in_message)[0].snippet,
            "How much \x02"
            "flour\x03 for a Crème loaf?");
}

TEST_F(Search, TakesTheLastWordAsABeginningAndTheOthersWhole) {
  EXPECT_EQ(hits("how flo"), 1U);
  EXPECT_EQ(hits("flo how"), 0U);
  EXPECT_EQ(hits("flour sugar"), 0U);
}

TEST_F(Search, DoesNotMindAccents) { EXPECT_EQ(hits("creme"), 1U); }

TEST_F(Search, TakesAnyTextAsWords) {
  for (const char* query :
       {"\"",         "\"\"",      "*",        "flour*", "AND",
        "flour AND",  "NOT flour", "NEAR(",    "(",      ")",
        "text:flour", "-flour",    "^",        "'",      "''; DROP TABLE message",
        "\xff\xfe",   "{a b}: c",  "flour OR", "+",      "  "}) {
    EXPECT_TRUE(store.search("anna", query)) << query;
  }
  EXPECT_TRUE(store.search("anna", std::string("fl\0our", 6)));
  EXPECT_EQ(hits("fl\"our"), 0U);
  EXPECT_EQ(hits("loaf?"), 1U);
  EXPECT_EQ(hits(""), 0U);
  EXPECT_EQ(code_of(store.search("anna", std::string(2000, 'x'))), ErrorCode::kInvalidArgument);
}

TEST_F(Search, FollowsChanges) {
  StoredMessage changed = user_message("How much rye?");
  changed.id = message;
  ASSERT_TRUE(store.update("anna", bread, changed));
  EXPECT_EQ(hits("flour"), 0U);
  EXPECT_EQ(hits("rye"), 1U);
  ASSERT_TRUE(store.rename("anna", bread, "Cakes"));
  EXPECT_EQ(hits("bread"), 0U);
  EXPECT_EQ(hits("cakes"), 1U);
  ASSERT_TRUE(store.set_deleted("anna", bread, true));
  ASSERT_EQ(store.purge(now_ms_ + 1, 0), 1);
  EXPECT_EQ(hits("rye"), 0U);
  store = open();  // checks the file whole, the index included
  EXPECT_TRUE(store_->health());
}

TEST_F(Search, MarksOnlyWhatWasFoundWhateverTheTextHolds) {
  ASSERT_TRUE(store.append("anna", bread, user_message("a \x02yeast\x03 b salt")));
  EXPECT_EQ(store.search("anna", "salt")->front().snippet, "a  yeast  b \x02salt\x03");
}

TEST_F(Search, LeavesToolsResultsAndSystemPromptsOut) {
  StoredMessage tool = user_message("pepper");
  tool.message.role = Role::kTool;
  ASSERT_TRUE(store.append("anna", bread, tool));
  EXPECT_EQ(hits("pepper"), 0U);
}

TEST_F(Search, GivesAtMostAsManyAsAsked) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(store.append("anna", bread, user_message("flour")));
  EXPECT_EQ(store.search("anna", "flour", 3)->size(), 3U);
  EXPECT_EQ(store.search("anna", "flour", -1)->size(), 0U);
}

}  // namespace
}  // namespace notso
