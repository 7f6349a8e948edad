#include "service/access/rate_client.h"

#include <gtest/gtest.h>

namespace notso {
namespace {

TEST(RateClient, OneNetworkOfIpv6IsOneClient) {
  EXPECT_EQ(rate_client("", "2001:db8:1:2:3:4:5:6"), rate_client("", "2001:db8:1:2:ffff::1"));
  EXPECT_NE(rate_client("", "2001:db8:1:2::1"), rate_client("", "2001:db8:1:3::1"));
  EXPECT_NE(rate_client("", "::ffff:192.0.2.1"), rate_client("", "::ffff:192.0.2.2"));
  EXPECT_EQ(rate_client("", "192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(rate_client("", ""), "");
}

TEST(RateClient, AKeyIsOneClientWhereverItComesFrom) {
  EXPECT_EQ(rate_client("anna", "192.0.2.1"), "anna");
}

}  // namespace
}  // namespace notso
