#include "web/api/response_store.h"

#include <array>
#include <boost/json.hpp>
#include <chrono>
#include <functional>
#include <limits>
#include <utility>

#include "service/chat/content.h"
#include "web/api/api_context.h"
#include "web/http/ask.h"

namespace notso::api {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr std::int64_t kKeptSeconds = std::int64_t{30} * 24 * 3600;
constexpr std::array<std::string_view, 4> kRoles = {"system", "user", "assistant", "tool"};

std::string name_of(const std::string& id) { return "response/" + id; }

ApiError behind(Error error, const std::string& id) {
  ApiError out(std::move(error));
  out.source = ErrorSource::kBehind;
  if (out.code == ErrorCode::kNotFound) {
    out.field = "response_id";
    out.message = "there is no response '" + id + "'";
  }
  return out;
}

json::object message_object(const Message& message) {
  json::object out{{"role", kRoles[static_cast<std::size_t>(message.role)]},
                   {"content", message.content}};
  if (!message.reasoning.empty()) out["reasoning_content"] = message.reasoning;
  if (!message.tool_call_id.empty()) out["tool_call_id"] = message.tool_call_id;
  if (!message.tokens.empty()) {
    out["tokens"] = json::array(message.tokens.begin(), message.tokens.end());
  }
  json::array calls;
  for (const ToolCall& call : message.tool_calls) {
    json::object function{{"name", call.name}, {"arguments", call.arguments}};
    calls.push_back({{"id", call.id}, {"function", std::move(function)}});
  }
  if (!calls.empty()) out["tool_calls"] = std::move(calls);
  return out;
}

}  // namespace

// Three lines: the fingerprint, the body, the messages. JSON has no line breaks here.
asio::awaitable<ApiResult<void>> keep_response(SessionStore& store, std::string owner,
                                               std::string id, std::string fingerprint,
                                               const KeptResponse& response) {
  json::array messages;
  for (const Message& message : response.messages) messages.push_back(message_object(message));
  std::string value = std::move(fingerprint) + "\n" + response.body + "\n";
  value += json::serialize(messages);
  const std::int64_t expires_ms = (unix_now_s() + kKeptSeconds) * 1000;
  const std::function<void(SessionStore::Then<void>)> ask = [&](SessionStore::Then<void> then) {
    store.put_value(std::move(owner), name_of(id), std::move(value), expires_ms, std::move(then));
  };
  auto kept = co_await http::ask<void>(ask);
  if (!kept) co_return tl::unexpected(behind(std::move(kept.error()), id));
  co_return ApiResult<void>();
}

asio::awaitable<ApiResult<KeptResponse>> find_response(SessionStore& store, std::string owner,
                                                       std::string id, std::string fingerprint) {
  const std::function<void(SessionStore::Then<std::string>)> ask =
      [&](SessionStore::Then<std::string> then) {
        store.get_value(std::move(owner), name_of(id), std::move(then));
      };
  auto value = co_await http::ask<std::string>(ask);
  if (!value) co_return tl::unexpected(behind(std::move(value.error()), id));
  const std::size_t first = value->find('\n');
  const std::size_t second = value->find('\n', first + 1);
  if (first == std::string::npos || second == std::string::npos) {
    co_return tl::unexpected(
        behind(Error{ErrorCode::kDataLoss, "the response '" + id + "' is damaged"}, id));
  }
  KeptResponse response;
  response.body = value->substr(first + 1, second - first - 1);
  // What was taken in once is not refused when it is read back.
  ContentLimits limits;
  limits.messages_max = limits.text_bytes_max = std::numeric_limits<std::size_t>::max();
  limits.allow_tokens = value->compare(0, first, fingerprint) == 0;
  auto messages = parse_messages(std::string_view(*value).substr(second + 1), limits);
  if (!messages) co_return tl::unexpected(behind(std::move(messages.error()), id));
  response.messages = std::move(*messages);
  co_return response;
}

asio::awaitable<ApiResult<void>> forget_response(SessionStore& store, std::string owner,
                                                 std::string id) {
  const std::function<void(SessionStore::Then<void>)> ask = [&](SessionStore::Then<void> then) {
    store.delete_value(std::move(owner), name_of(id), std::move(then));
  };
  auto gone = co_await http::ask<void>(ask);
  if (!gone) co_return tl::unexpected(behind(std::move(gone.error()), id));
  co_return ApiResult<void>();
}

}  // namespace notso::api
