// What the model reads, to be looked at: tokens of a text, text of tokens, the prompt that a
// conversation becomes. The shapes are llama.cpp's.
#include <boost/json.hpp>
#include <utility>

#include "web/api/handler.h"
#include "web/api/json_fields.h"
#include "web/api/openai_chat.h"
#include "web/api/openai_routes.h"
#include "web/api/token_text.h"
#include "web/api/workers.h"

namespace notso::api {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr std::size_t kTextBytesMax = std::size_t{4} << 20U;
constexpr std::size_t kTokensMax = std::size_t{1} << 20U;

// A piece as llama.cpp gives it: its text, or its bytes where they are no text by themselves.
json::value piece_value(const Tokenizer& tokenizer, TokenId token) {
  const std::string text = token_text(tokenizer, token);
  const std::string_view bytes = tokenizer.token_bytes(token);
  if (text == bytes) return json::value(text);
  json::array numbers;
  for (const char byte : bytes) numbers.emplace_back(static_cast<unsigned char>(byte));
  return numbers;
}

ApiResult<std::string> tokenize(ChatService& service, const json::object& body) {
  Fields fields(body);
  std::string content;
  bool with_pieces = false;
  bool parse_special = true;
  bool add_special = false;
  if (!fields.has("content")) fields.refuse("content", "is missing");
  fields.string("content", kTextBytesMax, content);
  fields.boolean("with_pieces", with_pieces);
  fields.boolean("parse_special", parse_special);
  fields.boolean("add_special", add_special);
  if (fields.error()) return tl::unexpected(*fields.error());
  const Tokenizer& tokenizer = service.tokenizer();
  std::vector<TokenId> ids;
  if (add_special && tokenizer.add_bos() && tokenizer.bos()) ids.push_back(*tokenizer.bos());
  const TextSpan span{content, parse_special};
  tokenizer.encode({&span, 1}, ids);
  json::array tokens;
  for (const TokenId id : ids) {
    if (with_pieces) {
      tokens.push_back(json::object{{"id", id}, {"piece", piece_value(tokenizer, id)}});
    } else {
      tokens.emplace_back(id);
    }
  }
  json::object object{{"count", ids.size()}};
  object["tokens"] = std::move(tokens);
  return json::serialize(object);
}

ApiResult<std::string> detokenize(ChatService& service, const json::object& body) {
  Fields fields(body);
  if (!fields.has("tokens")) fields.refuse("tokens", "is missing");
  const json::array* array = fields.array("tokens", kTokensMax);
  if (fields.error()) return tl::unexpected(*fields.error());
  const Tokenizer& tokenizer = service.tokenizer();
  const auto ids = read_token_ids(*array, "tokens", tokenizer.vocab_size());
  if (!ids) return tl::unexpected(ids.error());
  Utf8Stream stream;
  std::string text;
  for (const TokenId id : *ids) stream.feed(tokenizer.token_bytes(id), text);
  stream.finish(text);
  return json::serialize(json::object{{"content", text}});
}

ApiResult<std::string> apply_template(ChatService& service, const json::object& body) {
  Fields fields(body);
  bool add_generation_prompt = true;
  fields.boolean("add_generation_prompt", add_generation_prompt);
  if (fields.error()) return tl::unexpected(*fields.error());
  auto request = read_conversation(body);
  if (!request) return tl::unexpected(request.error());
  request->prompt_options.add_generation_prompt = add_generation_prompt;
  auto prompt = service.render(request->messages, request->prompt_options);
  if (!prompt) return tl::unexpected(ApiError(std::move(prompt.error())));
  return json::serialize(
      json::object{{"prompt", prompt->text()}, {"count", prompt->tokens.size()}});
}

using Answer = ApiResult<std::string> (*)(ChatService&, const json::object&);

void add_route(http::Router& router, const ApiContext& context, std::string_view path,
               Answer answer) {
  router.add("POST", path,
             json_handler(context,
                          [&context, answer](http::Exchange& exchange, const json::object& body)
                              -> asio::awaitable<ApiResult<void>> {
                            Fields fields(body);
                            std::string name;
                            fields.string("model", 1024, name);
                            if (fields.error()) co_return tl::unexpected(*fields.error());
                            const auto service = co_await find_model(context, name);
                            if (!service) co_return tl::unexpected(service.error());
                            // Named, as g++ 12 destroys the captures of a temporary twice.
                            auto work = [service = *service, body, answer] {
                              return answer(*service, body);
                            };
                            auto made = co_await on_worker(context, std::move(work));
                            if (!made) co_return tl::unexpected(made.error());
                            co_await exchange.respond(json_response(std::move(*made)));
                            co_return ApiResult<void>();
                          }));
}

}  // namespace

void add_token_routes(http::Router& router, const ApiContext& context) {
  add_route(router, context, "/tokenize", tokenize);
  add_route(router, context, "/detokenize", detokenize);
  add_route(router, context, "/apply-template", apply_template);
}

}  // namespace notso::api
