#include "web/http/http_fixture.h"

#include <algorithm>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "web/http/text.h"

namespace notso::http {

std::string Answer::header(std::string_view name) const {
  for (const Field& field : headers) {
    if (same_name(field.name, name)) return field.value;
  }
  return {};
}

RawClient::RawClient(std::uint16_t port) : descriptor_(socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    close(descriptor_);
    descriptor_ = -1;
  }
}

RawClient::RawClient(RawClient&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), buffer_(std::move(other.buffer_)) {}

RawClient::~RawClient() {
  if (descriptor_ >= 0) close(descriptor_);
}

bool RawClient::send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const auto sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::string RawClient::receive(std::size_t bytes_max, std::chrono::milliseconds time) {
  pollfd ready{descriptor_, POLLIN, 0};
  if (poll(&ready, 1, static_cast<int>(time.count())) <= 0) return {};
  std::string bytes(bytes_max, '\0');
  const auto got = recv(descriptor_, bytes.data(), bytes.size(), 0);
  bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return bytes;
}

std::string RawClient::receive_until(std::string_view text, std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (buffer_.find(text) == std::string::npos && std::chrono::steady_clock::now() < end) {
    const std::string bytes = receive(1 << 16, time);
    if (bytes.empty()) break;
    buffer_ += bytes;
  }
  const std::size_t at = buffer_.find(text);
  const std::size_t size = at == std::string::npos ? buffer_.size() : at + text.size();
  std::string result = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return result;
}

Answer RawClient::answer(bool to_head) {
  Answer answer;
  std::string head = receive_until("\r\n\r\n");
  if (!head.ends_with("\r\n\r\n")) return answer;
  answer.status = std::stoi(head.substr(9, 3));
  if (answer.status == 100) return answer;
  for (std::size_t at = head.find("\r\n") + 2; head.compare(at, 2, "\r\n") != 0;) {
    const std::size_t colon = head.find(": ", at);
    const std::size_t end = head.find("\r\n", at);
    answer.headers.push_back(
        {head.substr(at, colon - at), head.substr(colon + 2, end - colon - 2)});
    at = end + 2;
  }
  if (to_head) return answer;
  if (answer.header("transfer-encoding") == "chunked") {
    while (true) {
      const std::string line = receive_until("\r\n");
      if (!line.ends_with("\r\n")) return answer;
      const std::size_t size = std::stoul(line, nullptr, 16);
      while (buffer_.size() < size + 2) {
        const std::string bytes = receive(1 << 16, kPatience);
        if (bytes.empty()) return answer;
        buffer_ += bytes;
      }
      answer.body += buffer_.substr(0, size);
      buffer_.erase(0, size + 2);
      if (size == 0) break;
    }
    answer.whole = true;
    return answer;
  }
  const std::string length = answer.header("content-length");
  const std::size_t size = length.empty() ? 0 : std::stoul(length);
  while (buffer_.size() < size) {
    const std::string bytes = receive(1 << 16, kPatience);
    if (bytes.empty()) break;
    buffer_ += bytes;
  }
  answer.whole = buffer_.size() >= size;
  answer.body = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return answer;
}

bool RawClient::closed_within(std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
    pollfd ready{descriptor_, POLLIN, 0};
    if (poll(&ready, 1, 50) <= 0) continue;
    std::string bytes(1 << 16, '\0');
    if (recv(descriptor_, bytes.data(), bytes.size(), 0) <= 0) return true;
  }
  return false;
}

void RawClient::shut_down_writing() const { shutdown(descriptor_, SHUT_WR); }

std::string get(std::uint16_t port, std::string_view path, std::string_view headers) {
  std::string request = "GET ";
  request.append(path).append(" HTTP/1.1\r\nHost: localhost:").append(std::to_string(port));
  return request.append("\r\n").append(headers).append("\r\n");
}

std::string post(std::uint16_t port, std::string_view path, std::string_view body,
                 std::string_view headers) {
  std::string request = "POST ";
  request.append(path).append(" HTTP/1.1\r\nHost: localhost:").append(std::to_string(port));
  request.append("\r\nContent-Length: ").append(std::to_string(body.size())).append("\r\n");
  return request.append(headers).append("\r\n").append(body);
}

ServerTest::ServerTest() {
  options.port = 0;
  hooks.access = [this](const AccessRecord& record) {
    const std::lock_guard lock(mutex_);
    records_.push_back(record);
  };
  router.add("GET", "/health", [](Exchange& exchange) -> boost::asio::awaitable<void> {
    co_await exchange.respond({200, {}, "ok"});
  });
  router.add("POST", "/echo", [](Exchange& exchange) -> boost::asio::awaitable<void> {
    co_await exchange.respond({200, {}, exchange.request().body});
  });
  router.add("GET", "/echo/{what...}", [](Exchange& exchange) -> boost::asio::awaitable<void> {
    co_await exchange.respond({200, {}, std::string(exchange.request().path_parameter("what"))});
  });
}

void ServerTest::start() {
  auto started = Server::start(options, std::move(router), hooks);
  if (!started) throw std::runtime_error(started.error().message);
  server = std::move(*started);
}

Answer ServerTest::ask(std::string_view request) const {
  RawClient client(port());
  client.send(request);
  return client.answer(request.starts_with("HEAD"));
}

Answer ServerTest::ask_path(std::string_view path) const { return ask(get(port(), path)); }

std::vector<AccessRecord> ServerTest::records() {
  const std::lock_guard lock(mutex_);
  return records_;
}

void ServerTest::pause() { std::this_thread::sleep_for(std::chrono::milliseconds(5)); }

}  // namespace notso::http
