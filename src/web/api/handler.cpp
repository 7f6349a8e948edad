#include "web/api/handler.h"

#include <boost/json.hpp>
#include <utility>

#include "web/api/answer_run.h"
#include "web/api/json_fields.h"

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

ApiResult<std::shared_ptr<ChatService>> find_model(const ApiContext& context,
                                                   std::string_view name) {
  auto found = context.model(name);
  if (found) return std::move(*found);
  ApiError error(std::move(found.error()));
  error.source = ErrorSource::kBehind;
  if (error.code == ErrorCode::kNotFound) {
    error.field = "model";
    error.reason = "model_not_found";
  }
  return tl::unexpected(std::move(error));
}

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
    const auto service = context.model("");
    const double wait_s = service ? (*service)->engine().expected_wait_s() : 0;
    co_await exchange.respond(refusal(handled.error(), wait_s, shape));
  };
}

}  // namespace notso::api
