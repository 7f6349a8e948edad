#include "web/http/target.h"

#include <gtest/gtest.h>

namespace notso::http {
namespace {

TEST(Target, APathIsDecodedOnce) {
  const auto target = parse_target("/a%20b/%C3%A9/%252e%252e");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/a b/\xc3\xa9/%2e%2e");
}

TEST(Target, AQueryIsDecodedIntoParametersInTheirOrder) {
  const auto target = parse_target("/p?a=1&b=x+y%26z&&c&d=&a=2");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->query, "a=1&b=x+y%26z&&c&d=&a=2");
  ASSERT_EQ(target->parameters.size(), 5U);
  EXPECT_EQ(target->parameters[1].value, "x y&z");
  EXPECT_EQ(target->parameters[2].name, "c");
  EXPECT_EQ(target->parameters[2].value, "");
  EXPECT_EQ(target->parameters[4].value, "2");
}

TEST(Target, AnAbsoluteTargetGivesItsAuthority) {
  const auto target = parse_target("HTTP://Localhost:80?q=1");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->scheme, "http");
  EXPECT_EQ(target->authority, "Localhost:80");
  EXPECT_EQ(target->path, "/");
  EXPECT_EQ(target->query, "q=1");
}

TEST(Target, AnEncodedSlashMayBePartOfAName) {
  const auto target = parse_target("/v1/models/owner%2Fmodel");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/v1/models/owner/model");
}

TEST(Target, NamesWithDotsAreNames) {
  for (const char* text : {"/.well-known", "/a..b", "/...", "/a.", "/"}) {
    EXPECT_TRUE(parse_target(text)) << text;
  }
}

TEST(Target, WhatIsPercentEncodedDecodesToItself) {
  EXPECT_EQ(percent_encode("/a-b_c.~9"), "/a-b_c.~9");
  EXPECT_EQ(percent_encode("/\xC3\xA4 ?&=%+\""), "/%C3%A4%20%3F%26%3D%25%2B%22");
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  EXPECT_EQ(percent_decode(percent_encode(bytes), true).value(), bytes);
}

TEST(Target, TooManyParametersAreRefused) {
  std::string text = "/?";
  for (int i = 0; i < 101; ++i) text += "a&";
  EXPECT_FALSE(parse_target(text));
}

}  // namespace
}  // namespace notso::http
