#include "web/http/sse.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "web/http/text.h"

namespace notso::http {

namespace asio = boost::asio;

namespace {

// "field: value" with the value's line ends and NULs left out.
void append_line(std::string& text, std::string_view field, std::string_view value) {
  text += field;
  for (const char c : value) {
    if (c != '\r' && c != '\n' && c != '\0') text += c;
  }
  text += '\n';
}

}  // namespace

std::string to_text(const ServerEvent& event) {
  std::string text;
  text.reserve(event.data.size() + event.id.size() + event.name.size() + 32);
  if (!event.id.empty()) append_line(text, "id: ", event.id);
  if (!event.name.empty()) append_line(text, "event: ", event.name);
  std::string_view rest = event.data;
  bool more = true;
  while (more) {
    const std::size_t end = rest.find_first_of("\r\n");
    more = end != std::string_view::npos;
    text += "data: ";
    text += rest.substr(0, end);
    text += '\n';
    if (more) rest.remove_prefix(end + (rest.substr(end).starts_with("\r\n") ? 2 : 1));
  }
  text += '\n';
  return text;
}

std::optional<std::uint64_t> last_event_id(const Request& request) {
  auto text = request.header("last-event-id");
  if (!text) text = request.parameter("last_event_id");
  if (!text) return std::nullopt;
  std::uint64_t id = 0;
  const char* end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, id);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return id;
}

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

asio::awaitable<bool> SseWriter::retry(std::chrono::milliseconds time) {
  co_return co_await raw("retry: " + std::to_string(time.count()) + "\n\n");
}

asio::awaitable<bool> SseWriter::keep_alive() { co_return co_await raw(": keep-alive\n\n"); }

asio::awaitable<void> SseWriter::finish() { co_await exchange_.finish(); }

}  // namespace notso::http
