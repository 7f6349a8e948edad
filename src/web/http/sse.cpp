#include "web/http/sse.h"

#include <utility>

namespace notso::http {

namespace asio = boost::asio;

SseWriter::SseWriter(Exchange& exchange, std::chrono::milliseconds keep_alive)
    : exchange_(exchange), keep_alive_(keep_alive) {}

asio::awaitable<bool> SseWriter::begin(std::vector<Field> headers) {
  headers.push_back({"Content-Type", "text/event-stream; charset=utf-8"});
  headers.push_back({"Cache-Control", "no-store"});
  headers.push_back({"X-Accel-Buffering", "no"});
  co_return co_await exchange_.begin(200, std::move(headers));
}

asio::awaitable<bool> SseWriter::event(std::string id, std::string name, std::string data) {
  const ServerEvent event{std::move(id), std::move(name), std::move(data)};
  co_return co_await raw(to_text(event));
}

asio::awaitable<bool> SseWriter::data(std::string data) {
  const ServerEvent event{{}, {}, std::move(data)};
  co_return co_await raw(to_text(event));
}

asio::awaitable<bool> SseWriter::raw(std::string events) {
  co_return co_await exchange_.write(std::move(events));
}

asio::awaitable<bool> SseWriter::keep_alive() { co_return co_await raw(": keep-alive\n\n"); }

asio::awaitable<void> SseWriter::finish() { co_await exchange_.finish(); }

}  // namespace notso::http
