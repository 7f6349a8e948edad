// POST /v1/responses, and GET and DELETE of those that are kept.
#include <boost/json.hpp>
#include <utility>

#include "service/chat/content.h"
#include "web/api/answer_run.h"
#include "web/api/api_routes.h"
#include "web/api/handler.h"
#include "web/api/response_store.h"
#include "web/api/responses.h"

namespace notso::api {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

ApiError not_kept(const std::string& id) {
  return {ErrorCode::kNotFound, "response_id", "there is no response '" + id + "'"};
}

// Puts the whole conversation into the request: the instructions, what went before, what is new.
asio::awaitable<ApiResult<void>> set_messages(const ApiContext& context, http::Exchange& exchange,
                                              const ChatModelInfo& info, ResponseCall& call) {
  std::vector<Message>& messages = call.request.messages;
  if (!call.instructions.empty()) {
    messages.emplace_back().role = Role::kSystem;
    messages.back().content = call.instructions;
  }
  if (!call.previous_id.empty()) {
    ApiResult<KeptResponse> kept = tl::unexpected(not_kept(call.previous_id));
    if (context.store != nullptr) {
      kept = co_await find_response(*context.store, exchange.request().principal, call.previous_id,
                                    system_fingerprint(info));
    }
    if (!kept) {
      if (kept.error().code == ErrorCode::kNotFound) kept.error().field = "previous_response_id";
      co_return tl::unexpected(std::move(kept.error()));
    }
    messages.insert(messages.end(), std::make_move_iterator(kept->messages.begin()),
                    std::make_move_iterator(kept->messages.end()));
  }
  messages.insert(messages.end(), call.input.begin(), call.input.end());
  const std::size_t most = ContentLimits().messages_max;
  if (messages.size() > most) {
    co_return tl::unexpected(ApiError(ErrorCode::kInvalidArgument, "previous_response_id",
                                      "the conversation has " + std::to_string(messages.size()) +
                                          " messages with those before it; the limit is " +
                                          std::to_string(most)));
  }
  co_return ApiResult<void>();
}

// Keeps the response where that is asked for, before the client hears that it is complete.
asio::awaitable<ApiResult<void>> keep(const ApiContext& context, http::Exchange& exchange,
                                      const ResponseHead& head, const ChatModelInfo& info,
                                      const ResponseCall& call, const Finished& finished,
                                      const std::string& body) {
  if (!call.store) co_return ApiResult<void>();
  KeptResponse kept;
  kept.body = body;
  const bool instructed = !call.instructions.empty();
  kept.messages.assign(call.request.messages.begin() + (instructed ? 1 : 0),
                       call.request.messages.end());
  kept.messages.push_back(finished.message);
  // A stop string is among the tokens, but not in what the client has read.
  if (!call.request.answer.stop.empty()) kept.messages.back().tokens.clear();
  auto done = co_await keep_response(*context.store, exchange.request().principal, head.id,
                                     system_fingerprint(info), kept);
  co_return done;
}

asio::awaitable<ApiResult<void>> respond(const ApiContext& context, http::Exchange& exchange,
                                         const json::object& body) {
  auto call = read_response_call(body, context);
  if (!call) co_return tl::unexpected(std::move(call.error()));
  const auto service = co_await find_model(context, call->model);
  if (!service) co_return tl::unexpected(service.error());
  const ChatModelInfo& info = (*service)->info();
  const auto complete = co_await set_messages(context, exchange, info, *call);
  if (!complete) co_return tl::unexpected(complete.error());
  std::vector<ChatRequest> requests{call->request};
  auto run =
      co_await AnswerRun::start(context, exchange, *service, std::move(requests), call->stream);
  if (!run) co_return tl::unexpected(std::move(run.error()));
  const ResponseHead head = response_head(info);
  const Tokenizer& tokenizer = (*service)->tokenizer();
  if (call->stream) {
    ResponseEvents events(head, *call, tokenizer);
    const BeforeEnd before_end = [&]() {
      return keep(context, exchange, head, info, *call, *events.finished(), events.body());
    };
    co_await stream(context, exchange, **run, events, before_end);
    co_return ApiResult<void>();
  }
  const auto answers = co_await collect(**run);
  if (!answers) co_return tl::unexpected(answers.error());
  const Answer& answer = answers->front();
  std::string made = response_body(head, *call, answer.finished, answer.logprobs, tokenizer);
  const auto kept = co_await keep(context, exchange, head, info, *call, answer.finished, made);
  if (!kept) co_return tl::unexpected(kept.error());
  co_await exchange.respond(json_response(std::move(made)));
  co_return ApiResult<void>();
}

asio::awaitable<void> show(const ApiContext& context, http::Exchange& exchange) {
  const std::string id(exchange.request().path_parameter("id"));
  const auto streamed = exchange.request().parameter("stream");
  ApiResult<KeptResponse> kept = tl::unexpected(not_kept(id));
  if (streamed && *streamed == "true") {
    kept = tl::unexpected(ApiError(ErrorCode::kUnsupported, "stream",
                                   "a kept response is not streamed again; ask without stream"));
  } else if (context.store != nullptr) {
    kept = co_await find_response(*context.store, exchange.request().principal, id, "");
  }
  if (kept) {
    co_await exchange.respond(json_response(std::move(kept->body)));
  } else {
    co_await exchange.respond(refusal(kept.error()));
  }
}

asio::awaitable<void> forget(const ApiContext& context, http::Exchange& exchange) {
  const std::string id(exchange.request().path_parameter("id"));
  ApiResult<void> gone = tl::unexpected(not_kept(id));
  if (context.store != nullptr) {
    gone = co_await forget_response(*context.store, exchange.request().principal, id);
  }
  if (gone) {
    const json::object object{{"id", id}, {"object", "response"}, {"deleted", true}};
    co_await exchange.respond(json_response(json::serialize(object)));
  } else {
    co_await exchange.respond(refusal(gone.error()));
  }
}

}  // namespace

void add_response_routes(http::Router& router, const ApiContext& context) {
  router.add("POST", "/v1/responses",
             json_handler(context, [&context](http::Exchange& exchange, const json::object& body) {
               return respond(context, exchange, body);
             }));
  router.add("GET", "/v1/responses/{id}",
             [&context](http::Exchange& exchange) { return show(context, exchange); });
  router.add("DELETE", "/v1/responses/{id}",
             [&context](http::Exchange& exchange) { return forget(context, exchange); });
}

}  // namespace notso::api
