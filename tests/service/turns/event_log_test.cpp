#include "service/turns/event_log.h"

#include <gtest/gtest.h>
#include <string>

namespace notso {
namespace {

TurnEvent delta(std::size_t bytes) {
  TurnEvent event;
  event.what = ContentDelta{std::string(bytes, 'x')};
  return event;
}

TEST(EventLog, NumbersEventsOneAfterTheOther) {
  EventLog log(1000, 1 << 20);
  const std::uint64_t first = log.add(delta(1)).id;
  EXPECT_EQ(log.add(delta(1)).id, first + 1);
  EXPECT_EQ(log.last_id(), first + 1);
}

TEST(EventLog, BeginsAboveAllThatAnEarlierRunHasNumbered) {
  EventLog before(1000, 1 << 20);
  for (int i = 0; i < 1000; ++i) before.add(delta(1));
  EXPECT_GT(EventLog(1001, 1 << 20).add(delta(1)).id, before.last_id());
}

TEST(EventLog, KnowsWhatItStillHas) {
  EventLog log(1000, 20'000);
  const std::uint64_t start = log.last_id();
  EXPECT_TRUE(log.reaches(start));
  EXPECT_FALSE(log.reaches(0));
  log.add(delta(5000));
  EXPECT_TRUE(log.reaches(start));
  for (int i = 0; i < 10; ++i) log.add(delta(5000));
  EXPECT_FALSE(log.reaches(start));
  EXPECT_TRUE(log.reaches(log.last_id()));
  EXPECT_FALSE(log.reaches(log.last_id() + 1));
  EXPECT_LE(log.events().size(), 4U);
}

}  // namespace
}  // namespace notso
