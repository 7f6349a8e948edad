// `notso serve` as a child process, and a bare HTTP client to talk to it.
#pragma once

#include <arpa/inet.h>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <functional>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "app/program.h"

namespace notso {

// A connection to a port of this machine; -1 if nobody listens.
inline int connect_to(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

// A socket that listens on any free port of the loopback address.
inline int listen_anywhere(int& port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd, 16) != 0 || getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::abort();
  }
  port = ntohs(address.sin_port);
  return fd;
}

// The text of a request that asks for the connection to be closed after its answer.
inline std::string request_text(int port, const std::string& method, const std::string& path,
                                const std::string& body = "", const std::string& headers = "") {
  std::string text = method + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) +
                     "\r\nConnection: close\r\n" + headers;
  if (!body.empty()) {
    text +=
        "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  }
  return text + "\r\n" + body;
}

// A server that runs until it is stopped or goes out of scope.
class ServerProcess {
 public:
  // Starts it; `in_child` runs in the child before the program does.
  explicit ServerProcess(std::vector<std::string> arguments,
                         const std::function<void()>& in_child = {}) {
    int out[2];
    int err[2];
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) std::abort();
    child_ = fork();
    if (child_ == 0) {
      dup2(out[1], STDOUT_FILENO);
      dup2(err[1], STDERR_FILENO);
      if (in_child) in_child();
      arguments.insert(arguments.begin(), {NOTSO_PROGRAM, "serve"});
      std::vector<char*> argv;
      for (std::string& argument : arguments) argv.push_back(argument.data());
      argv.push_back(nullptr);
      execv(NOTSO_PROGRAM, argv.data());
      _exit(127);
    }
    close(out[1]);
    close(err[1]);
    out_ = out[0];
    err_ = err[0];
  }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  ~ServerProcess() {
    if (child_ > 0) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
    close(out_);
    close(err_);
  }

  // Reads stdout until the server says that it is ready; false if it ends instead.
  bool wait_ready() {
    std::string text;
    char byte = 0;
    while (read(out_, &byte, 1) == 1 && byte != '\n') text += byte;
    const std::size_t colon = text.rfind(':');
    port_ = colon == std::string::npos ? 0 : std::atoi(text.c_str() + colon + 1);
    return text.starts_with("notso is ready: http");
  }

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] pid_t id() const { return child_; }
  void signal(int number) const { kill(child_, number); }

  // Waits for its end and gives its exit code, -1 if a signal ended it; reads what it wrote.
  int wait_end() {
    err_text_ += read_rest(err_);
    int status = 0;
    waitpid(child_, &status, 0);
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // What it wrote to stderr, after wait_end().
  [[nodiscard]] const std::string& log() const { return err_text_; }

  // Sends a request and reads the whole answer.
  [[nodiscard]] std::string fetch(const std::string& method, const std::string& path,
                                  const std::string& body = "",
                                  const std::string& headers = "") const {
    const int fd = connect_to(port_);
    if (fd < 0) return "";
    const std::string text = request_text(port_, method, path, body, headers);
    // A server that has closed already must not end the test with a signal.
    const ssize_t sent = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent == static_cast<ssize_t>(text.size())) return drain(fd);
    close(fd);
    return "";
  }

 private:
  static std::string read_rest(int fd) {
    std::string text;
    char buffer[4096];
    for (ssize_t got = 0; (got = read(fd, buffer, sizeof buffer)) > 0;) {
      text.append(buffer, static_cast<std::size_t>(got));
    }
    return text;
  }

  pid_t child_ = -1;
  int out_ = -1;
  int err_ = -1;
  int port_ = 0;
  std::string err_text_;
};

}  // namespace notso
