// Who passes the gate, and how often.
#include "web/ops/gate.h"

#include <cstdlib>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace notso::ops {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

// A gate with one key, "alice"'s, and low limits.
class GateTest : public ::testing::Test {
 protected:
  GateTest() {
    std::string name = (fs::temp_directory_path() / "gate_test_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~GateTest() override { fs::remove_all(folder_); }

  // Closes the server: makes the key.
  void close() {
    const std::string path = (folder_ / "keys").string();
    auto key = add_api_key(path, "alice");
    ASSERT_TRUE(key);
    key_ = *key;
    ASSERT_TRUE(keys_.load(path));
  }

  // What the gate says to a request with these headers; 0: it may pass.
  int ask(std::string method, std::vector<http::Field> headers, bool open = false) {
    request_ = {};
    request_.method = std::move(method);
    request_.path = "/v1/chat/completions";
    request_.remote = remote_;
    request_.headers = std::move(headers);
    const auto error = [](const http::Request&, int status, const std::string& text) {
      return http::Response{status, {}, text};
    };
    const http::Gate gate = make_gate({keys_, requests_, tokens_, error, sign_in_path_});
    http::RouteOptions options;
    options.open = open;
    response_ = gate(request_, options).value_or(http::Response{0, {}, ""});
    return response_.status;
  }

  // A header of the refusal.
  [[nodiscard]] std::string header(const std::string& name) const {
    for (const http::Field& field : response_.headers) {
      if (field.name == name) return field.value;
    }
    return "";
  }

  fs::path folder_;
  std::string key_;
  std::string remote_ = "192.0.2.1";
  std::string sign_in_path_;
  KeyRing keys_;
  RateLimiter requests_{{.per_second = 0.001, .burst = 2}, 100};
  RateLimiter tokens_{{.per_second = 1, .burst = 60}, 100};
  http::Request request_;
  http::Response response_;
};

TEST_F(GateTest, WithoutKeysEveryonePassesAsNobody) {
  EXPECT_EQ(ask("GET", {}), 0);
  EXPECT_EQ(ask("GET", {{"Authorization", "Bearer anything"}}), 0);
  EXPECT_EQ(request_.principal, "");
}

TEST_F(GateTest, WithKeysAStrangerIsRefusedAndTold) {
  close();
  EXPECT_EQ(ask("GET", {}), 401);
  EXPECT_EQ(header("WWW-Authenticate"), "Bearer");
  EXPECT_THAT(response_.body, HasSubstr("Authorization: Bearer"));
  EXPECT_EQ(ask("POST", {{"Authorization", "Bearer notso-wrong"}}), 401);
  EXPECT_EQ(ask("POST", {{"Authorization", "Basic " + key_}}), 401);
  EXPECT_EQ(ask("POST", {{"Authorization", key_}}), 401);
  EXPECT_EQ(ask("POST", {{"x-api-key", ""}}), 401);
  EXPECT_EQ(request_.principal, "");
}

TEST_F(GateTest, AKeyPassesInEitherHeaderAndNamesItsOwner) {
  close();
  for (const std::vector<http::Field>& headers :
       {std::vector<http::Field>{{"Authorization", "Bearer " + key_}},
        std::vector<http::Field>{{"authorization", "bearer  " + key_ + " "}},
        std::vector<http::Field>{{"X-Api-Key", key_}}}) {
    EXPECT_EQ(ask("GET", headers), 0) << headers[0].name;
    EXPECT_EQ(request_.principal, "alice");
  }
}

TEST_F(GateTest, ARouteThatIsOpenNeedsNoKeyButKnowsOne) {
  close();
  EXPECT_EQ(ask("GET", {}, true), 0);
  EXPECT_EQ(request_.principal, "");
  EXPECT_EQ(ask("GET", {{"x-api-key", key_}}, true), 0);
  EXPECT_EQ(request_.principal, "alice");
}

TEST_F(GateTest, TheSignInCookiePassesAndHoldsNoKey) {
  close();
  const std::string cookie = sign_in_cookie(key_, true);
  EXPECT_THAT(cookie, HasSubstr("; HttpOnly; SameSite=Lax; Secure"));
  EXPECT_THAT(cookie, Not(HasSubstr(key_)));
  const std::string pair = cookie.substr(0, cookie.find(';'));
  EXPECT_EQ(ask("GET", {{"Cookie", "theme=dark; " + pair}}), 0);
  EXPECT_EQ(request_.principal, "alice");
  EXPECT_EQ(ask("GET", {{"Cookie", std::string(kSignInCookie) + "=" + key_}}), 401);
  EXPECT_EQ(ask("GET", {{"x-api-key", pair.substr(pair.find('=') + 1)}}), 401);
}

TEST_F(GateTest, ABrowserIsSentToTheSignInPage) {
  close();
  sign_in_path_ = "/login";
  EXPECT_EQ(ask("GET", {{"Accept", "text/html,*/*"}}), 303);
  EXPECT_EQ(header("Location"), "/login?to=/v1/chat/completions");
  EXPECT_EQ(ask("GET", {{"Accept", "application/json"}}), 401);
  EXPECT_EQ(ask("POST", {{"Accept", "text/html"}}), 401);
}

TEST_F(GateTest, WhatAnOpenPageAsksForIsRefusedAndNotSentToTheSignInPage) {
  close();
  sign_in_path_ = "/login";
  EXPECT_EQ(ask("GET", {{"Accept", "text/html"}, {"HX-Request", "true"}}), 401);
  EXPECT_EQ(ask("GET", {{"Accept", "text/html, text/event-stream"}}), 401);
}

TEST_F(GateTest, HasteIsRefusedWithTheTimeToWait) {
  EXPECT_EQ(ask("POST", {}), 0);
  EXPECT_EQ(ask("POST", {}), 0);
  EXPECT_EQ(ask("POST", {}), 429);
  EXPECT_GE(std::stoi(header("Retry-After")), 1);
  EXPECT_EQ(ask("GET", {}), 0);
  remote_ = "192.0.2.2";
  EXPECT_EQ(ask("POST", {}), 0);
}

TEST_F(GateTest, ARateIsCountedForTheKeyNotForTheAddress) {
  close();
  const std::vector<http::Field> headers = {{"x-api-key", key_}};
  EXPECT_EQ(ask("POST", headers), 0);
  remote_ = "192.0.2.2";
  EXPECT_EQ(ask("POST", headers), 0);
  remote_ = "192.0.2.3";
  EXPECT_EQ(ask("POST", headers), 429);
}

TEST_F(GateTest, StrangersDoNotUseUpTheRateOfAKey) {
  close();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ask("POST", {{"x-api-key", "notso-wrong"}}), 401);
  EXPECT_EQ(ask("POST", {{"x-api-key", key_}}), 0);
}

TEST_F(GateTest, WhoHasUsedUpTheMinutesTokensWaits) {
  tokens_.charge(remote_, 160, std::chrono::steady_clock::now());
  EXPECT_EQ(ask("POST", {}), 429);
  EXPECT_NEAR(std::stoi(header("Retry-After")), 100, 2);
  EXPECT_THAT(response_.body, HasSubstr("tokens are used up"));
  EXPECT_EQ(ask("GET", {}), 0);
}

}  // namespace
}  // namespace notso::ops
