#include "web/api/error_status.h"

#include <boost/json.hpp>

namespace notso::api {

// 400 and not 501 for what is asked and not done: clients repeat a request that failed with 5xx.
int http_status(ErrorCode code, ErrorSource source) {
  const bool behind = source == ErrorSource::kBehind;
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kUnsupported:
      return 400;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kResourceExhausted:
      return behind ? 507 : 413;
    case ErrorCode::kUnavailable:
      return behind ? 503 : 429;
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kCancelled:
      return 503;
    case ErrorCode::kDataLoss:
    case ErrorCode::kInternal:
      break;
  }
  return 500;
}

std::string_view error_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    case 501:
      return "not_implemented_error";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

namespace {

// OpenAI's word for errors that come without one.
std::string_view reason_of(int status, const ApiError& error) {
  if (!error.reason.empty()) return error.reason;
  if (status == 401) return "invalid_api_key";
  return status == 429 ? "rate_limit_exceeded" : "";
}

}  // namespace

std::string openai_error_body(int status, const ApiError& error) {
  const auto text_or_null = [](std::string_view text) {
    return text.empty() ? boost::json::value(nullptr) : boost::json::value(text);
  };
  boost::json::object inner;
  inner["message"] = error.message;
  inner["type"] = error_type(status);
  inner["param"] = text_or_null(error.field);
  inner["code"] = text_or_null(reason_of(status, error));
  if (error.tokens_and_context) {
    inner["n_prompt_tokens"] = error.tokens_and_context->first;
    inner["n_ctx"] = error.tokens_and_context->second;
  }
  boost::json::object outer;
  outer["error"] = std::move(inner);
  return boost::json::serialize(outer);
}

}  // namespace notso::api
