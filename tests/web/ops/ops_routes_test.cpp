// /health, /metrics and /api/status as a client sees them, over a real server.
#include "web/ops/ops_routes.h"

#include <arpa/inet.h>
#include <atomic>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/program.h"

namespace notso::ops {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Sends a request and reads the whole answer.
std::string fetch(std::uint16_t port, const std::string& method, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return "";
  const std::string request = method + " " + path +
                              " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) +
                              "\r\nConnection: close\r\n\r\n";
  (void)!write(fd, request.data(), request.size());
  return drain(fd);
}

TEST(OpsRoutes, HealthIs503UntilReadyAndEverythingIsServed) {
  std::atomic<bool> ready{false};
  http::Router router;
  add_ops_routes(router, [&] {
    OpsStatus status;
    status.readiness = {ready, ready ? "" : "the model is loading: 43%"};
    return status;
  });
  http::ServerOptions options;
  options.port = 0;
  auto server = http::Server::start(options, std::move(router), {});
  ASSERT_TRUE(server) << server.error().message;
  const std::uint16_t port = (*server)->port();

  EXPECT_THAT(fetch(port, "GET", "/health"),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("Retry-After: "),
                    HasSubstr("{\"live\":true,\"ready\":false,\"reason\":\"the model is loading")));
  ready = true;
  EXPECT_THAT(fetch(port, "GET", "/health"),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("\"ready\":true")));
  EXPECT_THAT(fetch(port, "HEAD", "/health"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(fetch(port, "GET", "/metrics"),
              AllOf(HasSubstr("text/plain; version=0.0.4"), HasSubstr("notso_ready 1\n")));
  EXPECT_THAT(fetch(port, "GET", "/api/status"),
              AllOf(HasSubstr("application/json"), HasSubstr("\"engine\":null")));
}

}  // namespace
}  // namespace notso::ops
