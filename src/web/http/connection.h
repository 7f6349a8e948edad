// One client's socket, plain or TLS: buffered reads, whole writes, one deadline, and the watch for
// a client that goes away. Internal to web/http. Everything runs on the connection's strand.
//
// There is at most one read under way, and it is never cancelled: bytes that arrive while a handler
// runs are kept for the next request, and the end of the stream tells that the client has gone.
#pragma once

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "web/http/server_state.h"

namespace notso::http {

// Lives as long as the coroutine that serves it.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Milliseconds = std::chrono::milliseconds;

  // `tls` is null for plain HTTP.
  Connection(std::shared_ptr<ServerState> state, boost::asio::ip::tcp::socket socket,
             std::shared_ptr<boost::asio::ssl::context> tls);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  // What it shares with the other connections, and the strand that it runs on.
  [[nodiscard]] ServerState& state() { return *state_; }
  [[nodiscard]] boost::asio::any_io_executor executor() { return socket_.get_executor(); }
  [[nodiscard]] bool secure() const { return tls_.has_value(); }
  // The client's address; "" if it went before it was asked.
  [[nodiscard]] const std::string& remote() const { return remote_; }
  [[nodiscard]] bool from_proxy() const { return from_proxy_; }
  [[nodiscard]] std::uint64_t bytes_sent() const { return bytes_sent_; }

  // Does TLS's handshake, if there is TLS. A client that speaks plain HTTP to it is told so.
  boost::asio::awaitable<bool> handshake();

  // The bytes that have come and were not consumed.
  [[nodiscard]] std::string_view buffered() const { return buffer_; }
  void consume(std::size_t bytes) { buffer_.erase(0, bytes); }
  // Waits for more bytes. False when no more will come.
  boost::asio::awaitable<bool> fill();

  // Sends both texts, one after the other, and waits until the socket has taken them; each piece of
  // progress has the write limit's time. False if the client cannot be reached.
  boost::asio::awaitable<bool> send(std::string_view first, std::string_view second = {});

  // Cuts the connection off after `time`, unless the deadline is moved or cleared before.
  void set_deadline(Milliseconds time, bool counts_as_reaped);
  void clear_deadline();

  // Between requests: a connection that draining may close at once.
  void set_idle(bool idle) { idle_ = idle; }
  // Takes note that the server drains.
  void drain();

  // While watched, the client's going away is noticed and `on_lost` called.
  void watch();
  void unwatch();
  void on_lost(std::function<void()> callback);
  // The client has gone, or has closed its side.
  [[nodiscard]] bool lost() const { return lost_; }
  // Nothing can be sent any more.
  [[nodiscard]] bool broken() const { return broken_; }

  // Closes at once; what was not sent yet is lost.
  void cut();
  // Closes so that the last answer arrives: says that no more comes, then waits a little for the
  // client to close.
  boost::asio::awaitable<void> close_gently();

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  boost::asio::awaitable<void> greet_plain_client();
  void start_read();
  void read_done(bool failed, std::size_t bytes);
  void lose();
  void arm_timer();
  void timer_fired();

  std::shared_ptr<ServerState> state_;
  boost::asio::ip::tcp::socket socket_;
  std::shared_ptr<boost::asio::ssl::context> tls_context_;
  std::optional<boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>> tls_;
  std::string remote_;
  bool from_proxy_ = false;  // one that is believed

  std::array<char, 4096> incoming_;
  std::string buffer_;
  boost::asio::steady_timer read_event_;  // never fires: cancelled when a read ends
  bool reading_ = false;
  bool read_ended_ = false;

  boost::asio::steady_timer deadline_timer_;
  TimePoint deadline_ = TimePoint::max();
  TimePoint armed_ = TimePoint::max();  // when the timer fires; it is moved only to be earlier
  bool deadline_reaps_ = false;

  std::function<void()> on_lost_;
  std::uint64_t bytes_sent_ = 0;
  bool idle_ = true;
  bool watched_ = false;
  bool lost_ = false;
  bool broken_ = false;
};

}  // namespace notso::http
