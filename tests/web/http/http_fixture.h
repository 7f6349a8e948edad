// A server on a free port and clients on raw sockets, for the tests of web/http.
#pragma once

#include <chrono>
#include <gtest/gtest.h>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "web/http/server.h"

namespace notso::http {

// What came back for one request.
struct Answer {
  int status = 0;  // 0: the connection was closed without an answer
  std::vector<Field> headers;
  std::string body;  // without its chunks' sizes
  bool whole = false;

  [[nodiscard]] std::string header(std::string_view name) const;
};

// A blocking client that sends bytes as they are.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port);
  RawClient(RawClient&& other) noexcept;
  RawClient& operator=(RawClient&&) = delete;
  ~RawClient();

  // False once the server has closed.
  bool send(std::string_view bytes) const;
  // Reads up to `bytes_max`; empty when the server has closed or `time` is over.
  std::string receive(std::size_t bytes_max, std::chrono::milliseconds time);
  // Reads until the text was seen, the end, or `time`; gives all that was read.
  std::string receive_until(std::string_view text, std::chrono::milliseconds time = kPatience);
  // Reads one answer.
  Answer answer(bool to_head = false);
  // Whether the server closes within `time`; what it still sends is dropped.
  bool closed_within(std::chrono::milliseconds time);
  // Tells the server that nothing more will come.
  void shut_down_writing() const;

  [[nodiscard]] int descriptor() const { return descriptor_; }

  static constexpr std::chrono::milliseconds kPatience{20'000};

 private:
  int descriptor_;
  std::string buffer_;
};

// "GET /path HTTP/1.1" with a right Host and further header lines.
std::string get(std::uint16_t port, std::string_view path, std::string_view headers = {});
// The same for POST with a body.
std::string post(std::uint16_t port, std::string_view path, std::string_view body,
                 std::string_view headers = {});

// A server with the routes that the tests ask for.
class ServerTest : public testing::Test {
 protected:
  ServerTest();
  // The server's handlers refer to members of the tests.
  void TearDown() override { server.reset(); }

  // Starts the server; call after changing `options`, `router` and `hooks`.
  void start();
  // One request on a connection of its own.
  Answer ask(std::string_view request) const;
  Answer ask_path(std::string_view path) const;
  [[nodiscard]] std::uint16_t port() const { return server->port(); }
  // Waits until `condition` holds.
  template <class Condition>
  static bool soon(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + RawClient::kPatience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      pause();
    }
    return true;
  }
  std::vector<AccessRecord> records();
  static void pause();

  ServerOptions options;
  Router router;
  ServerHooks hooks;
  std::unique_ptr<Server> server;

 private:
  std::mutex mutex_;
  std::vector<AccessRecord> records_;
};

}  // namespace notso::http
