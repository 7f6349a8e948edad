// The routes of Ollama's API that chat front ends call.
#include <boost/json.hpp>
#include <utility>

#include "web/api/answer_run.h"
#include "web/api/api_routes.h"
#include "web/api/handler.h"
#include "web/api/json_fields.h"
#include "web/api/ollama.h"
#include "web/api/workers.h"

namespace notso::api {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

// Clients ask which of Ollama's fields they may use: the version whose fields are spoken here.
constexpr std::string_view kVersionBody = R"({"version":"0.12.6"})";

using ReadCall = ApiResult<OllamaCall> (*)(const json::object&, const ApiContext&);

asio::awaitable<ApiResult<void>> answer(const ApiContext& context, http::Exchange& exchange,
                                        const json::object& body, ReadCall read) {
  auto call = read(body, context);
  if (!call) co_return tl::unexpected(call.error());
  const auto service = co_await find_model(context, ollama_name(call->model));
  if (!service) co_return tl::unexpected(service.error());
  if (call->model.empty()) call->model = (*service)->info().name;
  const Tokenizer& tokenizer = (*service)->tokenizer();
  // Nobody templates a raw prompt but its writer, so control tokens written in it count.
  if (!call->raw.empty()) {
    auto work = [service = *service, raw = call->raw] {
      return service->tokenizer().encode(raw, true);
    };
    call->request.prompt = co_await on_worker(context, std::move(work));
  }
  if (call->request.messages.empty() && call->request.prompt.empty()) {
    co_await exchange.respond(json_response(ollama_loaded_body(*call)));
    co_return ApiResult<void>();
  }
  std::vector<ChatRequest> requests{call->request};
  auto run =
      co_await AnswerRun::start(context, exchange, *service, std::move(requests), call->stream);
  if (!run) co_return tl::unexpected(std::move(run.error()));
  if (call->stream) {
    OllamaLines lines(*call, tokenizer);
    co_await stream(context, exchange, **run, lines);
    co_return ApiResult<void>();
  }
  const auto answers = co_await collect(**run);
  if (!answers) co_return tl::unexpected(answers.error());
  const Answer& whole = answers->front();
  co_await exchange.respond(
      json_response(ollama_body(*call, whole.finished, whole.logprobs, tokenizer)));
  co_return ApiResult<void>();
}

asio::awaitable<ApiResult<void>> show(const ApiContext& context, http::Exchange& exchange,
                                      const json::object& body) {
  Fields fields(body);
  std::string name;
  // Older clients write "name".
  fields.string(fields.has("model") ? "model" : "name", 1024, name);
  if (fields.error()) co_return tl::unexpected(*fields.error());
  const auto models = context.models();
  for (const ListedModel& model : models) {
    if (!names_model(ollama_name(name), model.info)) continue;
    co_await exchange.respond(json_response(ollama_show_body(model.info)));
    co_return ApiResult<void>();
  }
  ApiError error(ErrorCode::kNotFound, "model", "there is no model '" + name + "'");
  error.reason = "model_not_found";
  co_return tl::unexpected(std::move(error));
}

asio::awaitable<void> list(const ApiContext& context, http::Exchange& exchange, bool running) {
  co_await exchange.respond(json_response(ollama_list_body(context.models(), running)));
}

asio::awaitable<void> version(http::Exchange& exchange) {
  co_await exchange.respond(json_response(std::string(kVersionBody)));
}

}  // namespace

void add_ollama_routes(http::Router& router, const ApiContext& context) {
  router.add("GET", "/api/version", version);
  router.add("GET", "/api/tags",
             [&context](http::Exchange& exchange) { return list(context, exchange, false); });
  router.add("GET", "/api/ps",
             [&context](http::Exchange& exchange) { return list(context, exchange, true); });
  router.add("POST", "/api/show",
             json_handler(
                 context,
                 [&context](http::Exchange& exchange, const json::object& body) {
                   return show(context, exchange, body);
                 },
                 ollama_error_body));
  for (const auto& [path, read] :
       {std::pair<std::string_view, ReadCall>("/api/chat", read_ollama_chat),
        {"/api/generate", read_ollama_generate}}) {
    router.add("POST", path,
               json_handler(
                   context,
                   [&context, read = read](http::Exchange& exchange, const json::object& body) {
                     return answer(context, exchange, body, read);
                   },
                   ollama_error_body));
  }
}

}  // namespace notso::api
