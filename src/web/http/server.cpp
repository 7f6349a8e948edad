#include "web/http/server.h"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <random>
#include <sys/socket.h>
#include <thread>
#include <utility>

#include "web/http/connection.h"
#include "web/http/listen.h"
#include "web/http/serve.h"
#include "web/http/server_state.h"
#include "web/http/tls.h"

namespace notso::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorOfAsio = boost::system::error_code;

namespace {

constexpr auto kQuietly = asio::as_tuple(asio::use_awaitable);
// After an accept that failed for want of descriptors or memory.
constexpr std::chrono::milliseconds kAcceptPause{50};
// What cut connections have for their handlers to return.
constexpr std::chrono::milliseconds kCutTime{5000};

std::string url_of(const tcp::endpoint& endpoint, bool tls) {
  auto address = endpoint.address();
  // A server on all addresses is reached at loopback's, too.
  if (address.is_unspecified() && address.is_v4()) address = asio::ip::address_v4::loopback();
  if (address.is_unspecified()) address = asio::ip::address_v6::loopback();
  const std::string host =
      address.is_v6() ? fmt::format("[{}]", address.to_string()) : address.to_string();
  return fmt::format("{}://{}:{}", tls ? "https" : "http", host, endpoint.port());
}

// Says no without reading: one answer that fits any socket's buffer, then the end.
void refuse_connection(tcp::socket socket, bool tls) {
  ErrorOfAsio ignored;
  if (!tls) {
    static constexpr std::string_view kAnswer =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\n"
        "Connection: close\r\n\r\n";
    ::send(socket.native_handle(), kAnswer.data(), kAnswer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  socket.shutdown(tcp::socket::shutdown_both, ignored);
  socket.close(ignored);
}

class RunningServer final : public Server {
 public:
  RunningServer(ServerOptions options, Router router, ServerHooks hooks)
      : state_(std::make_shared<ServerState>()) {
    state_->options = std::move(options);
    state_->router = std::move(router);
    state_->hooks = std::move(hooks);
    std::random_device random;
    state_->id_prefix = fmt::format("{:08x}", random());
  }
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;
  ~RunningServer() override { stop(); }

  Status open();

  [[nodiscard]] std::string url() const override { return url_; }
  [[nodiscard]] std::uint16_t port() const override { return port_; }
  [[nodiscard]] ServerStats stats() const override;
  [[nodiscard]] asio::any_io_executor executor() override { return context_.get_executor(); }
  Status reload_tls() override;
  void stop() override;

 private:
  void run_thread();
  asio::awaitable<void> accept_from(tcp::acceptor& acceptor);
  void take(tcp::socket socket);
  void for_each_connection(void (Connection::*action)());
  bool wait_until_empty(std::chrono::milliseconds time);

  std::shared_ptr<ServerState> state_;
  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  std::vector<tcp::acceptor> acceptors_;
  std::vector<std::thread> threads_;
  std::string url_;
  std::uint16_t port_ = 0;
  std::once_flag stopped_;
};

Status RunningServer::open() {
  auto tls = make_tls_context(state_->options.tls);
  if (!tls) return pass_on(tls);
  state_->tls = std::move(*tls);
  auto acceptors = listen_on(context_, state_->options);
  if (!acceptors) return pass_on(acceptors);
  acceptors_ = std::move(*acceptors);
  const tcp::endpoint bound = acceptors_.front().local_endpoint();
  port_ = bound.port();
  url_ = url_of(bound, state_->tls != nullptr);
  const ServerOptions& options = state_->options;
  std::vector<std::string> names = options.hosts;
  if (options.host.find(':') == std::string::npos)
    names.push_back(options.host + ":" + std::to_string(port_));
  auto proxies = Networks::create(options.proxies);
  if (!proxies) return pass_on(proxies);
  state_->proxies = std::move(*proxies);
  auto site = Site::create(bound.address().to_string(), port_, names, options.origins,
                           !state_->proxies.empty());
  if (!site) return pass_on(site);
  state_->site = std::move(*site);
  for (tcp::acceptor& acceptor : acceptors_) {
    asio::co_spawn(acceptor.get_executor(), accept_from(acceptor), asio::detached);
  }
  for (int i = 0; i < std::max(1, options.threads); ++i) {
    threads_.emplace_back([this] { run_thread(); });
  }
  return {};
}

void RunningServer::run_thread() {
  while (!context_.stopped()) {
    try {
      context_.run();
    } catch (...) {
      // Out of memory, or a timer of a part above: what threw is gone, the others go on.
      continue;
    }
  }
}

asio::awaitable<void> RunningServer::accept_from(tcp::acceptor& acceptor) {
  while (!state_->draining) {
    auto [error, socket] = co_await acceptor.async_accept(asio::make_strand(context_), kQuietly);
    if (state_->draining || error == asio::error::operation_aborted) break;
    if (!error) {
      take(std::move(socket));
    } else if (error != asio::error::connection_aborted) {
      asio::steady_timer pause(acceptor.get_executor(), kAcceptPause);
      co_await pause.async_wait(kQuietly);
    }
  }
}

void RunningServer::take(tcp::socket socket) {
  ++state_->accepted;
  std::shared_ptr<asio::ssl::context> tls;
  bool full = false;
  {
    const std::lock_guard lock(state_->mutex);
    tls = state_->tls;
    full = state_->connections.size() >= state_->options.limits.connections_max;
  }
  if (full) {
    ++state_->refused;
    refuse_connection(std::move(socket), tls != nullptr);
    return;
  }
  const auto executor = socket.get_executor();
  auto connection = std::make_shared<Connection>(state_, std::move(socket), std::move(tls));
  {
    const std::lock_guard lock(state_->mutex);
    state_->connections.emplace(connection.get(), connection);
  }
  asio::co_spawn(executor, serve(std::move(connection)), asio::detached);
}

ServerStats RunningServer::stats() const {
  ServerStats stats;
  stats.accepted = state_->accepted;
  stats.refused = state_->refused;
  stats.reaped = state_->reaped;
  stats.streams = state_->streams;
  const std::lock_guard lock(state_->mutex);
  stats.open = static_cast<std::int64_t>(state_->connections.size());
  return stats;
}

Status RunningServer::reload_tls() {
  auto tls = make_tls_context(state_->options.tls);
  if (!tls) return pass_on(tls);
  const std::lock_guard lock(state_->mutex);
  state_->tls = std::move(*tls);
  return {};
}

void RunningServer::for_each_connection(void (Connection::*action)()) {
  // The last reference to a connection must not be dropped under the lock, which its end takes.
  std::vector<std::shared_ptr<Connection>> alive;
  {
    const std::lock_guard lock(state_->mutex);
    for (const auto& [key, weak] : state_->connections) {
      if (auto connection = weak.lock()) alive.push_back(std::move(connection));
    }
  }
  for (auto& connection : alive) {
    const auto executor = connection->executor();
    asio::post(executor, [connection = std::move(connection), action] { (*connection.*action)(); });
  }
}

bool RunningServer::wait_until_empty(std::chrono::milliseconds time) {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, time, [&] { return state_->connections.empty(); });
}

void RunningServer::stop() {
  std::call_once(stopped_, [this] {
    state_->draining = true;
    for (tcp::acceptor& acceptor : acceptors_) {
      asio::post(acceptor.get_executor(), [&acceptor] {
        ErrorOfAsio ignored;
        acceptor.close(ignored);
      });
    }
    if (!threads_.empty()) {
      for_each_connection(&Connection::drain);
      if (!wait_until_empty(state_->options.limits.drain_time_max)) {
        for_each_connection(&Connection::cut);
        wait_until_empty(kCutTime);
      }
    }
    work_.reset();
    context_.stop();
    for (std::thread& thread : threads_) thread.join();
  });
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Router router,
                                              ServerHooks hooks) {
  auto server =
      std::make_unique<RunningServer>(std::move(options), std::move(router), std::move(hooks));
  if (auto status = server->open(); !status) return pass_on(status);
  return server;
}

}  // namespace notso::http
