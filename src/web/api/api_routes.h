// All APIs that the server speaks: OpenAI's, with responses; Anthropic's messages; the part of
// Ollama's that chat front ends call.
#pragma once

#include <string>
#include <string_view>

#include "web/api/api_context.h"
#include "web/http/exchange.h"
#include "web/http/router.h"

namespace notso::api {

// Adds the routes of all of them. `context` must outlive the router.
void add_api_routes(http::Router& router, const ApiContext& context);

// The parts of them beside openai_routes.h: /v1/responses; /v1/messages; /api/chat and the like.
void add_response_routes(http::Router& router, const ApiContext& context);
void add_message_routes(http::Router& router, const ApiContext& context);
void add_ollama_routes(http::Router& router, const ApiContext& context);

// An error of the server itself (401, 404, 413, ...) in the shape of the API that the request is
// for, for ServerHooks::error.
[[nodiscard]] http::Response api_server_error(const http::Request& request, int status,
                                              const std::string& message);

}  // namespace notso::api
