// POST /v1/completions: see openai_completions.h.
#include <boost/json.hpp>
#include <utility>

#include "web/api/answer_run.h"
#include "web/api/handler.h"
#include "web/api/openai_completions.h"
#include "web/api/openai_routes.h"
#include "web/api/workers.h"

namespace notso::api {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

asio::awaitable<ApiResult<void>> complete(const ApiContext& context, http::Exchange& exchange,
                                          const json::object& body) {
  auto call = read_completion_call(body, context);
  if (!call) co_return tl::unexpected(call.error());
  const auto service = co_await find_model(context, call->model);
  if (!service) co_return tl::unexpected(service.error());
  auto work = [context, service = *service, body, read = *call]() mutable {
    const auto prompts = read_prompts(body, context, service->tokenizer(), read);
    return prompts ? ApiResult<CompletionCall>(std::move(read)) : tl::unexpected(prompts.error());
  };
  call = co_await on_worker(context, std::move(work));
  if (!call) co_return tl::unexpected(call.error());
  const Tokenizer& tokenizer = (*service)->tokenizer();
  auto run =
      co_await AnswerRun::start(context, exchange, *service, choices_of(*call), call->stream);
  if (!run) co_return tl::unexpected(std::move(run.error()));
  const AnswerHead head = answer_head("cmpl-", (*service)->info());
  if (call->stream) {
    CompletionChunks chunks(head, *call, tokenizer);
    co_await stream(context, exchange, **run, chunks);
    co_return ApiResult<void>();
  }
  const auto answers = co_await collect(**run);
  if (!answers) co_return tl::unexpected(answers.error());
  co_await exchange.respond(json_response(completion(head, *call, *answers, tokenizer)));
  co_return ApiResult<void>();
}

}  // namespace

void add_completions_routes(http::Router& router, const ApiContext& context) {
  router.add("POST", "/v1/completions",
             json_handler(context, [&context](http::Exchange& exchange, const json::object& body) {
               return complete(context, exchange, body);
             }));
}

}  // namespace notso::api
