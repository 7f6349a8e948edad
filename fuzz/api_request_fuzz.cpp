// Bodies of API requests: whatever they hold, they are read or refused by name, and what was read
// is inside the bounds that were promised.
#include <boost/json.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "web/api/json_fields.h"
#include "web/api/openai_chat.h"
#include "web/api/openai_completions.h"

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
  return 0;
}
