#include "app/stream_clients.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <netinet/in.h>
#include <string_view>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace notso {
namespace {

constexpr std::size_t kTailBytes = 32;

// The status in "HTTP/1.1 200 OK".
int status_of(std::string_view head) {
  return head.size() < 12 ? 0 : std::atoi(std::string(head.substr(9, 3)).c_str());
}

}  // namespace

void raise_open_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

StreamClients::StreamClients(int port, bool keep_events)
    : port_(port), keep_events_(keep_events), epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

StreamClients::~StreamClients() {
  for (const Client& client : clients_) {
    if (client.fd >= 0) close(client.fd);
  }
  close(epoll_);
}

void StreamClients::add(std::string request, bool reads) {
  Client client;
  client.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  client.reads = reads;
  client.request = std::move(request);
  if (!reads) {
    const int size = 4096;
    setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port_));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  (void)connect(client.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLET;
  event.data.u64 = clients_.size();
  epoll_ctl(epoll_, EPOLL_CTL_ADD, client.fd, &event);
  clients_.push_back(std::move(client));
  records_.emplace_back().started = std::chrono::steady_clock::now();
  if (reads) ++open_;
}

void StreamClients::wait(std::chrono::steady_clock::time_point end) {
  std::array<epoll_event, 256> events;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                               std::max(0, static_cast<int>(left.count())));
  for (int i = 0; i < count; ++i) {
    advance(static_cast<std::size_t>(events[static_cast<std::size_t>(i)].data.u64));
  }
}

bool StreamClients::run(std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (open_ > 0 && std::chrono::steady_clock::now() < end) wait(end);
  return open_ == 0;
}

void StreamClients::push(std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) wait(end);
}

void StreamClients::advance(std::size_t index) {
  Client& client = clients_[index];
  if (client.fd < 0) return;
  if (!client.request.empty()) {
    const ssize_t sent =
        send(client.fd, client.request.data(), client.request.size(), MSG_NOSIGNAL);
    if (sent > 0) client.request.erase(0, static_cast<std::size_t>(sent));
  }
  if (!client.reads) return;
  std::array<char, 16384> buffer;
  while (true) {
    const ssize_t got = recv(client.fd, buffer.data(), buffer.size(), 0);
    if (got > 0) {
      take(index, buffer.data(), static_cast<std::size_t>(got));
    } else if (got == 0 || (errno != EAGAIN && errno != ENOTCONN && errno != EINTR)) {
      finish(index);
      return;
    } else {
      return;
    }
  }
}

void StreamClients::take(std::size_t index, const char* data, std::size_t size) {
  Client& client = clients_[index];
  ClientRecord& record = records_[index];
  record.bytes += size;
  std::string_view text(data, size);
  if (record.status == 0) {
    client.head += text;
    const std::size_t end = client.head.find("\r\n\r\n");
    if (end == std::string::npos) return;
    record.status = status_of(client.head);
    const std::string_view head = std::string_view(client.head).substr(0, end);
    record.retry_after = head.find("\r\nRetry-After: ") != std::string_view::npos;
    client.tail = client.head.substr(end + 4);
    text = client.tail;
  } else {
    client.tail += text;
  }
  for (std::size_t at = 0; keep_events_ && (at = text.find("data: ", at)) != std::string_view::npos;
       ++at) {
    record.events.push_back(std::chrono::steady_clock::now());
  }
  if (client.tail.find("data: [DONE]") != std::string::npos) record.complete = true;
  if (client.tail.size() > kTailBytes) client.tail.erase(0, client.tail.size() - kTailBytes);
}

void StreamClients::finish(std::size_t index) {
  close(std::exchange(clients_[index].fd, -1));
  ClientRecord& record = records_[index];
  record.closed = true;
  if (record.status != 0 && record.status != 200) record.complete = true;
  --open_;
}

}  // namespace notso
