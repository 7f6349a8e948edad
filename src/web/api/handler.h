// What the handlers of all APIs have in common: how they answer, and how they refuse.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/fwd.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "web/api/api_context.h"
#include "web/api/error_status.h"
#include "web/http/exchange.h"
#include "web/http/router.h"

namespace notso::api {

// An answer of JSON.
[[nodiscard]] http::Response json_response(std::string body, int status = 200);

// How an API writes an error: the body that goes with a status.
using ErrorShape = std::string (*)(int status, const ApiError& error);

// A refusal. Where the client should try again, Retry-After says when; `wait_s` is the engine's
// guess.
[[nodiscard]] http::Response refusal(const ApiError& error, double wait_s = 0,
                                     ErrorShape shape = openai_error_body);

// An error of the server itself (404, 413, 431, ...), for ServerHooks::error.
[[nodiscard]] http::Response server_error(int status, const std::string& message,
                                          ErrorShape shape = openai_error_body);

// The service for the model that a request names, once it is loaded; errors are those of an API.
[[nodiscard]] boost::asio::awaitable<ApiResult<std::shared_ptr<ChatService>>> find_model(
    const ApiContext& context, std::string_view name);

// What answers a request whose body is a JSON object. What it refuses is answered for it.
using JsonHandler = std::function<boost::asio::awaitable<ApiResult<void>>(
    http::Exchange& exchange, const boost::json::object& body)>;

// The handler that reads the body for `handle`, and answers its refusals, with the wait of the
// context's default model.
[[nodiscard]] http::Handler json_handler(const ApiContext& context, JsonHandler handle,
                                         ErrorShape shape = openai_error_body);

}  // namespace notso::api
