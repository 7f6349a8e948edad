#include "web/api/json_fields.h"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <utility>

namespace notso::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kJsonDepthMax = 64;

}  // namespace

ApiResult<json::object> parse_object(std::string_view body) {
  json::parse_options options;
  options.max_depth = kJsonDepthMax;
  boost::system::error_code error;
  json::value root = json::parse(body, error, {}, options);
  if (error) {
    return tl::unexpected(
        ApiError(ErrorCode::kInvalidArgument, "",
                 error == json::error::too_deep
                     ? fmt::format("the body's JSON is nested deeper than {} levels", kJsonDepthMax)
                     : fmt::format("the body is not valid JSON: {}", error.message())));
  }
  if (json::object* object = root.if_object()) return std::move(*object);
  return tl::unexpected(
      ApiError(ErrorCode::kInvalidArgument, "",
               fmt::format("the body must be a JSON object, not {}", kind_name(root))));
}

std::string_view kind_name(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return "a boolean";
    case json::kind::string:
      return "a string";
    case json::kind::array:
      return "an array";
    case json::kind::object:
      return "an object";
    default:
      return "a number";
  }
}

Fields::Fields(const json::object& object, std::string place)
    : object_(object), place_(std::move(place)) {}

std::string Fields::name_of(std::string_view key) const {
  return place_.empty() ? std::string(key) : fmt::format("{}.{}", place_, key);
}

void Fields::refuse(std::string_view key, std::string_view what, ErrorCode code) {
  if (error_) return;
  error_.emplace(code, name_of(key), fmt::format("{} {}", name_of(key), what));
}

void Fields::refuse(std::string_view key, Error error) {
  const std::string name = name_of(key);
  std::string field = name;
  if (error.message.starts_with(name))
    field = error.message.substr(0, error.message.find_first_of(" :"));
  refuse(ApiError(error.code, std::move(field), std::move(error.message)));
}

void Fields::refuse(ApiError error) {
  if (!error_) error_ = std::move(error);
}

const json::value* Fields::find(std::string_view key) const {
  const json::value* value = object_.if_contains(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

const json::value* Fields::wanted(std::string_view key) const {
  return error_ ? nullptr : find(key);
}

void Fields::number(std::string_view key, double low, double high, double& out) {
  const json::value* value = wanted(key);
  if (value == nullptr) return;
  if (!value->is_number()) {
    refuse(key, fmt::format("must be a number, not {}", kind_name(*value)));
    return;
  }
  const auto read = value->to_number<double>();
  if (!(low <= read && read <= high)) {
    refuse(key, fmt::format("is {}; it must be from {} to {}", read, low, high));
    return;
  }
  out = read;
}

void Fields::number(std::string_view key, double low, double high, float& out) {
  if (wanted(key) == nullptr) return;
  double wide = out;
  number(key, low, high, wide);
  out = static_cast<float>(wide);
}

void Fields::integer(std::string_view key, std::int64_t low, std::int64_t high, std::int64_t& out) {
  const json::value* value = wanted(key);
  if (value == nullptr) return;
  if (!value->is_number()) {
    refuse(key, fmt::format("must be a whole number, not {}", kind_name(*value)));
    return;
  }
  boost::system::error_code error;
  const auto read = value->to_number<std::int64_t>(error);
  if (error || !(low <= read && read <= high)) {
    refuse(key, fmt::format("is {}; it must be a whole number from {} to {}",
                            json::serialize(*value), low, high));
    return;
  }
  out = read;
}

void Fields::boolean(std::string_view key, bool& out) {
  const json::value* value = wanted(key);
  if (value == nullptr) return;
  if (!value->is_bool()) {
    refuse(key, fmt::format("must be true or false, not {}", kind_name(*value)));
    return;
  }
  out = value->get_bool();
}

void Fields::boolean(std::string_view key, std::optional<bool>& out) {
  if (wanted(key) == nullptr) return;
  bool read = false;
  boolean(key, read);
  out = read;
}

void Fields::string(std::string_view key, std::size_t bytes_max, std::string& out) {
  const json::value* value = wanted(key);
  if (value == nullptr) return;
  if (!value->is_string()) {
    refuse(key, fmt::format("must be a string, not {}", kind_name(*value)));
    return;
  }
  const json::string& text = value->get_string();
  if (text.size() > bytes_max) {
    refuse(key, fmt::format("has {} bytes; the limit is {}", text.size(), bytes_max));
    return;
  }
  out.assign(text.data(), text.size());
}

void Fields::strings(std::string_view key, std::size_t count_max, std::size_t bytes_max,
                     std::vector<std::string>& out) {
  const json::value* value = wanted(key);
  if (value == nullptr) return;
  if (value->is_string()) {
    std::string only;
    string(key, bytes_max, only);
    out = {std::move(only)};
    return;
  }
  if (!value->is_array()) {
    refuse(key, fmt::format("must be a string or an array of strings, not {}", kind_name(*value)));
    return;
  }
  const json::array* list = array(key, count_max);
  if (list == nullptr) return;
  out.clear();
  for (std::size_t i = 0; i < list->size(); ++i) {
    const json::string* text = (*list)[i].if_string();
    const std::string place = fmt::format("{}[{}]", key, i);
    if (text == nullptr) {
      refuse(place, fmt::format("must be a string, not {}", kind_name((*list)[i])));
    } else if (text->size() > bytes_max) {
      refuse(place, fmt::format("has {} bytes; the limit is {}", text->size(), bytes_max));
    } else {
      out.emplace_back(text->data(), text->size());
    }
  }
}

const json::array* Fields::array(std::string_view key, std::size_t count_max) {
  const json::value* value = wanted(key);
  if (value == nullptr) return nullptr;
  const json::array* list = value->if_array();
  if (list == nullptr) {
    refuse(key, fmt::format("must be an array, not {}", kind_name(*value)));
    return nullptr;
  }
  if (list->size() <= count_max) return list;
  refuse(key, fmt::format("has {} entries; the limit is {}", list->size(), count_max));
  return nullptr;
}

const json::object* Fields::object(std::string_view key) {
  const json::value* value = wanted(key);
  if (value == nullptr) return nullptr;
  const json::object* inner = value->if_object();
  if (inner == nullptr) refuse(key, fmt::format("must be an object, not {}", kind_name(*value)));
  return inner;
}

ApiResult<std::vector<std::int32_t>> read_token_ids(const json::array& array,
                                                    const std::string& place,
                                                    std::int32_t vocab_size) {
  std::vector<std::int32_t> ids;
  ids.reserve(array.size());
  for (std::size_t i = 0; i < array.size(); ++i) {
    boost::system::error_code error;
    const auto id = array[i].to_number<std::int64_t>(error);
    if (error || !(0 <= id && id < vocab_size)) {
      const std::string field = fmt::format("{}[{}]", place, i);
      return tl::unexpected(
          ApiError(ErrorCode::kInvalidArgument, field,
                   fmt::format("{} must be a token id from 0 to {}", field, vocab_size - 1)));
    }
    ids.push_back(static_cast<std::int32_t>(id));
  }
  return ids;
}

}  // namespace notso::api
