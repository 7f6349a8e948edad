#include "web/http/networks.h"

#include <gtest/gtest.h>

namespace notso::http {
namespace {

bool contains(const std::vector<std::string>& list, const char* address) {
  return Networks::create(list).value().contains(boost::asio::ip::make_address(address));
}

TEST(Networks, AnAddressIsItselfAlone) {
  EXPECT_TRUE(contains({"192.0.2.7"}, "192.0.2.7"));
  EXPECT_TRUE(contains({"192.0.2.7"}, "::ffff:192.0.2.7"));
  EXPECT_FALSE(contains({"192.0.2.7"}, "192.0.2.6"));
  EXPECT_FALSE(contains({"192.0.2.7"}, "::c000:207"));
  EXPECT_TRUE(contains({"::1"}, "::1"));
  EXPECT_FALSE(contains({"::1"}, "::2"));
}

TEST(Networks, ANetworkIsAllWithItsFirstBits) {
  EXPECT_TRUE(contains({"172.16.0.0/12"}, "172.31.255.255"));
  EXPECT_FALSE(contains({"172.16.0.0/12"}, "172.32.0.0"));
  EXPECT_TRUE(contains({"10.1.2.3/8", "2001:db8::/33"}, "10.200.0.1"));
  EXPECT_TRUE(contains({"10.1.2.3/8", "2001:db8::/33"}, "2001:db8:7fff::1"));
  EXPECT_FALSE(contains({"10.1.2.3/8", "2001:db8::/33"}, "2001:db8:8000::1"));
  EXPECT_TRUE(contains({"0.0.0.0/0"}, "203.0.113.1"));
  EXPECT_FALSE(contains({"0.0.0.0/0"}, "2001:db8::1"));
  EXPECT_FALSE(contains({}, "127.0.0.1"));
}

TEST(Networks, WhatIsNeitherIsAnError) {
  for (const char* text : {"", "proxy", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x",
                           "::/129", "/8", "10.0.0", "*"}) {
    EXPECT_FALSE(Networks::create({text})) << text;
  }
}

}  // namespace
}  // namespace notso::http
