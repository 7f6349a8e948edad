// notso serve as its operator sees it: how it starts, refuses, answers, reloads and ends.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <thread>

#include "app/server_process.h"

namespace notso {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

// A home of the test's own with a tiny model in it.
class Serve : public ::testing::Test {
 protected:
  Serve() {
    std::string name = (fs::temp_directory_path() / "serve_test_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    setenv("NOTSO_HOME", folder_.c_str(), 1);
    EXPECT_EQ(run_program(NOTSO_PROGRAM, {"synth", model()}).exit_code, 0);
  }
  ~Serve() override {
    fs::remove_all(folder_);
    unsetenv("NOTSO_HOME");
  }

  [[nodiscard]] std::string model() const { return (folder_ / "tiny.gguf").string(); }

  // Flags of a small server on a free port.
  [[nodiscard]] std::vector<std::string> flags(std::vector<std::string> more = {}) const {
    std::vector<std::string> all = {"-m",        model(), "--port",       "0",
                                    "--ctx",     "2048",  "--kv-memory",  "64M",
                                    "--threads", "1",     "--rate-limit", "0"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  [[nodiscard]] static ProgramRun serve(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "serve");
    return run_program(NOTSO_PROGRAM, arguments);
  }

  // Makes a key and returns it.
  [[nodiscard]] static std::string make_key(const std::string& name) {
    std::string key = run_program(NOTSO_PROGRAM, {"key", "add", name}).out;
    while (!key.empty() && key.back() == '\n') key.pop_back();
    return key;
  }

  fs::path folder_;
};

const char* const kChat = R"({"messages":[{"role":"user","content":"Tell secret-word"}],)"
                          R"("max_tokens":4,"temperature":0})";

// Asks for the metrics until they have this line: the engine counts a step after its tokens are
// out.
bool metrics_come_to(const ServerProcess& server, const std::string& line) {
  for (int i = 0; i < 1000; ++i) {
    if (server.fetch("GET", "/metrics").find(line) != std::string::npos) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

// Exit code 1, nothing on the output, one line on the error output.
void expect_refusal(const ProgramRun& run, const std::string& part) {
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.out, IsEmpty());
  EXPECT_THAT(run.err, AllOf(StartsWith("notso: "), HasSubstr(part), EndsWith("\n")));
  EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
}

TEST_F(Serve, WrongFlagsAreExitCodeTwo) {
  EXPECT_EQ(serve({"--port", "99999"}).exit_code, 2);
  EXPECT_EQ(serve({"--no-such-flag"}).exit_code, 2);
  EXPECT_EQ(serve({"--kv", "q4_0"}).exit_code, 2);
  EXPECT_EQ(serve({"extra"}).exit_code, 2);
}

TEST_F(Serve, WhatIsMissingIsNamedInOneLine) {
  expect_refusal(serve({"-m", "no/such.gguf"}), "'no/such.gguf': no such file");
  expect_refusal(serve({"-m", model(), "--config", "no/such.toml"}), "'no/such.toml'");
  expect_refusal(serve(flags({"--api-keys", "no/such.keys"})), "keys file 'no/such.keys'");
  expect_refusal(serve(flags({"--tokenizer", "no/such.json"})), "tokenizer 'no/such.json'");
  expect_refusal(serve(flags({"--tls-cert", "no/such.pem", "--tls-key", "no/such.pem"})),
                 "no/such.pem");
  expect_refusal(serve(flags({"--host", "192.0.2.1"})), "192.0.2.1");
}

TEST_F(Serve, APortThatIsTakenIsRefusedBeforeTheModelIsLoaded) {
  int port = 0;
  const int fd = listen_anywhere(port);
  expect_refusal(
      serve(flags({"--port", std::to_string(port), "--no-demo", "--log-level", "error"})),
      std::to_string(port));
  EXPECT_FALSE(fs::exists(folder_ / "cache"));
  close(fd);
}

TEST_F(Serve, AnswersAChatAndCountsIt) {
  // Without the cache, nothing is read ahead and counted beside the request.
  ServerProcess server(flags({"--no-prefix-cache"}));
  ASSERT_TRUE(server.wait_ready());
  EXPECT_THAT(server.fetch("GET", "/health"),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("\"ready\":true")));
  EXPECT_THAT(server.fetch("POST", "/v1/chat/completions", kChat),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("\"completion_tokens\":4")));
  EXPECT_TRUE(metrics_come_to(server, "notso_requests_ended_total{end=\"done\"} 1\n"));
  EXPECT_THAT(server.fetch("GET", "/metrics"),
              AllOf(HasSubstr("notso_generated_tokens_total 4\n"),
                    HasSubstr("notso_requests_ended_total{end=\"done\"} 1\n"),
                    HasSubstr("notso_http_requests_total{method=\"POST\",route=\"/v1/chat/"
                              "completions\",status=\"200\"} 1\n")));
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait_end(), 0);
}

TEST_F(Serve, LogsRequestsWithIdsAndTimesAndNoWordOfTheirText) {
  ServerProcess server(flags({"--log-level", "debug"}));
  ASSERT_TRUE(server.wait_ready());
  const std::string answer = server.fetch("POST", "/v1/chat/completions", kChat);
  const std::size_t at = answer.find("X-Request-Id: ");
  ASSERT_NE(at, std::string::npos);
  const std::string id = answer.substr(at + 14, answer.find('\r', at) - at - 14);
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait_end(), 0);
  EXPECT_THAT(server.log(),
              ContainsRegex("INFO  request id=" + id +
                            " from=127\\.0\\.0\\.1 .*method=POST path=/v1/chat/completions "
                            "status=200 in=[0-9]+ out=[0-9]+ seconds=[0-9.]+\n"));
  EXPECT_THAT(server.log(), Not(HasSubstr("secret-word")));
}

TEST_F(Serve, EndsRunningAnswersProperlyOnSigterm) {
  ServerProcess server(flags());
  ASSERT_TRUE(server.wait_ready());
  const std::string body =
      R"({"messages":[{"role":"user","content":"Hi"}],"max_tokens":300,"stream":true,)"
      R"("ignore_eos":true})";
  std::string answer;
  std::atomic<bool> over{false};
  std::thread client([&] {
    answer = server.fetch("POST", "/v1/chat/completions", body);
    over = true;
  });
  while (!over &&
         server.fetch("GET", "/metrics").find("notso_http_streams 1\n") == std::string::npos) {
  }
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait_end(), 0);
  client.join();
  EXPECT_THAT(answer, HasSubstr("data: [DONE]"));
  EXPECT_LT(connect_to(server.port()), 0);
}

TEST_F(Serve, ASecondSignalEndsItAtOnce) {
  ServerProcess server(flags({"--log-level", "error"}));
  ASSERT_TRUE(server.wait_ready());
  // A request whose body never comes holds the drain up.
  const int fd = connect_to(server.port());
  const std::string text = request_text(server.port(), "POST", "/v1/chat/completions", kChat);
  ASSERT_GT(write(fd, text.data(), text.size() - 5), 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  server.signal(SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  server.signal(SIGINT);
  const int code = server.wait_end();
  // Where the first signal needed no drain, it has ended properly already.
  EXPECT_TRUE(code == 1 || code == 0) << code;
  close(fd);
}

TEST_F(Serve, TakesUpNewKeysOnSighup) {
  const std::string alice = make_key("alice");
  ServerProcess server(flags());
  ASSERT_TRUE(server.wait_ready());
  const auto status = [&](const std::string& key) {
    const std::string header = key.empty() ? "" : "Authorization: Bearer " + key + "\r\n";
    return server.fetch("GET", "/v1/models", "", header).substr(9, 3);
  };
  EXPECT_EQ(status(""), "401");
  EXPECT_EQ(status(alice), "200");
  for (const char* path : {"/", "/metrics", "/api/status", "/v1/models", "/no/such"}) {
    EXPECT_THAT(server.fetch("GET", path), Not(StartsWith("HTTP/1.1 200"))) << path;
  }
  EXPECT_THAT(server.fetch("GET", "/health"), StartsWith("HTTP/1.1 200 "));
  const std::string bob = make_key("bob");
  EXPECT_EQ(status(bob), "401");
  EXPECT_EQ(run_program(NOTSO_PROGRAM, {"key", "revoke", "alice"}).exit_code, 0);
  server.signal(SIGHUP);
  while (status(bob) == "401") std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(status(bob), "200");
  EXPECT_EQ(status(alice), "401");
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait_end(), 0);
}

TEST_F(Serve, AnOpenServerClosesOnSighupWhenItsFirstKeyIsThere) {
  ServerProcess server(flags());
  ASSERT_TRUE(server.wait_ready());
  const auto status = [&] { return server.fetch("GET", "/v1/models").substr(9, 3); };
  server.signal(SIGHUP);
  EXPECT_EQ(status(), "200");
  const std::string alice = make_key("alice");
  server.signal(SIGHUP);
  for (int i = 0; i < 2000 && status() == "200"; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(status(), "401");
  EXPECT_THAT(server.fetch("GET", "/v1/models", "", "Authorization: Bearer " + alice + "\r\n"),
              StartsWith("HTTP/1.1 200 "));
  // A keys file that goes does not open the door again.
  fs::remove(folder_ / "keys");
  server.signal(SIGHUP);
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait_end(), 0);
  EXPECT_THAT(server.log(),
              AllOf(HasSubstr("keys=1"), HasSubstr("the API keys stay as they were")));
}

TEST_F(Serve, SignsABrowserInWithAKey) {
  const std::string key = make_key("alice");
  ServerProcess server(flags());
  ASSERT_TRUE(server.wait_ready());
  EXPECT_THAT(server.fetch("GET", "/metrics", "", "Accept: text/html\r\n"),
              AllOf(StartsWith("HTTP/1.1 303 "), HasSubstr("Location: /login?to=/metrics\r\n")));
  for (int i = 0; i < 10; ++i) {
    EXPECT_THAT(server.fetch("GET", "/login"), HasSubstr("<form method=\"post\""));
  }
  // With "no-referrer" browsers would post the form with "Origin: null".
  EXPECT_THAT(server.fetch("GET", "/login"), HasSubstr("Referrer-Policy: same-origin\r\n"));
  EXPECT_THAT(server.fetch("POST", "/login", "key=notso-wrong"),
              AllOf(StartsWith("HTTP/1.1 401 "), Not(HasSubstr("Set-Cookie"))));
  const std::string answer =
      server.fetch("POST", "/login?to=/chats/a%2520b%3Fat%3D1", "x=1&key=+" + key);
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 303 "), Not(HasSubstr(key)),
                            HasSubstr("Location: /chats/a%20b?at=1\r\n")));
  const std::size_t at = answer.find("Set-Cookie: ");
  ASSERT_NE(at, std::string::npos);
  const std::string cookie = answer.substr(at + 12, answer.find(';', at) - at - 12);
  EXPECT_THAT(server.fetch("GET", "/metrics", "", "Cookie: " + cookie + "\r\n"),
              StartsWith("HTTP/1.1 200 "));
  // Who is signed in is led on, but never to another site.
  for (const char* to : {"//evil.example", "https://evil.example", "/%255Cevil.example",
                         "/%09/evil.example", "/%5Cevil.example", "evil.example"}) {
    EXPECT_THAT(
        server.fetch("GET", std::string("/login?to=") + to, "", "Cookie: " + cookie + "\r\n"),
        AllOf(StartsWith("HTTP/1.1 303 "), HasSubstr("Location: /\r\n")))
        << to;
  }
}

TEST_F(Serve, LimitsTheRateOfRequests) {
  ServerProcess server(flags({"--rate-limit", "0.001", "--rate-burst", "2"}));
  ASSERT_TRUE(server.wait_ready());
  EXPECT_THAT(server.fetch("POST", "/v1/chat/completions", kChat), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(server.fetch("POST", "/v1/chat/completions", kChat), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(server.fetch("POST", "/v1/chat/completions", kChat),
              AllOf(StartsWith("HTTP/1.1 429 "), HasSubstr("Retry-After: "),
                    HasSubstr("rate_limit_error")));
}

TEST_F(Serve, LimitsTheTokensOfAMinute) {
  ServerProcess server(flags({"--tokens-per-minute", "3"}));
  ASSERT_TRUE(server.wait_ready());
  EXPECT_THAT(server.fetch("POST", "/v1/chat/completions", kChat), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(server.fetch("POST", "/v1/chat/completions", kChat),
              AllOf(StartsWith("HTTP/1.1 429 "), HasSubstr("tokens are used up")));
}

TEST_F(Serve, TellsTheServiceManagerHowItStands) {
  const std::string path = (folder_ / "notify").string();
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ServerProcess server(flags(), [&] { setenv("NOTIFY_SOCKET", path.c_str(), 1); });
  ASSERT_TRUE(server.wait_ready());
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait_end(), 0);
  std::string all;
  char buffer[512];
  for (ssize_t got = 0; (got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT)) > 0;) {
    all += std::string(buffer, static_cast<std::size_t>(got)) + "|";
  }
  close(fd);
  EXPECT_THAT(all, ContainsRegex("READY=1\nSTATUS=serving at http://127\\.0\\.0\\.1:[0-9]+"));
  EXPECT_THAT(all, EndsWith("STOPPING=1|"));
}

TEST_F(Serve, HasConnectionsForHalfOfFewFilesAndTellsTheNextOneSo) {
  ServerProcess server(flags({"--header-seconds", "300"}), [] {
    const rlimit few{120, 120};
    setrlimit(RLIMIT_NOFILE, &few);
  });
  ASSERT_TRUE(server.wait_ready());
  std::vector<int> idle;
  for (int i = 0; i < 60; ++i) idle.push_back(connect_to(server.port()));
  EXPECT_THAT(drain(connect_to(server.port())), StartsWith("HTTP/1.1 503 "));
  for (const int fd : idle) close(fd);
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait_end(), 0);
  EXPECT_THAT(server.log(), HasSubstr("files=120 connections=60"));
}

TEST_F(Serve, ServesASocketThatItInherits) {
  int port = 0;
  const int fd = listen_anywhere(port);
  ServerProcess server(flags(), [&] {
    // The first descriptor that systemd hands over is 3; a copy is open after exec.
    if (fd == 3) {
      fcntl(fd, F_SETFD, 0);
    } else {
      dup2(fd, 3);
    }
    setenv("LISTEN_FDS", "1", 1);
    setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
  });
  close(fd);
  ASSERT_TRUE(server.wait_ready());
  EXPECT_EQ(server.port(), port);
  EXPECT_THAT(server.fetch("GET", "/health"), StartsWith("HTTP/1.1 200 "));
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait_end(), 0);
}

}  // namespace
}  // namespace notso
