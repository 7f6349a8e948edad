// The server among many clients that mean harm: what /health takes meanwhile is recorded.
#include <algorithm>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <thread>
#include <vector>

#include "web/http/http_fixture.h"

namespace notso::http {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kClients = 500;
constexpr milliseconds kHealthTimeMax{200};

class LoadTest : public ServerTest {
 protected:
  LoadTest() {
    options.limits.header_time_max = milliseconds(4000);
    options.limits.write_time_max = milliseconds(4000);
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

}  // namespace
}  // namespace notso::http
