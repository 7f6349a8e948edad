#include "web/http/router.h"

#include <gtest/gtest.h>

namespace notso::http {
namespace {

Handler nothing() {
  return [](Exchange&) -> boost::asio::awaitable<void> { co_return; };
}

TEST(Router, PathsAreMatchedPartByPart) {
  Router router;
  router.add("GET", "/chats/{id}/messages/{number}", nothing());
  const auto match = router.find("GET", "/chats/a b/messages/7");
  ASSERT_NE(match.handler, nullptr);
  EXPECT_EQ(match.pattern, "/chats/{id}/messages/{number}");
  ASSERT_EQ(match.path_parameters.size(), 2U);
  EXPECT_EQ(match.path_parameters[0].value, "a b");
  EXPECT_EQ(match.path_parameters[1].value, "7");
  for (const char* path : {"/chats/a/messages", "/chats/a/messages/7/8", "/chats//messages/7",
                           "/chats/a/messages/", "/chats", "", "/"}) {
    EXPECT_EQ(router.find("GET", path).handler, nullptr) << path;
  }
}

TEST(Router, LiteralsGoBeforeNamesAndNamesBeforeRests) {
  Router router;
  router.add("GET", "/a/{rest...}", nothing());
  router.add("GET", "/a/{name}", nothing());
  router.add("GET", "/a/b", nothing());
  EXPECT_EQ(router.find("GET", "/a/b").pattern, "/a/b");
  EXPECT_EQ(router.find("GET", "/a/c").pattern, "/a/{name}");
  const auto rest = router.find("GET", "/a/c/d");
  EXPECT_EQ(rest.pattern, "/a/{rest...}");
  EXPECT_EQ(rest.path_parameters.at(0).value, "c/d");
  EXPECT_EQ(router.find("GET", "/a/").handler, nullptr);
}

TEST(Router, AnotherMethodOfAPathGivesWhatIsAllowed) {
  Router router;
  router.add("GET", "/a", nothing());
  router.add("POST", "/a", nothing());
  EXPECT_EQ(router.find("DELETE", "/a").handler, nullptr);
  EXPECT_EQ(router.find("DELETE", "/a").allowed, "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(router.find("DELETE", "/b").allowed, "");
}

TEST(Router, HeadIsAnsweredByGetsHandlerOnly) {
  Router router;
  router.add("GET", "/a", nothing());
  router.add("POST", "/b", nothing());
  EXPECT_NE(router.find("HEAD", "/a").handler, nullptr);
  EXPECT_EQ(router.find("HEAD", "/b").handler, nullptr);
}

TEST(Router, OptionsBelongToTheRoute) {
  Router router;
  router.add("POST", "/a", nothing(), {.open = true, .changes_state = false, .body_bytes_max = 7});
  const auto options = router.find("POST", "/a").options;
  EXPECT_TRUE(options.open);
  EXPECT_FALSE(options.changes_state);
  EXPECT_EQ(options.body_bytes_max, 7U);
}

}  // namespace
}  // namespace notso::http
