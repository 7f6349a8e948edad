#include "service/store/message_json.h"

#include <boost/json.hpp>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <limits>
#include <utility>

#include "service/store/store_text.h"

namespace notso {
namespace {

namespace json = boost::json;

constexpr std::int64_t kCountMax = std::numeric_limits<std::int32_t>::max();
// A hundred years.
constexpr std::int64_t kMicrosecondsMax = 3'155'760'000'000'000;
constexpr double kMicrosecond = 1e-6;

std::int64_t to_microseconds(double seconds) {
  const double us = std::round(seconds / kMicrosecond);
  if (!(us > 0)) return 0;
  return us < static_cast<double>(kMicrosecondsMax) ? static_cast<std::int64_t>(us)
                                                    : kMicrosecondsMax;
}

// What a column holds was written by this program; if it cannot be read, the file is damaged.
template <class T>
Result<T> from_column(const std::string& text, const std::string& column,
                      Result<T> (*read)(const json::value&, const std::string&)) {
  if (text.empty()) return T{};
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (error) {
    return fail(ErrorCode::kDataLoss,
                fmt::format("a stored message's {} is damaged: {}", column, error.message()));
  }
  auto out = read(value, column);
  if (!out) {
    return fail(ErrorCode::kDataLoss,
                fmt::format("a stored message is damaged: {}", out.error().message));
  }
  return out;
}

template <class T, Result<T> (*read)(const json::array&, const std::string&)>
Result<T> from_array(const json::value& value, const std::string& field) {
  if (value.is_array()) return read(value.get_array(), field);
  return fail(ErrorCode::kInvalidArgument, field + " must be an array");
}

}  // namespace

JsonFields::JsonFields(const json::value& value, std::string field)
    : object_(value.if_object()), field_(std::move(field)) {
  if (object_ == nullptr) fail_with(field_ + " must be an object");
}

void JsonFields::fail_with(std::string message) {
  if (status_) status_ = fail(ErrorCode::kInvalidArgument, std::move(message));
}

void JsonFields::merge(const Status& other) {
  if (status_ && !other) status_ = other;
}

std::string JsonFields::name_of(std::string_view key) const {
  return field_.empty() ? std::string(key) : fmt::format("{}.{}", field_, key);
}

void JsonFields::wrong(std::string_view key, std::string_view what) {
  fail_with(fmt::format("{} must be {}", name_of(key), what));
}

const json::value* JsonFields::member(std::string_view key) const {
  const json::value* value = object_ == nullptr ? nullptr : object_->if_contains(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::string JsonFields::text(std::string_view key) {
  const json::value* value = member(key);
  if (value == nullptr) return {};
  if (value->is_string()) return clean_text(std::string_view(value->get_string()));
  wrong(key, "a string");
  return {};
}

std::int64_t JsonFields::integer(std::string_view key, std::int64_t min, std::int64_t max) {
  const json::value* value = member(key);
  if (value == nullptr) return min <= 0 && max >= 0 ? 0 : min;
  if (value->is_int64() && value->get_int64() >= min && value->get_int64() <= max) {
    return value->get_int64();
  }
  wrong(key, fmt::format("a whole number from {} to {}", min, max));
  return min;
}

bool JsonFields::boolean(std::string_view key) {
  const json::value* value = member(key);
  if (value == nullptr) return false;
  if (value->is_bool()) return value->get_bool();
  wrong(key, "true or false");
  return false;
}

std::size_t JsonFields::one_of(std::string_view key, const std::vector<std::string_view>& names) {
  const json::value* value = member(key);
  for (std::size_t i = 0; value != nullptr && value->is_string() && i < names.size(); ++i) {
    if (std::string_view(value->get_string()) == names[i]) return i;
  }
  wrong(key, fmt::format("one of {}", fmt::join(names, ", ")));
  return 0;
}

const json::array* JsonFields::array(std::string_view key) {
  const json::value* value = member(key);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) wrong(key, "an array");
  return value->if_array();
}

json::value calls_to_json(const std::vector<ToolCall>& calls) {
  json::array out;
  for (const ToolCall& call : calls) {
    out.push_back(json::object{{"id", clean_text(call.id)},
                               {"name", clean_text(call.name)},
                               {"arguments", clean_text(call.arguments)}});
  }
  return out;
}

Result<std::vector<ToolCall>> calls_from_json(const json::array& array, const std::string& field) {
  std::vector<ToolCall> out;
  for (std::size_t i = 0; i < array.size(); ++i) {
    JsonFields fields(array[i], fmt::format("{}[{}]", field, i));
    ToolCall call;
    call.id = fields.text("id");
    call.name = fields.text("name");
    call.arguments = fields.text("arguments");
    if (!fields.status()) return tl::unexpected(fields.status().error());
    out.push_back(std::move(call));
  }
  return out;
}

json::value texts_to_json(const std::vector<std::string>& texts) {
  json::array out;
  for (const std::string& text : texts) out.push_back(json::value(clean_text(text)));
  return out;
}

Result<std::vector<std::string>> texts_from_json(const json::array& array,
                                                 const std::string& field) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < array.size(); ++i) {
    if (!array[i].is_string()) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}[{}] must be a string", field, i));
    }
    out.push_back(clean_text(std::string_view(array[i].get_string())));
  }
  return out;
}

json::value usage_to_json(const Usage& usage) {
  return json::object{{"prompt_tokens", usage.prompt_tokens},
                      {"cached_tokens", usage.cached_tokens},
                      {"completion_tokens", usage.completion_tokens},
                      {"thinking_tokens", usage.thinking_tokens},
                      {"prompt_us", to_microseconds(usage.prompt_s)},
                      {"first_token_us", to_microseconds(usage.first_token_s)},
                      {"completion_us", to_microseconds(usage.completion_s)}};
}

Result<Usage> usage_from_json(const json::value& value, const std::string& field) {
  JsonFields fields(value, field);
  const auto count = [&](std::string_view key) {
    return static_cast<std::int32_t>(fields.integer(key, 0, kCountMax));
  };
  const auto seconds = [&](std::string_view key) {
    return static_cast<double>(fields.integer(key, 0, kMicrosecondsMax)) * kMicrosecond;
  };
  Usage out;
  out.prompt_tokens = count("prompt_tokens");
  out.cached_tokens = count("cached_tokens");
  out.completion_tokens = count("completion_tokens");
  out.thinking_tokens = count("thinking_tokens");
  out.prompt_s = seconds("prompt_us");
  out.first_token_s = seconds("first_token_us");
  out.completion_s = seconds("completion_us");
  if (!fields.status()) return tl::unexpected(fields.status().error());
  return out;
}

std::string calls_to_text(const std::vector<ToolCall>& calls) {
  return calls.empty() ? "" : json::serialize(calls_to_json(calls));
}

Result<std::vector<ToolCall>> calls_from_text(const std::string& text) {
  return from_column<std::vector<ToolCall>>(text, "tool_calls",
                                            from_array<std::vector<ToolCall>, calls_from_json>);
}

std::string texts_to_text(const std::vector<std::string>& texts) {
  return texts.empty() ? "" : json::serialize(texts_to_json(texts));
}

Result<std::vector<std::string>> texts_from_text(const std::string& text) {
  return from_column<std::vector<std::string>>(
      text, "followups", from_array<std::vector<std::string>, texts_from_json>);
}

std::string usage_to_text(const Usage& usage) { return json::serialize(usage_to_json(usage)); }

Result<Usage> usage_from_text(const std::string& text) {
  return from_column<Usage>(text, "usage", usage_from_json);
}

std::string tokens_to_bytes(const std::vector<std::int32_t>& tokens) {
  std::string out;
  for (const std::int32_t token : tokens) {
    auto rest = static_cast<std::uint32_t>(token);
    for (; rest >= 0x80; rest >>= 7U) out += static_cast<char>(0x80U | (rest & 0x7FU));
    out += static_cast<char>(rest);
  }
  return out;
}

Result<std::vector<std::int32_t>> tokens_from_bytes(std::string_view bytes) {
  std::vector<std::int32_t> out;
  std::uint64_t token = 0;
  unsigned shift = 0;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    token |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    shift += 7;
    if ((byte & 0x80U) == 0) {
      out.push_back(static_cast<std::int32_t>(token));
      token = 0;
      shift = 0;
    } else if (shift > 28) {
      return fail(ErrorCode::kDataLoss, "a stored message's token ids are damaged");
    }
  }
  if (shift == 0) return out;
  return fail(ErrorCode::kDataLoss, "a stored message's token ids are damaged");
}

}  // namespace notso
