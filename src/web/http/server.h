// The HTTP server: listens, reads requests under limits, asks the gate, routes, answers, logs. It
// knows nothing of chat.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "web/http/exchange.h"
#include "web/http/limits.h"
#include "web/http/router.h"

namespace notso::http {

// Certificate and key in PEM files; both empty: plain HTTP.
struct TlsFiles {
  std::string certificate;
  std::string key;
};

// What the server does besides routing.
struct ServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 3000;  // 0: any free one
  int inherited_socket = -1;  // a listening socket from socket activation; -1: none
  int threads = 2;
  Limits limits;
  TlsFiles tls;
  std::vector<std::string> hosts;  // further names that Host may have, besides loopback's and ours
  std::vector<std::string> origins;  // other origins that may call (CORS)
  // Addresses and networks whose X-Forwarded-For and X-Forwarded-Proto are believed.
  std::vector<std::string> proxies;
  std::vector<Field> headers;  // for every answer: the CSP and its like
};

// One line of the access log.
struct AccessRecord {
  std::string id;
  std::string remote;
  std::string method;
  std::string path;     // escaped; without the query
  std::string pattern;  // the route's; "" if none
  std::string principal;
  int status = 0;  // 0: the client went before an answer
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  double seconds = 0;
  std::string failure;  // escaped; what the handler or the gate threw
};

// Looks at a routed request before its body is read and its handler called: may set `principal`, or
// answer instead (401, 429). Called on the connection's strand; must not block.
using Gate = std::function<std::optional<Response>(Request& request, const RouteOptions& options)>;

// What the server tells others. Called from its threads.
struct ServerHooks {
  Gate gate;
  std::function<void(const AccessRecord&)> access;
  // The body and content type of the server's own errors (404, 405, 413, 431, 500, ...), so that
  // each part of the site has its shape.
  std::function<Response(const Request&, int status, const std::string& message)> error;
};

// Counts of a moment.
struct ServerStats {
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;  // over connections_max
  std::uint64_t reaped = 0;   // timed out
  std::int64_t open = 0;
  std::int64_t streams = 0;  // answers that are being streamed
};

// A running server.
class Server {
 public:
  // Binds and starts serving. Fails, in one line with the mend, when the port is taken, the
  // address is not ours or a certificate cannot be read.
  static Result<std::unique_ptr<Server>> start(ServerOptions options, Router router,
                                               ServerHooks hooks);
  virtual ~Server() = default;

  // "http://127.0.0.1:3000", with the port that was bound.
  [[nodiscard]] virtual std::string url() const = 0;
  [[nodiscard]] virtual std::uint16_t port() const = 0;
  [[nodiscard]] virtual ServerStats stats() const = 0;
  // The server's executor, for timers of the parts above it.
  [[nodiscard]] virtual boost::asio::any_io_executor executor() = 0;

  // Reads the certificate files again; new connections use them. On an error the old ones stay.
  virtual Status reload_tls() = 0;

  // Takes no new connection or request, lets running answers end for up to drain_time_max, then
  // cuts them. Returns when all is closed. Not to be called from one of the server's threads; the
  // destructor calls it too.
  virtual void stop() = 0;
};

}  // namespace notso::http
