#include "web/api/handler.h"

#include <atomic>
#include <boost/json.hpp>
#include <utility>

#include "web/api/answer_run.h"
#include "web/api/json_fields.h"
#include "web/http/event_queue.h"

namespace notso::api {

namespace asio = boost::asio;

http::Response json_response(std::string body, int status) {
  return {status, {{"Content-Type", "application/json"}}, std::move(body)};
}

http::Response refusal(const ApiError& error, double wait_s, ErrorShape shape) {
  const int status = http_status(error);
  http::Response response = json_response(shape(status, error), status);
  if (status == 429 || status == 503) {
    response.headers.push_back({"Retry-After", std::to_string(retry_after_s(wait_s))});
  }
  return response;
}

http::Response server_error(int status, const std::string& message, ErrorShape shape) {
  ApiError error;
  error.message = message;
  return json_response(shape(status, error), status);
}

asio::awaitable<ApiResult<std::shared_ptr<ChatService>>> find_model(const ApiContext& context,
                                                                    std::string_view name) {
  using Found = Result<std::shared_ptr<ChatService>>;
  const auto queue = std::make_shared<http::EventQueue<Found>>(1);
  context.model(std::string(name), [queue](Found given) { queue->push(std::move(given), 1); });
  auto batch = co_await queue->pop();
  Found found = fail(ErrorCode::kInternal, "no model was given");
  if (batch) found = std::move(batch->front());
  if (found) co_return std::move(*found);
  ApiError error(std::move(found.error()));
  error.source = ErrorSource::kBehind;
  if (error.code == ErrorCode::kNotFound) {
    error.field = "model";
    error.reason = "model_not_found";
  }
  co_return tl::unexpected(std::move(error));
}

namespace {

// The wait of the model that answers without a name.
double expected_wait_s(const ApiContext& context) {
  const auto wait_s = std::make_shared<std::atomic<double>>(0);
  context.model("", [wait_s](const Result<std::shared_ptr<ChatService>>& given) {
    if (given) *wait_s = (*given)->engine().expected_wait_s();
  });
  return *wait_s;
}

}  // namespace

http::Handler json_handler(const ApiContext& context, JsonHandler handle, ErrorShape shape) {
  return [&context, shape,
          handle = std::move(handle)](http::Exchange& exchange) -> asio::awaitable<void> {
    const auto body = parse_object(exchange.request().body);
    ApiResult<void> handled;
    if (body) {
      handled = co_await handle(exchange, *body);
    } else {
      handled = tl::unexpected(body.error());
    }
    if (handled) co_return;
    co_await exchange.respond(refusal(handled.error(), expected_wait_s(context), shape));
  };
}

}  // namespace notso::api
