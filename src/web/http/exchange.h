// One request and its answer, as handlers see them. A handler is a coroutine on the connection's
// strand: it reads the request, which is here whole, and answers once, whole or as a stream.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace notso::http {

// A header or a query parameter.
struct Field {
  std::string name;
  std::string value;
};

// A request that has passed the limits. Header names compare without case.
struct Request {
  std::string id;      // ours, in the log and in X-Request-Id
  std::string method;  // "GET", ...
  std::string path;    // decoded, without the query; begins with '/', has no "." or ".." parts
  std::string query;   // as it came
  std::vector<Field> parameters;       // of the query, decoded
  std::vector<Field> path_parameters;  // what the route's {names} matched
  std::vector<Field> headers;
  std::string body;
  std::string remote;  // the client's address; behind a trusted proxy, the one it forwards
  bool secure = false;
  std::string principal;  // who it is, set by the gate: the id of an API key, "" for nobody

  // The first header or query parameter of that name.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
  [[nodiscard]] std::optional<std::string_view> parameter(std::string_view name) const;
  // The value that the route's {name} matched; "" for an unknown name.
  [[nodiscard]] std::string_view path_parameter(std::string_view name) const;
};

// A whole answer. Not an aggregate: g++ 12 copies aggregates bit by bit where one is made inside
// the argument of a co_await, which breaks the strings in them.
struct Response {
  Response() = default;
  // An answer with its parts.
  explicit Response(int with_status) : status(with_status) {}
  Response(int with_status, std::vector<Field> with_headers, std::string with_body = {})
      : status(with_status), headers(std::move(with_headers)), body(std::move(with_body)) {}

  int status = 200;
  std::vector<Field> headers;
  std::string body;
};

// The connection's side of one request.
class Exchange {
 public:
  virtual ~Exchange() = default;

  [[nodiscard]] virtual const Request& request() const = 0;
  // The strand that the handler runs on: post to it to get back from another thread.
  [[nodiscard]] virtual boost::asio::any_io_executor executor() = 0;

  // Answers whole. False if the client has gone. Content-Length, Connection and the like are set by
  // the server, whatever `headers` say; this holds for begin() too.
  virtual boost::asio::awaitable<bool> respond(Response response) = 0;

  // Begins a streamed answer (chunked); then write() as often as wanted, and finish().
  virtual boost::asio::awaitable<bool> begin(int status, std::vector<Field> headers) = 0;
  // Sends a piece and waits until the socket has taken it, but for no longer than the write limit.
  // False if the client has gone or was too slow: the stream is over.
  virtual boost::asio::awaitable<bool> write(std::string piece) = 0;
  virtual boost::asio::awaitable<void> finish() = 0;

  // Calls back, on the strand, once when the client goes away before the answer is complete; also
  // while the handler waits for something else, and at once if the client has gone already. Not
  // called after the handler has returned. Set it before the first suspension that matters.
  virtual void on_disconnect(std::function<void()> callback) = 0;
  // Whether the server is draining: a stream without end should end soon.
  [[nodiscard]] virtual bool draining() const = 0;
};

// Answers one request.
using Handler = std::function<boost::asio::awaitable<void>(Exchange&)>;

}  // namespace notso::http
