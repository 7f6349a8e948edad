// POST /v1/messages and /v1/messages/count_tokens.
#include <boost/json.hpp>
#include <utility>

#include "web/api/answer_run.h"
#include "web/api/anthropic.h"
#include "web/api/api_routes.h"
#include "web/api/handler.h"
#include "web/api/workers.h"

namespace notso::api {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

ApiResult<std::size_t> prompt_size(const ChatService& service, const ChatRequest& request) {
  auto prompt = service.render(request.messages, request.prompt_options);
  if (!prompt) return tl::unexpected(ApiError(std::move(prompt.error())));
  return prompt->tokens.size();
}

// The size of the prompt that the request would run, found on a thread that nobody waits for.
asio::awaitable<ApiResult<std::size_t>> count(const ApiContext& context,
                                              std::shared_ptr<ChatService> service,
                                              const ChatRequest& request) {
  auto work = [service, request] { return prompt_size(*service, request); };
  co_return co_await on_worker(context, std::move(work));
}

asio::awaitable<ApiResult<void>> answer(const ApiContext& context, http::Exchange& exchange,
                                        const json::object& body) {
  const auto call = read_messages_call(body, context);
  if (!call) co_return tl::unexpected(call.error());
  const auto service = co_await find_model(context, call->model);
  if (!service) co_return tl::unexpected(service.error());
  std::size_t prompt_tokens = 0;
  if (call->stream) {
    const auto counted = co_await count(context, *service, call->request);
    if (!counted) co_return tl::unexpected(counted.error());
    prompt_tokens = *counted;
  }
  std::vector<ChatRequest> requests{call->request};
  auto run =
      co_await AnswerRun::start(context, exchange, *service, std::move(requests), call->stream);
  if (!run) co_return tl::unexpected(std::move(run.error()));
  const MessagesHead head{random_id("msg_"), (*service)->info().name};
  const Tokenizer& tokenizer = (*service)->tokenizer();
  if (call->stream) {
    MessageEvents events(head, *call, prompt_tokens, tokenizer);
    co_await stream(context, exchange, **run, events);
    co_return ApiResult<void>();
  }
  const auto answers = co_await collect(**run);
  if (!answers) co_return tl::unexpected(answers.error());
  co_await exchange.respond(
      json_response(message_body(head, *call, answers->front().finished, tokenizer)));
  co_return ApiResult<void>();
}

asio::awaitable<ApiResult<void>> count_tokens(const ApiContext& context, http::Exchange& exchange,
                                              const json::object& body) {
  const auto call = read_messages_prompt(body);
  if (!call) co_return tl::unexpected(call.error());
  const auto service = co_await find_model(context, call->model);
  if (!service) co_return tl::unexpected(service.error());
  const auto counted = co_await count(context, *service, call->request);
  if (!counted) co_return tl::unexpected(counted.error());
  const json::object object{{"input_tokens", *counted}};
  co_await exchange.respond(json_response(json::serialize(object)));
  co_return ApiResult<void>();
}

}  // namespace

void add_message_routes(http::Router& router, const ApiContext& context) {
  router.add("POST", "/v1/messages",
             json_handler(
                 context,
                 [&context](http::Exchange& exchange, const json::object& body) {
                   return answer(context, exchange, body);
                 },
                 messages_error_body));
  router.add("POST", "/v1/messages/count_tokens",
             json_handler(
                 context,
                 [&context](http::Exchange& exchange, const json::object& body) {
                   return count_tokens(context, exchange, body);
                 },
                 messages_error_body));
}

}  // namespace notso::api
