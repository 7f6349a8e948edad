// One request and its answer, as handlers see them. A handler is a coroutine on the connection's
// strand: it reads the request, which is here whole, and answers once, whole or as a stream.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <vector>

#include "web/http/message.h"

namespace notso::http {

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
