// Lines of the log: one an event, whatever their fields hold, and never a wait for the sink.
#include "base/log.h"

#include <atomic>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mutex>
#include <thread>
#include <vector>

namespace notso {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::SizeIs;

// Collects the lines written while it lives; lines() ends the log.
class Lines {
 public:
  explicit Lines(LogOptions options = {}) {
    options.write = [this](std::string_view line) { lines_.emplace_back(line); };
    start_log(std::move(options));
  }
  ~Lines() { stop_log(); }

  const std::vector<std::string>& lines() {
    stop_log();
    return lines_;
  }

 private:
  std::vector<std::string> lines_;
};

TEST(Log, ATextLineHasTimeLevelEventAndFields) {
  Lines log;
  log_info("model loaded", {{"path", "a.gguf"}, {"seconds", 1.5}, {"layers", 36}, {"warm", true}});
  ASSERT_THAT(log.lines(), SizeIs(1));
  EXPECT_THAT(log.lines()[0],
              AllOf(MatchesRegex("[0-9-]+T[0-9:]+\\.[0-9]+Z INFO  model loaded .*\n"),
                    EndsWith(" path=a.gguf seconds=1.5 layers=36 warm=true\n")));
}

TEST(Log, AJsonLineIsOneObject) {
  Lines log({.format = LogFormat::kJson});
  log_warning("slow", {{"path", std::string("a b")}, {"rate", 1e300 * 1e300}, {"n", -3}});
  ASSERT_THAT(log.lines(), SizeIs(1));
  EXPECT_THAT(log.lines()[0],
              MatchesRegex("\\{\"time\":\"[0-9T:.-]+Z\",\"level\":\"warning\",\"event\":\"slow\","
                           "\"path\":\"a b\",\"rate\":null,\"n\":-3\\}\n"));
}

TEST(Log, ControlCharactersCannotForgeALineOrMoveTheCursor) {
  Lines log;
  log_info("request", {{"path",
                        "/x\n2026 ERROR all lost\r\x1b[2J\x7f\xc2\x9b"
                        "2J"}});
  ASSERT_THAT(log.lines(), SizeIs(1));
  const std::string& line = log.lines()[0];
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_THAT(line, HasSubstr(R"("/x\u000a2026 ERROR all lost\u000d\u001b[2J\u007f\u009b2J")"));
}

TEST(Log, BytesThatAreNotUtf8AreReplaced) {
  Lines log;
  log_info("request", {{"path", "a\xff"}});
  EXPECT_THAT(log.lines()[0], EndsWith("path=\"a\xef\xbf\xbd\"\n"));
}

TEST(Log, ALongValueIsCut) {
  Lines log;
  log_info("request", {{"path", std::string(1'000'000, 'x')}});
  EXPECT_LT(log.lines()[0].size(), 5000U);
}

TEST(Log, EventsBelowTheLevelAreNotWritten) {
  Lines log({.level = LogLevel::kWarning});
  EXPECT_FALSE(log_enabled(LogLevel::kInfo));
  log_debug("a");
  log_info("b");
  log_warning("c");
  log_error("d");
  EXPECT_THAT(log.lines(), SizeIs(2));
}

TEST(Log, NothingIsWrittenBeforeItStartsOrAfterItStops) {
  log_error("too early");
  Lines log;
  stop_log();
  log_error("too late");
  EXPECT_FALSE(log_enabled(LogLevel::kError));
  EXPECT_THAT(log.lines(), IsEmpty());
}

TEST(Log, TextsOfConversationsAreOnlyAllowedWhenAskedFor) {
  {
    Lines log;
    EXPECT_FALSE(log_prompts());
  }
  Lines log({.prompts = true});
  EXPECT_TRUE(log_prompts());
}

TEST(Log, ASinkThatHangsHoldsNobodyUpAndLostLinesAreCounted) {
  std::mutex gate;
  std::atomic<int> written{0};
  gate.lock();
  start_log({.write = [&](std::string_view) {
    const std::lock_guard wait(gate);
    ++written;
  }});
  constexpr int kLines = 10'000;
  const std::uint64_t before = log_lines_dropped();
  for (int i = 0; i < kLines; ++i) log_info("event", {{"i", i}});
  const std::uint64_t dropped = log_lines_dropped() - before;
  EXPECT_GT(dropped, 0U);
  gate.unlock();
  stop_log();
  EXPECT_EQ(static_cast<std::uint64_t>(written) + dropped, static_cast<std::uint64_t>(kLines));
}

TEST(Log, LinesFromManyThreadsStayWhole) {
  Lines log;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 200; ++i) log_info("event", {{"text", "0123456789 abcdefghij"}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_THAT(log.lines(), SizeIs(800));
  for (const std::string& line : log.lines()) {
    EXPECT_THAT(line, EndsWith(" event text=\"0123456789 abcdefghij\"\n"));
  }
}

}  // namespace
}  // namespace notso
