#include "web/http/serve.h"

#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <exception>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <utility>

#include "web/http/request_parser.h"
#include "web/http/served_exchange.h"
#include "web/http/target.h"
#include "web/http/text.h"

namespace notso::http {

namespace asio = boost::asio;

namespace {

using Clock = std::chrono::steady_clock;

// One request on its way from the first byte to the access log.
class OneRequest {
 public:
  explicit OneRequest(Connection& connection)
      : connection_(connection),
        state_(connection.state()),
        parser_(state_.options.limits),
        exchange_(connection, request_),
        sent_before_(connection.bytes_sent()) {}

  // Serves it; false when the connection is to be closed after it.
  asio::awaitable<bool> run(bool first);

 private:
  // Reading. False where there is nothing to answer: the client went, or never asked.
  asio::awaitable<bool> read_head(bool first);
  asio::awaitable<void> read_body();
  bool feed();

  // Checks, in this order; each gives the answer instead of the handler's where it objects.
  std::optional<Response> check();
  std::optional<Response> check_target();
  std::optional<Response> check_host(const Target& target);
  std::optional<Response> check_origin();
  std::optional<Response> check_route();

  std::optional<Response> ask_gate();
  Response preflight();
  void forwarded_by_proxy();
  Response error(int status, const std::string& message);
  asio::awaitable<void> call_handler();
  void record();

  Connection& connection_;
  ServerState& state_;
  RequestParser parser_;
  Request request_;
  ServedExchange exchange_;
  Router::Match match_;
  Authority host_;
  Origin origin_ = Origin::kNone;
  Clock::time_point start_;
  std::string failure_;
  std::uint64_t bytes_in_ = 0;
  std::uint64_t sent_before_;
};

bool is_safe(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

// The words of the exception that is being handled.
std::string current_failure() {
  try {
    throw;
  } catch (const std::exception& exception) {
    return exception.what();
  } catch (...) {
    return "an unknown exception";
  }
}

bool OneRequest::feed() {
  const std::size_t used = parser_.feed(connection_.buffered());
  connection_.consume(used);
  bytes_in_ += used;
  return used > 0;
}

asio::awaitable<bool> OneRequest::read_head(bool first) {
  const Limits& limits = state_.options.limits;
  connection_.set_deadline(first ? limits.header_time_max : limits.idle_time_max, first);
  connection_.set_idle(true);
  while (connection_.buffered().empty()) {
    if (state_.draining) co_return false;
    const bool more = co_await connection_.fill();
    if (!more) co_return false;
  }
  start_ = Clock::now();
  connection_.set_idle(false);
  connection_.set_deadline(limits.header_time_max, true);
  while (true) {
    while (parser_.state() == RequestParser::State::kHead && feed()) {
    }
    if (parser_.state() != RequestParser::State::kHead) break;
    const bool more = co_await connection_.fill();
    if (!more) co_return false;
  }
  connection_.clear_deadline();
  request_.id = fmt::format("{}{:06x}", state_.id_prefix, state_.next_id.fetch_add(1));
  request_.remote = connection_.remote();
  request_.secure = connection_.secure();
  co_return true;
}

asio::awaitable<void> OneRequest::read_body() {
  if (parser_.state() != RequestParser::State::kBody) co_return;
  if (parser_.head().expects_continue && connection_.buffered().empty()) {
    co_await connection_.send("HTTP/1.1 100 Continue\r\n\r\n");
  }
  connection_.set_deadline(state_.options.limits.body_time_max, true);
  bool more = true;
  while (more) {
    while (feed()) {
    }
    if (parser_.state() != RequestParser::State::kBody) break;
    more = co_await connection_.fill();
  }
  connection_.clear_deadline();
  request_.body = parser_.take_body();
}

std::optional<Response> OneRequest::check() {
  if (parser_.state() == RequestParser::State::kRefused) {
    return error(parser_.refusal().status, parser_.refusal().message);
  }
  RequestHead& head = parser_.head();
  request_.method = std::move(head.method);
  request_.headers = std::move(head.headers);
  exchange_.options.http11 = head.http11;
  exchange_.options.keep_alive = head.keep_alive;
  exchange_.options.head_only = request_.method == "HEAD";
  if (connection_.from_proxy()) forwarded_by_proxy();
  if (auto response = check_target()) return response;
  if (auto response = check_origin()) return response;
  if (state_.draining) {
    Response response = error(503, "The server is shutting down.");
    response.headers.push_back({"Retry-After", "5"});
    return response;
  }
  return check_route();
}

std::optional<Response> OneRequest::check_target() {
  auto target = parse_target(parser_.head().target);
  if (!target) return error(400, target.error().message);
  request_.path = std::move(target->path);
  request_.query = std::move(target->query);
  request_.parameters = std::move(target->parameters);
  if (target->asterisk && request_.method != "OPTIONS") {
    return error(400, "Only OPTIONS may ask for '*'.");
  }
  return check_host(*target);
}

std::optional<Response> OneRequest::check_host(const Target& target) {
  const auto header = request_.header("host");
  // HTTP/1.0 had no Host; browsers, which rebinding is about, do not speak it.
  if (!header) return std::nullopt;
  auto host = parse_authority(*header);
  if (!host) return error(400, "The Host header is not a host with an optional port.");
  host_ = std::move(*host);
  if (!target.authority.empty()) {
    const auto authority = parse_authority(target.authority);
    if (!authority || !(*authority == host_)) {
      return error(400, "The target's host is not the Host header's.");
    }
  }
  if (state_.site.is_ours(host_, request_.secure)) return std::nullopt;
  return error(403, fmt::format("'{}' is not a name of this server; if it should be, add it to "
                                "server.allowed_hosts (--allow-host NAME).",
                                escape_for_log(*header)));
}

std::optional<Response> OneRequest::check_origin() {
  match_ = state_.router.find(request_.method, request_.path);
  origin_ = state_.site.judge(request_, host_);
  auto& headers = exchange_.options.headers;
  if (state_.site.has_origins()) headers.push_back({"Vary", "Origin"});
  if (origin_ == Origin::kListed) {
    headers.push_back({"Access-Control-Allow-Origin", std::string(*request_.header("origin"))});
    headers.push_back({"Access-Control-Expose-Headers", "X-Request-Id, Retry-After"});
  }
  const bool changes_state =
      !is_safe(request_.method) && (match_.handler == nullptr || match_.options.changes_state);
  if (origin_ != Origin::kForeign || !changes_state) return std::nullopt;
  return error(403,
               "Pages of other sites may not do this; if this one should, add its origin to "
               "server.cors_origins (--cors-origin).");
}

std::optional<Response> OneRequest::check_route() {
  request_.path_parameters = std::move(match_.path_parameters);
  if (request_.method == "OPTIONS" && match_.handler == nullptr) return preflight();
  if (match_.handler == nullptr) {
    if (match_.allowed.empty()) return error(404, "There is nothing at this path.");
    Response response = error(405, "This path does not take that method.");
    response.headers.push_back({"Allow", match_.allowed});
    return response;
  }
  if (auto response = ask_gate()) return response;
  const std::size_t body_max = match_.options.body_bytes_max != 0
                                   ? match_.options.body_bytes_max
                                   : state_.options.limits.body_bytes_max;
  parser_.limit_body(body_max);
  if (parser_.state() == RequestParser::State::kRefused) {
    return error(parser_.refusal().status, parser_.refusal().message);
  }
  return std::nullopt;
}

std::optional<Response> OneRequest::ask_gate() {
  if (!state_.hooks.gate) return std::nullopt;
  try {
    return state_.hooks.gate(request_, match_.options);
  } catch (...) {
    failure_ = current_failure();
  }
  return error(500, "The server failed at this request.");
}

Response OneRequest::preflight() {
  if (match_.allowed.empty() && request_.path != "*") {
    return error(404, "There is nothing at this path.");
  }
  if (origin_ == Origin::kForeign) return error(403, "This origin may not call this server.");
  Response response{204, {}, {}};
  if (!match_.allowed.empty()) response.headers.push_back({"Allow", match_.allowed});
  if (origin_ == Origin::kListed && request_.header("access-control-request-method")) {
    response.headers.push_back({"Access-Control-Allow-Methods", match_.allowed});
    // The asterisk is for all but Authorization, which has to be named.
    response.headers.push_back({"Access-Control-Allow-Headers", "*, Authorization"});
    response.headers.push_back({"Access-Control-Max-Age", "600"});
  }
  return response;
}

void OneRequest::forwarded_by_proxy() {
  // The last entry is the one that our own proxy wrote; those before it are the client's word.
  for (const Field& field : request_.headers) {
    const bool from = same_name(field.name, "x-forwarded-for");
    if (!from && !same_name(field.name, "x-forwarded-proto")) continue;
    const auto items = list_items(field.value);
    if (items.empty()) continue;
    if (!from) {
      request_.secure = items.back() == "https";
      continue;
    }
    boost::system::error_code bad;
    const auto address = asio::ip::make_address(std::string(items.back()), bad);
    if (!bad) request_.remote = address.to_string();
  }
}

Response OneRequest::error(int status, const std::string& message) {
  if (state_.hooks.error) {
    try {
      Response response = state_.hooks.error(request_, status, message);
      response.status = status;
      return response;
    } catch (...) {
      // The plain answer below says the same.
      status = 500;
    }
  }
  return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, message + "\n"};
}

asio::awaitable<void> OneRequest::call_handler() {
  connection_.watch();
  try {
    co_await (*match_.handler)(exchange_);
  } catch (...) {
    failure_ = current_failure();
  }
  connection_.unwatch();
  if (exchange_.pending()) {
    if (failure_.empty()) failure_ = "the handler did not answer";
    Response response = error(500, "The server failed at this request.");
    co_await exchange_.respond(std::move(response));
  }
  // A stream that was begun and not finished must not look whole.
  if (!exchange_.complete()) connection_.cut();
}

void OneRequest::record() {
  if (!state_.hooks.access) return;
  AccessRecord record;
  record.id = request_.id;
  record.remote = request_.remote;
  record.method = escape_for_log(request_.method);
  record.path = escape_for_log(request_.path);
  record.pattern = match_.pattern;
  record.principal = request_.principal;
  record.failure = escape_for_log(failure_);
  record.status = exchange_.status();
  record.bytes_in = bytes_in_;
  record.bytes_out = connection_.bytes_sent() - sent_before_;
  record.seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  try {
    state_.hooks.access(record);
  } catch (...) {
    // A log that fails must not end the connection.
    return;
  }
}

asio::awaitable<bool> OneRequest::run(bool first) {
  const bool asked = co_await read_head(first);
  if (!asked) co_return false;
  auto objection = check();
  if (!objection) {
    co_await read_body();
    if (parser_.state() == RequestParser::State::kRefused) {
      objection = error(parser_.refusal().status, parser_.refusal().message);
    } else if (parser_.state() != RequestParser::State::kDone) {
      record();
      co_return false;
    }
  }
  if (objection) {
    // What is left of the request cannot be told from the next one.
    if (parser_.state() != RequestParser::State::kDone) exchange_.options.keep_alive = false;
    co_await exchange_.respond(std::move(*objection));
  } else {
    co_await call_handler();
  }
  record();
  co_return exchange_.complete() && exchange_.options.keep_alive;
}

}  // namespace

asio::awaitable<void> serve(std::shared_ptr<Connection> connection) {
  const bool greeted = co_await connection->handshake();
  if (!greeted) {
    connection->cut();
    co_return;
  }
  bool first = true;
  bool more = true;
  while (more) {
    OneRequest request(*connection);
    more = co_await request.run(std::exchange(first, false));
  }
  co_await connection->close_gently();
}

}  // namespace notso::http
