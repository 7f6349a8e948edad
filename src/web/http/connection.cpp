#include "web/http/connection.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <tuple>
#include <utility>

namespace notso::http {

namespace asio = boost::asio;
using ErrorOfAsio = boost::system::error_code;

namespace {

constexpr auto kQuietly = asio::as_tuple(asio::use_awaitable);
// Bytes of further requests that are kept while one is answered; more must wait in the socket.
constexpr std::size_t kPipelineBytesMax = std::size_t{16} << 10U;
// What a closing connection reads and drops, so that the client gets to read the answer.
constexpr std::size_t kDropBytesMax = std::size_t{1} << 20U;
constexpr std::chrono::milliseconds kCloseTime{2000};
// Answers wait here and not in the kernel, where they would count against nobody's limit.
constexpr int kUnsentBytesMax = 128 << 10;

// How long a connection may be silent before the system asks whether the client is still there.
constexpr int kProbeSeconds = 30;

constexpr unsigned char kTlsHandshakeRecord = 0x16;

}  // namespace

Connection::Connection(std::shared_ptr<ServerState> state, asio::ip::tcp::socket socket,
                       std::shared_ptr<asio::ssl::context> tls)
    : state_(std::move(state)),
      socket_(std::move(socket)),
      tls_context_(std::move(tls)),
      read_event_(socket_.get_executor()),
      deadline_timer_(socket_.get_executor()) {
  ErrorOfAsio ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  const auto set = [&](int level, int name, int value) {
    setsockopt(socket_.native_handle(), level, name, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NOTSENT_LOWAT, kUnsentBytesMax);
  // A client that vanished without a word (a laptop that sleeps) is noticed within a minute or so.
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, kProbeSeconds);
  set(IPPROTO_TCP, TCP_KEEPINTVL, kProbeSeconds / 3);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 2 * kProbeSeconds * 1000);
  read_event_.expires_at(TimePoint::max());
  if (tls_context_) tls_.emplace(socket_, *tls_context_);
  ErrorOfAsio gone;
  const auto endpoint = socket_.remote_endpoint(gone);
  if (gone) return;
  auto address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  remote_ = address.to_string();
  from_proxy_ = state_->proxies.contains(address);
}

Connection::~Connection() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->connections.erase(this);
  }
  state_->changed.notify_all();
}

asio::awaitable<bool> Connection::handshake() {
  if (!tls_) co_return true;
  set_deadline(state_->options.limits.header_time_max, true);
  const auto [waited] = co_await socket_.async_wait(asio::socket_base::wait_read, kQuietly);
  if (waited || broken_) co_return false;
  unsigned char first = kTlsHandshakeRecord;
  const auto got = recv(socket_.native_handle(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got == 1 && first != kTlsHandshakeRecord) {
    co_await greet_plain_client();
    co_return false;
  }
  const auto [error] = co_await tls_->async_handshake(asio::ssl::stream_base::server, kQuietly);
  clear_deadline();
  co_return !error;
}

asio::awaitable<void> Connection::greet_plain_client() {
  tls_.reset();
  constexpr std::string_view kAnswer =
      "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n"
      "Content-Length: 54\r\n\r\nThis port speaks HTTPS: begin the address with https.\n";
  co_await send(kAnswer);
  co_await close_gently();
}

asio::awaitable<bool> Connection::fill() {
  start_read();
  while (reading_) co_await read_event_.async_wait(kQuietly);
  co_return !read_ended_;
}

void Connection::start_read() {
  if (reading_ || read_ended_) return;
  reading_ = true;
  auto done = [self = shared_from_this()](const ErrorOfAsio& error, std::size_t bytes) {
    self->read_done(error.failed(), bytes);
  };
  if (tls_) {
    tls_->async_read_some(asio::buffer(incoming_), std::move(done));
  } else {
    socket_.async_read_some(asio::buffer(incoming_), std::move(done));
  }
}

void Connection::read_done(bool failed, std::size_t bytes) {
  reading_ = false;
  read_ended_ = failed;
  buffer_.append(incoming_.data(), bytes);
  read_event_.cancel();
  if (!watched_) return;
  if (read_ended_) {
    lose();
  } else if (buffer_.size() < kPipelineBytesMax) {
    start_read();
  }
}

asio::awaitable<bool> Connection::send(std::string_view first, std::string_view second) {
  const TimePoint deadline_before = deadline_;
  const bool reaps_before = deadline_reaps_;
  while (!broken_ && first.size() + second.size() > 0) {
    set_deadline(state_->options.limits.write_time_max, true);
    const std::array<asio::const_buffer, 2> pieces{asio::buffer(first), asio::buffer(second)};
    ErrorOfAsio error;
    std::size_t bytes = 0;
    if (tls_) {
      std::tie(error, bytes) = co_await tls_->async_write_some(pieces, kQuietly);
    } else {
      std::tie(error, bytes) = co_await socket_.async_write_some(pieces, kQuietly);
    }
    bytes_sent_ += bytes;
    const std::size_t of_first = std::min(bytes, first.size());
    first.remove_prefix(of_first);
    second.remove_prefix(bytes - of_first);
    if (error) {
      broken_ = true;
      lose();
    }
  }
  deadline_ = deadline_before;
  deadline_reaps_ = reaps_before;
  if (deadline_ < armed_) arm_timer();
  co_return !broken_;
}

void Connection::set_deadline(Milliseconds time, bool counts_as_reaped) {
  deadline_ = std::chrono::steady_clock::now() + time;
  deadline_reaps_ = counts_as_reaped;
  if (deadline_ < armed_) arm_timer();
}

void Connection::clear_deadline() { deadline_ = TimePoint::max(); }

void Connection::arm_timer() {
  armed_ = deadline_;
  deadline_timer_.expires_at(armed_);
  deadline_timer_.async_wait([weak = weak_from_this()](const ErrorOfAsio& error) {
    const auto self = weak.lock();
    if (self && !error) self->timer_fired();
  });
}

void Connection::timer_fired() {
  armed_ = TimePoint::max();
  if (deadline_ == TimePoint::max() || broken_) return;
  if (std::chrono::steady_clock::now() < deadline_) {
    arm_timer();
    return;
  }
  if (deadline_reaps_) ++state_->reaped;
  cut();
}

void Connection::drain() {
  if (idle_) cut();
}

void Connection::watch() {
  watched_ = true;
  if (read_ended_) {
    lose();
  } else if (buffer_.size() < kPipelineBytesMax) {
    start_read();
  }
}

void Connection::unwatch() {
  watched_ = false;
  on_lost_ = nullptr;
}

void Connection::on_lost(std::function<void()> callback) {
  on_lost_ = std::move(callback);
  if (lost_ && watched_) {
    lost_ = false;
    lose();
  }
}

void Connection::lose() {
  if (std::exchange(lost_, true) || !on_lost_) return;
  const auto callback = std::exchange(on_lost_, nullptr);
  try {
    callback();
  } catch (...) {
    // The handler's own error; what it wanted to end will end by its writes failing.
    broken_ = true;
  }
}

void Connection::cut() {
  if (!socket_.is_open()) return;
  broken_ = true;
  ErrorOfAsio ignored;
  // A reset frees what the kernel still holds for a client that does not read.
  if (!idle_) socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  socket_.close(ignored);
  read_event_.cancel();
  lose();
}

asio::awaitable<void> Connection::close_gently() {
  ErrorOfAsio ignored;
  if (!broken_) {
    set_deadline(kCloseTime, false);
    if (tls_) {
      co_await tls_->async_shutdown(kQuietly);
    } else {
      socket_.shutdown(asio::socket_base::shutdown_send, ignored);
      std::size_t dropped = buffer_.size();
      do {
        buffer_.clear();
        const bool more = co_await fill();
        dropped += buffer_.size();
        if (!more) break;
      } while (dropped < kDropBytesMax);
    }
  }
  broken_ = true;
  socket_.close(ignored);
}

}  // namespace notso::http
