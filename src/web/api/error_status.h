// What an API refuses a request with, and the one table from errors to HTTP status.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "base/result.h"

namespace notso::api {

// Who said no: the request or the queue of the model it goes to; or something behind the answer,
// the store or a model that is still being loaded.
enum class ErrorSource : std::uint8_t { kRequest, kBehind };

// A refusal, as the shapes of all APIs are made from it.
struct ApiError {
  ApiError() = default;
  // Any error of the layers below; most are about the request.
  ApiError(Error error)  // NOLINT(google-explicit-constructor): errors are passed on
      : code(error.code), message(std::move(error.message)) {}
  // One that names the field it is about.
  ApiError(ErrorCode its_code, std::string its_field, std::string its_message)
      : code(its_code), message(std::move(its_message)), field(std::move(its_field)) {}

  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  std::string field;   // of the request's JSON: "messages[0].role"; may be empty
  std::string reason;  // a word for programs: "model_not_found"; may be empty
  ErrorSource source = ErrorSource::kRequest;
  // Of a prompt that is too long: its size and the context's.
  std::optional<std::pair<std::int64_t, std::int64_t>> tokens_and_context;
};

template <class T>
using ApiResult = tl::expected<T, ApiError>;

// The table.
[[nodiscard]] int http_status(ErrorCode code, ErrorSource source);
[[nodiscard]] inline int http_status(const ApiError& error) {
  return http_status(error.code, error.source);
}

// OpenAI's word for the kind of an error with this status: "invalid_request_error".
[[nodiscard]] std::string_view error_type(int status);

// OpenAI's shape: {"error": {"message", "type", "param", "code"}}, and the two numbers of a prompt
// that is too long.
[[nodiscard]] std::string openai_error_body(int status, const ApiError& error);

}  // namespace notso::api
