#include "service/store/uuid.h"

#include <gmock/gmock.h>
#include <set>
#include <string>

namespace notso {
namespace {

TEST(Uuid, IsVersion7OfTheRfcWithMoreBits) {
  // The time of RFC 9562's own example, and the text it gives there.
  const auto id = new_secret_id(0x017F22E279B0);
  ASSERT_TRUE(id);
  EXPECT_THAT(*id, testing::MatchesRegex("017f22e2-79b0-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
                                         "-[0-9a-f]{14}"));
}

TEST(Uuid, RisesWithTime) {
  EXPECT_LT(*new_secret_id(1'700'000'000'000), *new_secret_id(1'700'000'000'001));
  EXPECT_LT(*new_secret_id(255), *new_secret_id(256));
}

TEST(Uuid, IsNeverTheSameTwice) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(*new_secret_id(1));
  EXPECT_EQ(ids.size(), 1000U);
}

}  // namespace
}  // namespace notso
