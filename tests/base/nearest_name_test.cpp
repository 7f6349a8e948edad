// Which name a slip of the hand is taken for.
#include "base/nearest_name.h"

#include <array>
#include <gtest/gtest.h>

namespace notso {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"server.port", "server.host", "model.path",
                                                    "log.level"};

TEST(NearestName, FindsASlipOfTheHand) {
  EXPECT_EQ(nearest_name("server.prot", kNames), "server.port");
  EXPECT_EQ(nearest_name("sever.host", kNames), "server.host");
  EXPECT_EQ(nearest_name("log.levle", kNames), "log.level");
  EXPECT_EQ(nearest_name("modelpath", kNames), "model.path");
}

TEST(NearestName, TakesTheFirstOfEquallyNearOnes) {
  constexpr std::array<std::string_view, 2> kTwo = {"bat", "cat"};
  EXPECT_EQ(nearest_name("rat", kTwo), "bat");
}

TEST(NearestName, GivesNothingForAnotherWord) {
  EXPECT_EQ(nearest_name("colour", kNames), std::nullopt);
  EXPECT_EQ(nearest_name("", kNames), std::nullopt);
  EXPECT_EQ(nearest_name(std::string(100'000, 'a'), kNames), std::nullopt);
  EXPECT_EQ(nearest_name("anything", {}), std::nullopt);
}

}  // namespace
}  // namespace notso
