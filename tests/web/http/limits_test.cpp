// Clients that are slow, silent or too many: they are cut off, and the others do not notice.
#include <atomic>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

#include "web/http/http_fixture.h"
#include "web/http/sse.h"

namespace notso::http {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kClients = 100;
// The good clients' part takes some milliseconds of it.
constexpr milliseconds kTimeMax{1500};

class LimitsTest : public ServerTest {
 protected:
  LimitsTest() {
    options.limits.header_time_max = kTimeMax;
    options.limits.body_time_max = kTimeMax;
    options.limits.idle_time_max = kTimeMax;
    options.limits.write_time_max = kTimeMax;
  }

  std::vector<RawClient> connect(std::size_t count) {
    std::vector<RawClient> clients;
    for (std::size_t i = 0; i < count; ++i) clients.emplace_back(port());
    return clients;
  }
  bool all_reaped(std::size_t count) {
    return soon([&] { return server->stats().reaped == count; }) &&
           soon([&] { return server->stats().open == 0; });
  }
};

TEST_F(LimitsTest, ClientsThatSendTheirHeadersSlowlyAreReaped) {
  start();
  auto clients = connect(kClients);
  const std::string request = get(port(), "/health");
  std::atomic<bool> stop{false};
  std::thread drip([&] {
    for (std::size_t at = 0; at + 2 < request.size() && !stop; ++at) {
      for (const RawClient& client : clients) client.send(request.substr(at, 1));
      std::this_thread::sleep_for(milliseconds(50));
    }
  });
  EXPECT_EQ(ask(get(port(), "/health", "Connection: close\r\n")).body, "ok");
  EXPECT_TRUE(all_reaped(kClients));
  stop = true;
  drip.join();
}

TEST_F(LimitsTest, ClientsThatSayNothingAreReaped) {
  start();
  auto clients = connect(kClients);
  EXPECT_TRUE(all_reaped(kClients));
}

TEST_F(LimitsTest, ClientsThatSendTheirBodySlowlyAreReaped) {
  start();
  auto clients = connect(kClients);
  std::string request = post(port(), "/echo", "hello");
  request.pop_back();
  for (const RawClient& client : clients) client.send(request);
  EXPECT_TRUE(all_reaped(kClients));
}

TEST_F(LimitsTest, ClientsThatNeverReadAreReaped) {
  router.add("GET", "/flood", [](Exchange& exchange) -> boost::asio::awaitable<void> {
    co_await exchange.begin(200, {});
    while (co_await exchange.write(std::string(64 << 10, 'a'))) {
    }
  });
  start();
  auto clients = connect(20);
  for (const RawClient& client : clients) client.send(get(port(), "/flood"));
  EXPECT_EQ(ask(get(port(), "/health", "Connection: close\r\n")).body, "ok");
  EXPECT_TRUE(all_reaped(20));
}

TEST_F(LimitsTest, AnIdleConnectionIsClosedWithoutBlame) {
  start();
  RawClient client(port());
  client.send(get(port(), "/health"));
  EXPECT_EQ(client.answer().body, "ok");
  EXPECT_TRUE(client.closed_within(RawClient::kPatience));
  EXPECT_EQ(server->stats().reaped, 0U);
}

TEST_F(LimitsTest, AHandlerMayTakeItsTime) {
  router.add("GET", "/slow", [](Exchange& exchange) -> boost::asio::awaitable<void> {
    EventQueue<int> queue(1);
    co_await queue.pop(kTimeMax + milliseconds(500));
    co_await exchange.respond({200, {}, "at last"});
  });
  start();
  EXPECT_EQ(ask_path("/slow").body, "at last");
}

TEST_F(LimitsTest, ConnectionsOverTheLimitAreToldToComeLater) {
  options.limits = Limits{};
  options.limits.connections_max = 4;
  start();
  auto clients = connect(4);
  ASSERT_TRUE(soon([&] { return server->stats().open == 4; }));
  RawClient late(port());
  const Answer refused = late.answer();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.header("retry-after"), "5");
  EXPECT_EQ(server->stats().refused, 1U);
  clients.clear();
  ASSERT_TRUE(soon([&] { return server->stats().open == 0; }));
  EXPECT_EQ(ask_path("/health").body, "ok");
}

}  // namespace
}  // namespace notso::http
