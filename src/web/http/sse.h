// Answers that are streams of server-sent events.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "web/http/event_queue.h"
#include "web/http/exchange.h"
#include "web/http/server_event.h"

namespace notso::http {

// How often an idle stream says that it is alive.
inline constexpr std::chrono::milliseconds kSseKeepAlive{15'000};

// Writes a stream of events as the answer of an exchange.
class SseWriter {
 public:
  explicit SseWriter(Exchange& exchange, std::chrono::milliseconds keep_alive = kSseKeepAlive);

  // Begins the answer: 200, text/event-stream, never cached or buffered on the way. All of these
  // are false when the client has gone or was too slow.
  boost::asio::awaitable<bool> begin(std::vector<Field> headers = {});
  boost::asio::awaitable<bool> event(std::string id, std::string name, std::string data);
  // An event that is data alone, as OpenAI's clients read them.
  boost::asio::awaitable<bool> data(std::string data);
  // Text made by to_text, perhaps of several events, in one piece.
  boost::asio::awaitable<bool> raw(std::string events);
  // A line that clients ignore, for proxies and dead connections to notice.
  boost::asio::awaitable<bool> keep_alive();
  boost::asio::awaitable<void> finish();

  // The next events of `queue`; meanwhile keeps the idle stream alive. Nothing when the queue has
  // ended or the client has gone.
  template <class Event>
  boost::asio::awaitable<std::optional<std::vector<Event>>> next(EventQueue<Event>& queue) {
    while (true) {
      auto batch = co_await queue.pop(keep_alive_);
      if (!batch || !batch->empty()) co_return batch;
      const bool alive = co_await keep_alive();
      if (!alive) co_return std::nullopt;
    }
  }

 private:
  Exchange& exchange_;
  std::chrono::milliseconds keep_alive_;
};

}  // namespace notso::http
