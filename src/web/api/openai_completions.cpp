#include "web/api/openai_completions.h"

#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <utility>

#include "web/api/json_fields.h"
#include "web/api/sampling_fields.h"

namespace notso::api {
namespace {

namespace json = boost::json;

constexpr std::int32_t kDefaultMaxTokens = 16;  // OpenAI's

// Reads one prompt, of text or of tokens, to the end of `prompts`.
ApiResult<void> read_prompt(const json::value& value, const std::string& place,
                            const Tokenizer& tokenizer,
                            std::vector<std::vector<TokenId>>& prompts) {
  std::vector<TokenId> ids;
  if (const json::string* text = value.if_string()) {
    if (tokenizer.add_bos() && tokenizer.bos()) ids.push_back(*tokenizer.bos());
    const TextSpan span{*text, true};
    tokenizer.encode({&span, 1}, ids);
  } else if (const json::array* tokens = value.if_array()) {
    auto read = read_token_ids(*tokens, place, tokenizer.vocab_size());
    if (!read) return tl::unexpected(read.error());
    ids = std::move(*read);
  } else {
    return tl::unexpected(ApiError(
        ErrorCode::kInvalidArgument, place,
        fmt::format("{} must be text or an array of token ids, not {}", place, kind_name(value))));
  }
  if (ids.empty()) {
    return tl::unexpected(ApiError(ErrorCode::kInvalidArgument, place, place + " is empty"));
  }
  prompts.push_back(std::move(ids));
  return {};
}

}  // namespace

ApiResult<CompletionCall> read_completion_call(const json::object& body,
                                               const ApiContext& context) {
  Fields fields(body);
  CompletionCall call;
  fields.string("model", 1024, call.model);
  AnswerOptions& answer = call.request.answer;
  answer.sampling = context.sampling;
  read_sampling(fields, answer.sampling);
  read_stop(fields, answer.stop);
  fields.boolean("echo", call.echo);
  answer.max_tokens = kDefaultMaxTokens;
  read_max_tokens(fields, call.echo ? 0 : 1, answer.max_tokens);
  call.no_answer = answer.max_tokens == 0;
  if (call.no_answer) answer.max_tokens = 1;
  read_response_format(fields, answer.response_format);
  if (fields.has("logprobs")) {
    int top = 0;
    fields.integer("logprobs", 0, 20, top);
    call.request.top_logprobs = top;
    call.request.prompt_logprobs = call.echo;
  }
  fields.integer("n", 1, context.choices_max, call.choices);
  std::int32_t best_of = call.choices;
  fields.integer("best_of", 1, context.choices_max, best_of);
  if (best_of != call.choices) fields.refuse("best_of", "must be n", ErrorCode::kUnsupported);
  std::string suffix;
  fields.string("suffix", 1, suffix);
  if (!suffix.empty() || (fields.error() && fields.error()->field == "suffix")) {
    return tl::unexpected(ApiError(ErrorCode::kUnsupported, "suffix",
                                   "suffix is not supported: this model does not fill in"));
  }
  fields.boolean("stream", call.stream);
  if (const json::object* options = fields.object("stream_options")) {
    Fields inner(*options, "stream_options");
    inner.boolean("include_usage", call.include_usage);
    if (inner.error()) fields.refuse(*inner.error());
  }
  if (fields.error()) return tl::unexpected(*fields.error());
  return call;
}

ApiResult<void> read_prompts(const json::object& body, const ApiContext& context,
                             const Tokenizer& tokenizer, CompletionCall& call) {
  const json::value* prompt = body.if_contains("prompt");
  if (prompt == nullptr || prompt->is_null()) {
    return tl::unexpected(ApiError(ErrorCode::kInvalidArgument, "prompt", "prompt is missing"));
  }
  const json::array* array = prompt->if_array();
  const bool is_list = array != nullptr && !array->empty() && !array->front().is_number();
  if (!is_list) return read_prompt(*prompt, "prompt", tokenizer, call.prompts);
  const auto answers_max = static_cast<std::size_t>(context.choices_max);
  if (array->size() * static_cast<std::size_t>(call.choices) > answers_max) {
    return tl::unexpected(
        ApiError(ErrorCode::kInvalidArgument, "prompt",
                 fmt::format("prompt asks for {} answers of {} choices; the limit is {} in all",
                             array->size(), call.choices, answers_max)));
  }
  for (std::size_t i = 0; i < array->size(); ++i) {
    auto read = read_prompt((*array)[i], fmt::format("prompt[{}]", i), tokenizer, call.prompts);
    if (!read) return read;
  }
  return {};
}

std::vector<ChatRequest> choices_of(const CompletionCall& call) {
  std::vector<ChatRequest> requests;
  for (const std::vector<TokenId>& prompt : call.prompts) {
    for (std::int32_t choice = 0; choice < call.choices; ++choice) {
      ChatRequest& request = requests.emplace_back(call.request);
      request.prompt = prompt;
      request.answer.sampling.seed += static_cast<std::uint64_t>(choice);
    }
  }
  return requests;
}

}  // namespace notso::api
