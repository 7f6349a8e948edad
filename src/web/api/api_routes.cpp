#include "web/api/api_routes.h"

#include "web/api/anthropic.h"
#include "web/api/handler.h"
#include "web/api/ollama.h"
#include "web/api/openai_routes.h"

namespace notso::api {

void add_api_routes(http::Router& router, const ApiContext& context) {
  add_openai_routes(router, context);
  add_response_routes(router, context);
  add_message_routes(router, context);
  add_ollama_routes(router, context);
}

http::Response api_server_error(const http::Request& request, int status,
                                const std::string& message) {
  const std::string_view path = request.path;
  if (path.starts_with("/v1/messages")) return server_error(status, message, messages_error_body);
  if (is_ollama_path(path)) return server_error(status, message, ollama_error_body);
  return server_error(status, message);
}

}  // namespace notso::api
