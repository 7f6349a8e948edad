#include "web/http/served_exchange.h"

#include <array>
#include <chrono>
#include <fmt/format.h>
#include <utility>

#include "web/http/text.h"

namespace notso::http {

namespace asio = boost::asio;

namespace {

// Headers that say how the answer is framed; only the server knows that.
bool is_framing(std::string_view name) {
  constexpr std::array<std::string_view, 5> kNames{"connection", "content-length", "date",
                                                   "keep-alive", "transfer-encoding"};
  for (const std::string_view framing : kNames) {
    if (same_name(name, framing)) return true;
  }
  return false;
}

// The bodies of these answers are always empty.
bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

// Small pieces go in one buffer with their head.
constexpr std::size_t kCopyBytesMax = std::size_t{16} << 10U;

}  // namespace

ServedExchange::ServedExchange(Connection& connection, Request& request)
    : connection_(connection), request_(request) {}

ServedExchange::~ServedExchange() {
  if (phase_ == Phase::kStreaming) end(Phase::kCut);
}

std::string ServedExchange::make_head(int status, const std::vector<Field>& headers) {
  status_ = status;
  std::string head = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\n", status, reason_of(status),
                                 http_date(std::time(nullptr)));
  append_header(head, "X-Request-Id", request_.id);
  for (const Field& field : headers) {
    if (!is_framing(field.name)) append_header(head, field.name, field.value);
  }
  for (const Field& field : options.headers) append_header(head, field.name, field.value);
  for (const Field& field : connection_.state().options.headers) {
    if (!has_header(headers, field.name)) append_header(head, field.name, field.value);
  }
  if (draining() || !options.http11) options.keep_alive = false;
  if (!options.keep_alive) head += "Connection: close\r\n";
  return head;
}

void ServedExchange::end(Phase phase) {
  phase_ = phase;
  if (phase == Phase::kComplete) connection_.on_lost(nullptr);
  if (std::exchange(counted_, false)) --connection_.state().streams;
}

asio::awaitable<bool> ServedExchange::respond(Response response) {
  if (phase_ != Phase::kPending) co_return false;
  phase_ = Phase::kStreaming;
  std::string head = make_head(response.status, response.headers);
  const bool empty = has_no_body(response.status);
  if (!empty) head += fmt::format("Content-Length: {}\r\n", response.body.size());
  head += "\r\n";
  if (empty || options.head_only) response.body.clear();
  if (response.body.size() <= kCopyBytesMax) head += std::exchange(response.body, {});
  const bool sent = co_await connection_.send(head, response.body);
  end(sent ? Phase::kComplete : Phase::kCut);
  co_return sent;
}

asio::awaitable<bool> ServedExchange::begin(int status, std::vector<Field> headers) {
  if (phase_ != Phase::kPending) co_return false;
  if (connection_.lost()) {
    end(Phase::kCut);
    co_return false;
  }
  phase_ = Phase::kStreaming;
  counted_ = true;
  ++connection_.state().streams;
  chunked_ = options.http11;
  if (!chunked_) options.keep_alive = false;
  std::string head = make_head(status, headers);
  if (chunked_) head += "Transfer-Encoding: chunked\r\n";
  head += "\r\n";
  const bool sent = co_await connection_.send(head);
  if (!sent) end(Phase::kCut);
  // HEAD has its whole answer.
  if (sent && options.head_only) end(Phase::kComplete);
  co_return phase_ == Phase::kStreaming && !connection_.lost();
}

asio::awaitable<bool> ServedExchange::write(std::string piece) {
  if (phase_ != Phase::kStreaming || connection_.lost()) co_return false;
  if (piece.empty()) co_return true;
  if (chunked_) {
    piece.insert(0, fmt::format("{:x}\r\n", piece.size()));
    piece += "\r\n";
  }
  const bool sent = co_await connection_.send(piece);
  if (!sent) end(Phase::kCut);
  co_return sent;
}

asio::awaitable<void> ServedExchange::finish() {
  if (phase_ != Phase::kStreaming) co_return;
  bool sent = !connection_.broken();
  if (chunked_) sent = co_await connection_.send("0\r\n\r\n");
  end(sent ? Phase::kComplete : Phase::kCut);
}

void ServedExchange::on_disconnect(std::function<void()> callback) {
  if (phase_ != Phase::kComplete) connection_.on_lost(std::move(callback));
}

bool ServedExchange::draining() const { return connection_.state().draining.load(); }

}  // namespace notso::http
