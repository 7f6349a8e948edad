// The server among many clients that mean harm: what /health takes meanwhile is recorded.
#include <algorithm>
#include <chrono>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <vector>

#include "web/http/http_fixture.h"
#include "web/http/sse.h"

namespace notso::http {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kClients = 500;
// Bad clients are cut off after the first; where they kept /health waiting, it would take as long.
constexpr milliseconds kClientTimeMax{4000};
constexpr milliseconds kHealthTimeMax = kClientTimeMax / 2;
// Less than the 40 ms for which a system may put off a small packet.
constexpr milliseconds kEventTimeMax{20};

class LoadTest : public ServerTest {
 protected:
  LoadTest() {
    options.limits.header_time_max = kClientTimeMax;
    options.limits.write_time_max = kClientTimeMax;
    router.add("GET", "/flood", [](Exchange& exchange) -> boost::asio::awaitable<void> {
      co_await exchange.begin(200, {});
      bool open = true;
      while (open) open = co_await exchange.write(std::string(16 << 10, 'a'));
    });
  }

  milliseconds health_time() {
    const auto start_time = Clock::now();
    EXPECT_EQ(ask(get(port(), "/health", "Connection: close\r\n")).body, "ok");
    return std::chrono::duration_cast<milliseconds>(Clock::now() - start_time);
  }
};

TEST_F(LoadTest, SlowAndNeverReadingClientsAreReapedWhileHealthAnswers) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_cur < 4 * kClients + 100) GTEST_SKIP() << "this user may open too few files";
  start();
  std::vector<RawClient> slow;
  std::vector<RawClient> deaf;
  for (std::size_t i = 0; i < kClients; ++i) {
    slow.emplace_back(port());
    deaf.emplace_back(port());
    deaf.back().send(get(port(), "/flood"));
  }
  const std::string request = get(port(), "/health");
  std::vector<milliseconds> times;
  std::size_t at = 0;
  while (server->stats().reaped < 2 * kClients && times.size() < 1000) {
    if (at + 2 < request.size()) {
      for (const RawClient& client : slow) client.send(request.substr(at, 1));
      ++at;
    }
    times.push_back(health_time());
    std::this_thread::sleep_for(milliseconds(50));
  }
  std::sort(times.begin(), times.end());
  RecordProperty("health_ms_median", static_cast<int>(times[times.size() / 2].count()));
  RecordProperty("health_ms_max", static_cast<int>(times.back().count()));
  EXPECT_LT(times[times.size() / 2], kHealthTimeMax);
  EXPECT_EQ(server->stats().reaped, 2 * kClients);
  EXPECT_TRUE(soon([&] { return server->stats().open == 0; }));
}

TEST_F(LoadTest, AnEventReachesItsClientAtOnce) {
  const auto queue = std::make_shared<EventQueue<std::string>>(1 << 20);
  router.add("GET", "/stream", [queue](Exchange& exchange) -> boost::asio::awaitable<void> {
    SseWriter sse(exchange);
    co_await sse.begin();
    while (auto batch = co_await sse.next(*queue)) {
      for (const std::string& text : *batch) co_await sse.data(text);
    }
    co_await sse.finish();
  });
  start();
  RawClient client(port());
  client.send(get(port(), "/stream"));
  client.receive_until("\r\n\r\n");
  std::vector<std::chrono::microseconds> times;
  for (int i = 0; i < 500; ++i) {
    const auto pushed = Clock::now();
    queue->push("token", 5);
    ASSERT_TRUE(client.receive_until("\n\n\r\n").ends_with("data: token\n\n\r\n"));
    times.push_back(std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - pushed));
    std::this_thread::sleep_for(milliseconds(1));
  }
  queue->close();
  std::sort(times.begin(), times.end());
  RecordProperty("event_us_median", static_cast<int>(times[times.size() / 2].count()));
  EXPECT_LT(times[times.size() / 2], kEventTimeMax);
}

}  // namespace
}  // namespace notso::http
