// Bodies of API requests: whatever they hold, they are read or refused by name, and what was read
// is inside the bounds that were promised.
#include <boost/json.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "web/api/anthropic.h"
#include "web/api/json_fields.h"
#include "web/api/ollama.h"
#include "web/api/openai_chat.h"
#include "web/api/openai_completions.h"
#include "web/api/responses.h"

namespace {

using notso::api::ApiError;

void check(bool holds) {
  if (!holds) __builtin_trap();
}

void check_refusal(const ApiError& error) {
  const int status = notso::api::http_status(error);
  check(!error.message.empty() && (status == 400 || status == 413));
  check(!notso::api::openai_error_body(status, error).empty());
}

void check_sampling(const notso::SamplingParams& sampling) {
  const notso::Status valid = notso::validate(sampling, std::size_t{1} << 31U);
  check(valid || valid.error().message.find("logit_bias") != std::string::npos);
}

void check_messages(const std::vector<notso::Message>& messages) {
  check(!messages.empty());
  for (const notso::Message& message : messages) check(message.tokens.empty());
}

// The requests of the other APIs.
void read_others(const boost::json::object& body, const notso::api::ApiContext& context) {
  if (const auto response = notso::api::read_response_call(body, context)) {
    check_messages(response->input);
    check(response->request.answer.max_tokens >= 0);
    check_sampling(response->request.answer.sampling);
  } else {
    check_refusal(response.error());
  }
  if (const auto messages = notso::api::read_messages_call(body, context)) {
    check_messages(messages->request.messages);
    check(messages->request.answer.max_tokens >= 1);
    check_sampling(messages->request.answer.sampling);
  } else {
    check_refusal(messages.error());
  }
  for (const auto read : {notso::api::read_ollama_chat, notso::api::read_ollama_generate}) {
    if (const auto call = read(body, context)) {
      check(call->request.answer.max_tokens >= 0);
      check_sampling(call->request.answer.sampling);
    } else {
      check_refusal(call.error());
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto body = notso::api::parse_object(text);
  if (!body) {
    check_refusal(body.error());
    return 0;
  }
  const notso::api::ApiContext context;
  if (const auto chat = notso::api::read_chat_call(*body, context)) {
    check(!chat->request.messages.empty());
    check(1 <= chat->choices && chat->choices <= context.choices_max);
    check_sampling(chat->request.answer.sampling);
    check(notso::api::choices_of(*chat).size() == static_cast<std::size_t>(chat->choices));
  } else {
    check_refusal(chat.error());
  }
  if (const auto completion = notso::api::read_completion_call(*body, context)) {
    check(completion->request.answer.max_tokens >= 1);
    check_sampling(completion->request.answer.sampling);
  } else {
    check_refusal(completion.error());
  }
  read_others(*body, context);
  return 0;
}
