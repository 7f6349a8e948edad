// Answers that are streamed: chunks, server-sent events, clients that go away, draining.
#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <future>
#include <gtest/gtest.h>
#include <memory>
#include <mutex>
#include <sys/resource.h>
#include <vector>

#include "web/http/http_fixture.h"
#include "web/http/sse.h"

namespace notso::http {
namespace {

using boost::asio::awaitable;
using TextQueue = EventQueue<std::string>;

// The queues of the streams that are open, as an engine would hold them.
class Feed {
 public:
  std::shared_ptr<TextQueue> open() {
    const std::lock_guard lock(mutex_);
    return queues_.emplace_back(std::make_shared<TextQueue>(1 << 20));
  }
  std::size_t size() {
    const std::lock_guard lock(mutex_);
    return queues_.size();
  }
  // Gives every stream a text; how many take it.
  std::size_t push(const std::string& text) {
    const std::lock_guard lock(mutex_);
    std::size_t taken = 0;
    for (auto& queue : queues_) taken += queue->push(text, text.size());
    return taken;
  }
  void close() {
    const std::lock_guard lock(mutex_);
    for (auto& queue : queues_) queue->close();
  }

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<TextQueue>> queues_;
};

class StreamsTest : public ServerTest {
 protected:
  StreamsTest() {
    router.add("GET", "/stream", [this](Exchange& exchange) { return stream(exchange); });
  }

  awaitable<void> stream(Exchange& exchange) {
    const auto queue = feed.open();
    exchange.on_disconnect([this, queue] {
      ++disconnects;
      queue->close();
    });
    SseWriter sse(exchange, keep_alive);
    if (!co_await sse.begin()) co_return;
    while (auto batch = co_await sse.next(*queue)) {
      for (std::string& text : *batch) {
        if (!co_await sse.data(std::move(text))) co_return;
      }
    }
    co_await sse.finish();
    ++finished;
  }

  Feed feed;
  std::chrono::milliseconds keep_alive{15'000};
  std::atomic<int> disconnects{0};
  std::atomic<int> finished{0};
};

TEST_F(StreamsTest, EventsArriveAsTheyArePushed) {
  start();
  RawClient client(port());
  client.send(get(port(), "/stream"));
  const std::string head = client.receive_until("\r\n\r\n");
  EXPECT_NE(head.find("Content-Type: text/event-stream"), std::string::npos);
  EXPECT_NE(head.find("Cache-Control: no-store"), std::string::npos);
  EXPECT_NE(head.find("Transfer-Encoding: chunked"), std::string::npos);
  ASSERT_TRUE(soon([&] { return feed.size() == 1; }));
  feed.push("one");
  EXPECT_EQ(client.receive_until("\n\n\r\n"), "b\r\ndata: one\n\n\r\n");
  feed.push("two\nlines");
  EXPECT_EQ(client.receive_until("\n\n\r\n"), "17\r\ndata: two\ndata: lines\n\n\r\n");
  EXPECT_EQ(server->stats().streams, 1);
  feed.close();
  EXPECT_EQ(client.receive_until("0\r\n\r\n"), "0\r\n\r\n");
  // The connection is as good as before.
  client.send(get(port(), "/health"));
  EXPECT_EQ(client.answer().body, "ok");
  EXPECT_EQ(server->stats().streams, 0);
  EXPECT_EQ(disconnects, 0);
}

TEST_F(StreamsTest, AnIdleStreamSaysThatItIsAlive) {
  keep_alive = std::chrono::milliseconds(20);
  start();
  RawClient client(port());
  client.send(get(port(), "/stream"));
  client.receive_until("\r\n\r\n");
  EXPECT_EQ(client.receive_until("\n\n\r\n"), "e\r\n: keep-alive\n\n\r\n");
  EXPECT_EQ(client.receive_until("\n\n\r\n"), "e\r\n: keep-alive\n\n\r\n");
}

TEST_F(StreamsTest, AnHttp10ClientGetsTheStreamUntilTheEnd) {
  start();
  RawClient client(port());
  client.send("GET /stream HTTP/1.0\r\n\r\n");
  const std::string head = client.receive_until("\r\n\r\n");
  EXPECT_EQ(head.find("Transfer-Encoding"), std::string::npos);
  ASSERT_TRUE(soon([&] { return feed.size() == 1; }));
  feed.push("one");
  feed.close();
  EXPECT_EQ(client.receive_until("never"), "data: one\n\n");
}

TEST_F(StreamsTest, HeadOfAStreamEndsAtOnce) {
  start();
  RawClient client(port());
  std::string request = get(port(), "/stream");
  request.replace(0, 3, "HEAD");
  client.send(request);
  EXPECT_EQ(client.answer(true).status, 200);
  client.send(get(port(), "/health"));
  EXPECT_EQ(client.answer().body, "ok");
}

TEST_F(StreamsTest, AClientThatGoesAwayIsNoticedWhileTheHandlerWaits) {
  start();
  {
    RawClient client(port());
    client.send(get(port(), "/stream"));
    ASSERT_TRUE(soon([&] { return server->stats().streams == 1; }));
  }
  EXPECT_TRUE(soon([&] { return disconnects == 1; }));
  EXPECT_TRUE(soon([&] { return server->stats().open == 0; }));
  EXPECT_EQ(feed.push("x"), 0U);
}

TEST_F(StreamsTest, AClientThatGoesAwayIsNoticedBeforeTheAnswerBegins) {
  std::atomic<bool> noticed{false};
  std::atomic<bool> waiting{false};
  router.add("POST", "/slow", [&](Exchange& exchange) -> awaitable<void> {
    TextQueue queue(100);
    exchange.on_disconnect([&] {
      noticed = true;
      queue.close();
    });
    waiting = true;
    co_await queue.pop();
    EXPECT_FALSE(co_await exchange.begin(200, {}));
  });
  start();
  {
    RawClient client(port());
    client.send(post(port(), "/slow", "prompt"));
    ASSERT_TRUE(soon([&] { return waiting.load(); }));
  }
  EXPECT_TRUE(soon([&] { return noticed.load(); }));
  EXPECT_TRUE(soon([&] { return server->stats().open == 0; }));
}

TEST_F(StreamsTest, ARequestSentDuringAStreamIsAnsweredAfterIt) {
  start();
  RawClient client(port());
  client.send(get(port(), "/stream"));
  ASSERT_TRUE(soon([&] { return feed.size() == 1; }));
  client.send(get(port(), "/echo/next"));
  feed.push("one");
  feed.close();
  EXPECT_EQ(client.answer().body, "data: one\n\n");
  EXPECT_EQ(client.answer().body, "next");
}

TEST_F(StreamsTest, AStreamThatFailsDoesNotLookWhole) {
  router.add("GET", "/broken", [](Exchange& exchange) -> awaitable<void> {
    co_await exchange.begin(200, {});
    co_await exchange.write("half");
  });
  start();
  RawClient client(port());
  client.send(get(port(), "/broken"));
  EXPECT_FALSE(client.answer().whole);
  EXPECT_TRUE(client.closed_within(RawClient::kPatience));
}

TEST_F(StreamsTest, ALongAnswerArrivesWhole) {
  std::string text;
  for (int i = 0; i < 300'000; ++i) text += std::to_string(i) + ",";
  router.add("GET", "/long", [&](Exchange& exchange) -> awaitable<void> {
    co_await exchange.begin(200, {});
    for (std::size_t at = 0; at < text.size(); at += 100'000) {
      co_await exchange.write(text.substr(at, 100'000));
    }
    co_await exchange.finish();
  });
  start();
  EXPECT_EQ(ask_path("/long").body, text);
}

TEST_F(StreamsTest, StoppingEndsIdleConnectionsAtOnceAndLetsStreamsFinish) {
  start();
  RawClient idle(port());
  idle.send(get(port(), "/health"));
  EXPECT_EQ(idle.answer().body, "ok");
  RawClient client(port());
  client.send(get(port(), "/stream"));
  ASSERT_TRUE(soon([&] { return feed.size() == 1; }));
  auto stopped = std::async(std::launch::async, [&] { server->stop(); });
  EXPECT_TRUE(idle.closed_within(RawClient::kPatience));
  EXPECT_EQ(stopped.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  feed.push("last words");
  feed.close();
  const Answer answer = client.answer();
  EXPECT_EQ(answer.body, "data: last words\n\n");
  EXPECT_TRUE(answer.whole);
  stopped.get();
  EXPECT_EQ(finished, 1);
  EXPECT_LT(RawClient(port()).descriptor(), 0);
}

TEST_F(StreamsTest, DrainingIsToldToHandlers) {
  std::atomic<bool> seen{false};
  router.add("GET", "/patient", [&](Exchange& exchange) -> awaitable<void> {
    co_await exchange.begin(200, {});
    boost::asio::steady_timer timer(exchange.executor());
    while (!exchange.draining()) {
      timer.expires_after(std::chrono::milliseconds(5));
      co_await timer.async_wait(boost::asio::use_awaitable);
    }
    seen = true;
    co_await exchange.finish();
  });
  start();
  RawClient client(port());
  client.send(get(port(), "/patient"));
  ASSERT_TRUE(soon([&] { return server->stats().streams == 1; }));
  server->stop();
  EXPECT_TRUE(seen);
  EXPECT_TRUE(client.answer().whole);
}

TEST_F(StreamsTest, StreamsThatDoNotEndAreCutAfterTheDrainTime) {
  options.limits.drain_time_max = std::chrono::milliseconds(50);
  start();
  RawClient client(port());
  client.send(get(port(), "/stream"));
  ASSERT_TRUE(soon([&] { return server->stats().streams == 1; }));
  server->stop();
  EXPECT_EQ(disconnects, 1);
  EXPECT_FALSE(client.answer().whole);
}

// Resident memory of this process, in bytes.
std::size_t resident_bytes() {
  std::size_t pages = 0;
  if (FILE* file = std::fopen("/proc/self/statm", "r")) {
    std::size_t whole = 0;
    if (std::fscanf(file, "%zu %zu", &whole, &pages) != 2) pages = 0;
    std::fclose(file);
  }
  return pages * 4096;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kStreams = 200;
#else
constexpr std::size_t kStreams = 1000;
#endif

TEST_F(StreamsTest, AThousandStreamsRunAtOnceInLittleMemory) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_cur < 2200) GTEST_SKIP() << "this user may open too few files";
  // However long it takes until all are open, nothing is in their texts but what was pushed.
  keep_alive = std::chrono::minutes(10);
  start();
  ask_path("/health");
  const std::size_t before = resident_bytes();
  std::vector<RawClient> clients;
  for (std::size_t i = 0; i < kStreams; ++i) {
    clients.emplace_back(port());
    clients.back().send(get(port(), "/stream"));
  }
  ASSERT_TRUE(soon([&] { return server->stats().streams == kStreams; }));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(feed.push("token " + std::to_string(i)), kStreams);
  const auto asked = std::chrono::steady_clock::now();
  EXPECT_EQ(ask_path("/health").body, "ok");
  RecordProperty("health_ms",
                 static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                      std::chrono::steady_clock::now() - asked)
                                      .count()));
  const std::size_t bytes = (resident_bytes() - before) / kStreams;
  RecordProperty("bytes_per_stream", static_cast<int>(bytes));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(bytes, std::size_t{64} << 10U);
#endif
  feed.close();
  for (RawClient& client : clients) {
    EXPECT_EQ(client.answer().body, "data: token 0\n\ndata: token 1\n\ndata: token 2\n\n");
  }
}

}  // namespace
}  // namespace notso::http
