#include "web/http/site.h"

#include <gtest/gtest.h>

namespace notso::http {
namespace {

Site make_site(const std::string& bound, const std::vector<std::string>& hosts = {},
               const std::vector<std::string>& origins = {}, bool behind_proxy = false) {
  return Site::create(bound, 3000, hosts, origins, behind_proxy).value();
}

bool is_ours(const Site& site, std::string_view host, bool secure = false) {
  const auto authority = parse_authority(host);
  return authority && site.is_ours(*authority, secure);
}

TEST(Site, OnLoopbackItsNamesAreOursWithAnyPort) {
  const Site site = make_site("127.0.0.1");
  for (const char* host : {"localhost:3000", "LocalHost:3000", "127.0.0.1:3000", "[::1]:3000",
                           "127.1.2.3:3000", "localhost", "localhost:8080", "127.0.0.1:8080"}) {
    EXPECT_TRUE(is_ours(site, host)) << host;
  }
  for (const char* host : {"example.com:3000", "10.0.0.1:3000", "localhost.example.com:3000",
                           "[2001:db8::1]:3000", "0.0.0.0:3000"}) {
    EXPECT_FALSE(is_ours(site, host)) << host;
  }
}

TEST(Site, OnAnotherAddressThePortMustBeOurs) {
  const Site site = make_site("192.168.1.5");
  EXPECT_TRUE(is_ours(site, "192.168.1.5:3000"));
  EXPECT_TRUE(is_ours(site, "localhost:3000"));
  EXPECT_FALSE(is_ours(site, "192.168.1.5:8080"));
  EXPECT_FALSE(is_ours(site, "localhost:8080"));
}

TEST(Site, AServerOnAllAddressesTakesAnyAddressButNoName) {
  const Site site = make_site("0.0.0.0");
  EXPECT_TRUE(is_ours(site, "192.168.1.5:8080"));
  EXPECT_TRUE(is_ours(site, "[2001:db8::1]:3000"));
  EXPECT_FALSE(is_ours(site, "example.com:3000"));
}

TEST(Site, ConfiguredNamesAreOursWithTheirPortOrAny) {
  const Site site = make_site("127.0.0.1", {"chat.example.com", "other.example.com:8443"});
  EXPECT_TRUE(is_ours(site, "Chat.Example.com"));
  EXPECT_TRUE(is_ours(site, "chat.example.com:9"));
  EXPECT_TRUE(is_ours(site, "other.example.com:8443"));
  EXPECT_FALSE(is_ours(site, "other.example.com"));
}

TEST(Site, AConfiguredNameThatCannotBeReadIsAnError) {
  EXPECT_FALSE(Site::create("127.0.0.1", 1, {"a b"}, {}, false));
  EXPECT_FALSE(Site::create("127.0.0.1", 1, {}, {"example.com"}, false));
  EXPECT_FALSE(Site::create("127.0.0.1", 1, {}, {"*"}, false));
}

Origin judge(const Site& site, std::vector<Field> headers, bool secure = false) {
  Request request;
  request.headers = std::move(headers);
  request.secure = secure;
  return site.judge(request, parse_authority("localhost:3000").value());
}

TEST(Site, OriginsAreTheSameBySchemeHostAndPort) {
  const Site site = make_site("127.0.0.1");
  EXPECT_EQ(judge(site, {}), Origin::kNone);
  EXPECT_EQ(judge(site, {{"Origin", "http://localhost:3000"}}), Origin::kSame);
  EXPECT_EQ(judge(site, {{"Origin", "https://localhost:3000"}}, true), Origin::kSame);
  EXPECT_EQ(judge(site, {{"Origin", "https://localhost:3000"}}), Origin::kForeign);
  EXPECT_EQ(judge(site, {{"Origin", "http://localhost"}}), Origin::kForeign);
  EXPECT_EQ(judge(site, {{"Origin", "http://127.0.0.1:3000"}}), Origin::kForeign);
  EXPECT_EQ(judge(site, {{"Origin", "null"}}), Origin::kForeign);
  EXPECT_EQ(judge(site, {{"Origin", ""}}), Origin::kForeign);
}

TEST(Site, WithoutOriginTheBrowsersWordOnTheSiteCounts) {
  const Site site = make_site("127.0.0.1");
  EXPECT_EQ(judge(site, {{"Sec-Fetch-Site", "same-origin"}}), Origin::kNone);
  EXPECT_EQ(judge(site, {{"Sec-Fetch-Site", "none"}}), Origin::kNone);
  EXPECT_EQ(judge(site, {{"Sec-Fetch-Site", "same-site"}}), Origin::kForeign);
  EXPECT_EQ(judge(site, {{"Sec-Fetch-Site", "cross-site"}}), Origin::kForeign);
}

TEST(Site, ABrowsersWordForTheSameOriginCountsWhateverOriginSays) {
  const Site site = make_site("127.0.0.1");
  for (const char* origin : {"null", "https://localhost:3000"}) {
    EXPECT_EQ(judge(site, {{"Origin", origin}, {"Sec-Fetch-Site", "same-origin"}}), Origin::kSame);
    for (const char* word : {"same-site", "cross-site", "none"}) {
      EXPECT_EQ(judge(site, {{"Origin", origin}, {"Sec-Fetch-Site", word}}), Origin::kForeign);
    }
  }
}

TEST(Site, ProgramsAndExtensionsHaveOriginsOfTheirOwn) {
  const Site site = make_site("127.0.0.1", {}, {"app://obsidian.md", "chrome-extension://abc"});
  EXPECT_EQ(judge(site, {{"Origin", "app://obsidian.md"}}), Origin::kListed);
  EXPECT_EQ(judge(site, {{"Origin", "chrome-extension://abc"}}), Origin::kListed);
  EXPECT_EQ(judge(site, {{"Origin", "chrome-extension://abd"}}), Origin::kForeign);
  EXPECT_EQ(judge(site, {{"Origin", "app://localhost:3000"}}), Origin::kForeign);
  for (const char* text : {"*", "null", "://a", "a b://c", "1a://b", "app://"}) {
    EXPECT_FALSE(Site::create("127.0.0.1", 3000, {}, {text}, false)) << text;
  }
}

TEST(Site, ListedOriginsMayCall) {
  const Site site = make_site("127.0.0.1", {}, {"https://app.example.com"});
  EXPECT_EQ(judge(site, {{"Origin", "https://app.example.com"}}), Origin::kListed);
  EXPECT_EQ(judge(site, {{"Origin", "https://app.example.com:443"}}), Origin::kListed);
  EXPECT_EQ(judge(site, {{"Origin", "http://app.example.com"}}), Origin::kForeign);
  EXPECT_EQ(judge(site, {{"Origin", "https://app.example.com.evil"}}), Origin::kForeign);
}

}  // namespace
}  // namespace notso::http
