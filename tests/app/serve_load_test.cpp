// Many clients at once, good and bad ones, against the real server with the tiny model.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

#include "app/server_process.h"
#include "app/stream_clients.h"

namespace notso {
namespace {

namespace fs = std::filesystem;
using ::testing::StartsWith;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
constexpr std::size_t kStreams = 100;
#else
constexpr bool kSanitized = false;
constexpr std::size_t kStreams = 1000;
#endif

constexpr std::chrono::seconds kPatience{200};

class ServeLoad : public ::testing::Test {
 protected:
  ServeLoad() {
    raise_open_files();
    std::string name = (fs::temp_directory_path() / "load_test_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    setenv("NOTSO_HOME", folder_.c_str(), 1);
    EXPECT_EQ(run_program(NOTSO_PROGRAM, {"synth", model()}).exit_code, 0);
  }
  ~ServeLoad() override {
    fs::remove_all(folder_);
    unsetenv("NOTSO_HOME");
  }

  [[nodiscard]] std::string model() const { return (folder_ / "tiny.gguf").string(); }

  [[nodiscard]] std::vector<std::string> flags(std::vector<std::string> more) const {
    std::vector<std::string> all = {
        "-m",          model(), "--port",       "0", "--ctx",          "512", "--kv-memory", "24M",
        "--log-level", "error", "--rate-limit", "0", "--no-kv-on-disk"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  // A request for a stream of some tokens.
  [[nodiscard]] static std::string stream_request(int port, int tokens) {
    return request_text(port, "POST", "/v1/chat/completions",
                        R"({"messages":[{"role":"user","content":"Hi"}],"stream":true,)"
                        R"("max_tokens":)" +
                            std::to_string(tokens) + "}");
  }

  fs::path folder_;
};

// Kilobytes that the process has in memory.
long resident_kb(pid_t id) {
  std::ifstream status("/proc/" + std::to_string(id) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::atol(line.c_str() + 6);
  }
  return 0;
}

// The value of a metric; -1 if it is not there.
double metric(const ServerProcess& server, const std::string& name) {
  std::string text = "\n";
  text += server.fetch("GET", "/metrics");
  std::string line = "\n";
  line += name + " ";
  const std::size_t at = text.find(line);
  return at == std::string::npos ? -1 : std::atof(text.c_str() + at + line.size());
}

// Asks for a metric until it is in [0, most], for a while, and gives what it was in the end.
double metric_comes_to(const ServerProcess& server, const std::string& name, double most) {
  double value = -1;
  for (int i = 0; i < 2000; ++i) {
    value = metric(server, name);
    if (value >= 0 && value <= most) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return value;
}

// Asks /health all the while, and keeps the longest answer.
class HealthWatch {
 public:
  explicit HealthWatch(const ServerProcess& server)
      : thread_([this, &server] {
          while (!stop_) {
            const auto before = std::chrono::steady_clock::now();
            if (!server.fetch("GET", "/health").starts_with("HTTP/1.1 200 ")) ++failures_;
            const std::chrono::duration<double> took = std::chrono::steady_clock::now() - before;
            longest_s_ = std::max(longest_s_, took.count());
            ++count_;
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
          }
        }) {}
  HealthWatch(const HealthWatch&) = delete;
  HealthWatch& operator=(const HealthWatch&) = delete;
  ~HealthWatch() { stop(); }

  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  // After stop().
  [[nodiscard]] int failures() const { return failures_; }
  [[nodiscard]] int count() const { return count_; }
  [[nodiscard]] double longest_s() const { return longest_s_; }

 private:
  std::atomic<bool> stop_{false};
  int failures_ = 0;
  int count_ = 0;
  double longest_s_ = 0;
  std::thread thread_;
};

TEST_F(ServeLoad, AThousandStreamsAllComplete) {
  ServerProcess server(flags({"--queue", "2000", "--queue-seconds", "600"}));
  ASSERT_TRUE(server.wait_ready());
  EXPECT_THAT(server.fetch("GET", "/health"), StartsWith("HTTP/1.1 200 "));
  const long before_kb = resident_kb(server.id());
  HealthWatch health(server);
  StreamClients clients(server.port(), false);
  for (std::size_t i = 0; i < kStreams; ++i) clients.add(stream_request(server.port(), 4));
  long peak_kb = 0;
  for (int i = 0; i < 2000 && !clients.run(std::chrono::milliseconds(100)); ++i) {
    peak_kb = std::max(peak_kb, resident_kb(server.id()));
  }
  health.stop();
  ASSERT_EQ(clients.open(), 0U);
  for (const ClientRecord& record : clients.records()) {
    EXPECT_EQ(record.status, 200);
    EXPECT_TRUE(record.complete);
  }
  EXPECT_EQ(health.failures(), 0);
  EXPECT_GT(health.count(), 0);
  RecordProperty("longest_health_ms", static_cast<int>(health.longest_s() * 1000));
  // Pages of keys and values, up to their budget, are not the streams' doing.
  constexpr long kPagesKb = 24 * 1024;
  RecordProperty("kb_a_stream", static_cast<int>((peak_kb - before_kb) / long{kStreams}));
  if (!kSanitized) {
    EXPECT_LT(peak_kb - before_kb - kPagesKb, 128 * static_cast<long>(kStreams));
  }
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait_end(), 0);
}

TEST_F(ServeLoad, WhatDoesNotFitTheQueueIsRefusedWithTheTimeToWait) {
  ServerProcess server(flags({"--queue", "8", "--streams", "4"}));
  ASSERT_TRUE(server.wait_ready());
  StreamClients clients(server.port(), false);
  for (std::size_t i = 0; i < 200; ++i) clients.add(stream_request(server.port(), 64));
  ASSERT_TRUE(clients.run(kPatience));
  std::size_t refused = 0;
  for (const ClientRecord& record : clients.records()) {
    EXPECT_TRUE(record.status == 200 || record.status == 429) << record.status;
    EXPECT_TRUE(record.complete);
    if (record.status == 429) {
      EXPECT_TRUE(record.retry_after);
      ++refused;
    }
  }
  EXPECT_GT(refused, 0U);
  EXPECT_LT(refused, 200U);
}

TEST_F(ServeLoad, SlowAndDeafClientsAreReapedAndHarmNobody) {
  ServerProcess server(flags(
      {"--header-seconds", "3", "--write-seconds", "3", "--idle-seconds", "3", "--queue", "2000"}));
  ASSERT_TRUE(server.wait_ready());
  HealthWatch health(server);
  constexpr std::size_t kEach = kStreams / 2;
  StreamClients bad(server.port(), false);
  for (std::size_t i = 0; i < kEach; ++i) {
    bad.add("POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1", false);
    std::string deaf = stream_request(server.port(), 32);
    deaf.erase(deaf.find("Connection: close\r\n"), 19);
    bad.add(std::move(deaf), false);
  }
  StreamClients good(server.port(), false);
  for (int i = 0; i < 20; ++i) good.add(stream_request(server.port(), 8));
  // The watch and the question itself are connections too. What a deaf client has not read cannot
  // be seen from its side, so the server is asked.
  constexpr double kOwnConnections = 2;
  for (int i = 0; i < 600; ++i) {
    // The good ones are the first to send: they have no more time for it than the others.
    good.run(std::chrono::milliseconds(50));
    bad.push(std::chrono::milliseconds(50));
    if (good.open() > 0) continue;
    const double open = metric(server, "notso_http_connections");
    if (open >= 0 && open <= kOwnConnections) break;
  }
  EXPECT_TRUE(good.run(kPatience));
  for (const ClientRecord& record : good.records()) EXPECT_TRUE(record.complete);
  health.stop();
  EXPECT_EQ(health.failures(), 0);
  EXPECT_GE(metric(server, "notso_http_connections_reaped_total"), static_cast<double>(kEach));
  EXPECT_EQ(metric_comes_to(server, "notso_requests_running", 0), 0);
  // A question may still find the one before it on its way out.
  EXPECT_EQ(metric_comes_to(server, "notso_http_connections", 1), 1);
  EXPECT_EQ(metric(server, "notso_http_streams"), 0);
}

}  // namespace
}  // namespace notso
