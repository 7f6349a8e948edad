#include "web/api/openai_routes.h"

#include <array>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <utility>

#include "web/api/answer_run.h"
#include "web/api/handler.h"
#include "web/api/json_fields.h"
#include "web/api/openai_chat.h"

namespace notso::api {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

// What OpenAI has and one model of text cannot do. Clients are told not to try again.
constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kNotImplemented = {{
    {"/v1/embeddings", "embeddings"},
    {"/v1/images/{rest...}", "images"},
    {"/v1/audio/{rest...}", "audio"},
    {"/v1/videos", "videos"},
    {"/v1/moderations", "moderations"},
    {"/v1/files", "files"},
    {"/v1/batches", "batches"},
    {"/v1/uploads", "uploads"},
    {"/v1/fine_tuning/{rest...}", "fine-tuning"},
    {"/v1/assistants", "assistants"},
    {"/v1/threads", "threads"},
    {"/v1/vector_stores", "vector stores"},
    {"/v1/rerank", "ranking"},
    {"/v1/realtime/{rest...}", "realtime sessions"},
}};

json::object model_object(const ListedModel& model) {
  const ChatModelInfo& info = model.info;
  json::object object;
  object["id"] = info.name;
  object["object"] = "model";
  object["created"] = info.created_unix_s;
  object["owned_by"] = "notso";
  object["loaded"] = model.loaded;
  object["meta"] = {{"n_ctx", info.context},
                    {"size", info.file_bytes},
                    {"n_params", info.parameters},
                    {"quantisation", info.quantisation},
                    {"architecture", info.architecture}};
  return object;
}

asio::awaitable<void> list_models(const ApiContext& context, http::Exchange& exchange) {
  json::array list;
  for (const ListedModel& model : context.models()) list.push_back(model_object(model));
  json::object object{{"object", "list"}};
  object["data"] = std::move(list);
  co_await exchange.respond(json_response(json::serialize(object)));
}

asio::awaitable<void> show_model(const ApiContext& context, http::Exchange& exchange) {
  const auto name = exchange.request().path_parameter("model");
  const auto models = context.models();
  for (const ListedModel& model : models) {
    if (!names_model(name, model.info)) continue;
    co_await exchange.respond(json_response(json::serialize(model_object(model))));
    co_return;
  }
  ApiError error(ErrorCode::kNotFound, "model", fmt::format("there is no model '{}'", name));
  error.reason = "model_not_found";
  co_await exchange.respond(refusal(error));
}

asio::awaitable<ApiResult<void>> complete_chat(const ApiContext& context, http::Exchange& exchange,
                                               const json::object& body) {
  const auto call = read_chat_call(body, context);
  if (!call) co_return tl::unexpected(call.error());
  const auto service = co_await find_model(context, call->model);
  if (!service) co_return tl::unexpected(service.error());
  auto run =
      co_await AnswerRun::start(context, exchange, *service, choices_of(*call), call->stream);
  if (!run) co_return tl::unexpected(std::move(run.error()));
  const AnswerHead head = answer_head("chatcmpl-", (*service)->info());
  if (call->stream) {
    ChatChunks chunks(head, *call, (*service)->tokenizer());
    co_await stream(context, exchange, **run, chunks);
    co_return ApiResult<void>();
  }
  const auto answers = co_await collect(**run);
  if (!answers) co_return tl::unexpected(answers.error());
  co_await exchange.respond(json_response(chat_completion(
      head, *answers, call->request.top_logprobs.has_value(), (*service)->tokenizer())));
  co_return ApiResult<void>();
}

asio::awaitable<void> refuse_not_implemented(http::Exchange& exchange, std::string_view what) {
  http::Response response =
      server_error(501, fmt::format("{} are not here: this server runs one language model; see "
                                    "/v1/models",
                                    what));
  response.headers.push_back({"X-Should-Retry", "false"});
  co_await exchange.respond(std::move(response));
}

}  // namespace

void add_openai_routes(http::Router& router, const ApiContext& context) {
  router.add("GET", "/v1/models",
             [&context](http::Exchange& exchange) { return list_models(context, exchange); });
  // A name may have slashes: "org/model".
  router.add("GET", "/v1/models/{model...}",
             [&context](http::Exchange& exchange) { return show_model(context, exchange); });
  router.add("POST", "/v1/chat/completions",
             json_handler(context, [&context](http::Exchange& exchange, const json::object& body) {
               return complete_chat(context, exchange, body);
             }));
  for (const auto& [pattern, what] : kNotImplemented) {
    for (const std::string_view method : {"GET", "POST"}) {
      router.add(method, pattern, [name = what](http::Exchange& exchange) {
        return refuse_not_implemented(exchange, name);
      });
    }
  }
  add_completions_routes(router, context);
  add_token_routes(router, context);
}

}  // namespace notso::api
