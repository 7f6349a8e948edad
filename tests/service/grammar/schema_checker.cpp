#include "service/grammar/schema_checker.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/string.hpp>
#include <cmath>
#include <regex>
#include <string>

namespace notso {
namespace {

namespace json = boost::json;

bool has_type(const json::value& value, std::string_view type) {
  if (type == "null") return value.is_null();
  if (type == "boolean") return value.is_bool();
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (!value.is_number()) return false;
  const double number = value.to_number<double>();
  return type == "number" || (type == "integer" && number == std::floor(number));
}

double code_points(const json::string& text) {
  return static_cast<double>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

bool fits_number(double number, const json::object& schema) {
  for (const auto& [key, limit] : schema) {
    if (!limit.is_number()) continue;
    const double bound = limit.to_number<double>();
    if (key == "minimum" && number < bound) return false;
    if (key == "maximum" && number > bound) return false;
    if (key == "exclusiveMinimum" && number <= bound) return false;
    if (key == "exclusiveMaximum" && number >= bound) return false;
    if (key == "multipleOf" && std::fmod(number, bound) != 0) return false;
  }
  return true;
}

bool fits_string(const json::string& text, const json::object& schema) {
  for (const auto& [key, limit] : schema) {
    if (key == "minLength" && code_points(text) < limit.to_number<double>()) return false;
    if (key == "maxLength" && code_points(text) > limit.to_number<double>()) return false;
    if (key == "pattern") {
      const std::regex regex(std::string(limit.as_string()));
      if (!std::regex_search(text.begin(), text.end(), regex)) return false;
    }
  }
  return true;
}

bool fits_array(const json::array& array, const json::object& schema, const json::value& root) {
  const auto size = static_cast<double>(array.size());
  if (schema.contains("minItems") && size < schema.at("minItems").to_number<double>()) return false;
  if (schema.contains("maxItems") && size > schema.at("maxItems").to_number<double>()) return false;
  std::size_t first = 0;
  if (schema.contains("prefixItems")) {
    const json::array& prefix = schema.at("prefixItems").as_array();
    for (; first < std::min(prefix.size(), array.size()); ++first) {
      if (!fits_schema(array[first], prefix[first], root)) return false;
    }
  }
  if (!schema.contains("items")) return true;
  return std::all_of(
      array.begin() + static_cast<std::ptrdiff_t>(first), array.end(),
      [&](const json::value& item) { return fits_schema(item, schema.at("items"), root); });
}

bool fits_object(const json::object& object, const json::object& schema, const json::value& root) {
  if (schema.contains("required")) {
    for (const json::value& name : schema.at("required").as_array()) {
      if (!object.contains(name.as_string())) return false;
    }
  }
  const json::object none;
  const json::object& properties =
      schema.contains("properties") ? schema.at("properties").as_object() : none;
  for (const auto& [key, value] : object) {
    if (properties.contains(key)) {
      if (!fits_schema(value, properties.at(key), root)) return false;
    } else if (schema.contains("additionalProperties")) {
      if (!fits_schema(value, schema.at("additionalProperties"), root)) return false;
    }
  }
  return true;
}

bool fits_combined(const json::value& value, const json::object& schema, const json::value& root) {
  const auto fits = [&](const json::value& one) { return fits_schema(value, one, root); };
  for (const auto& [key, list] : schema) {
    if (key == "allOf" && !std::ranges::all_of(list.as_array(), fits)) return false;
    if (key == "anyOf" && std::ranges::none_of(list.as_array(), fits)) return false;
    if (key == "oneOf" && std::ranges::count_if(list.as_array(), fits) != 1) return false;
    if (key == "enum" && std::ranges::find(list.as_array(), value) == list.as_array().end()) {
      return false;
    }
    if (key == "const" && list != value) return false;
    if (key == "$ref") {
      const std::string pointer = std::string(list.as_string()).substr(1);
      boost::system::error_code error;
      const json::value* target = root.find_pointer(pointer, error);
      if (target == nullptr || !fits(*target)) return false;
    }
  }
  return true;
}

}  // namespace

bool fits_schema(const json::value& value, const json::value& schema, const json::value& root) {
  if (schema.is_bool()) return schema.get_bool();
  const json::object& rules = schema.as_object();
  const bool null_allowed = rules.contains("nullable") && rules.at("nullable").as_bool();
  if (rules.contains("type") && !(null_allowed && value.is_null())) {
    const json::value& type = rules.at("type");
    const bool fits = type.is_string()
                          ? has_type(value, type.as_string())
                          : std::ranges::any_of(type.as_array(), [&](const json::value& one) {
                              return has_type(value, one.as_string());
                            });
    if (!fits) return false;
  }
  if (!fits_combined(value, rules, root)) return false;
  if (value.is_string()) return fits_string(value.get_string(), rules);
  if (value.is_array()) return fits_array(value.get_array(), rules, root);
  if (value.is_object()) return fits_object(value.get_object(), rules, root);
  return !value.is_number() || fits_number(value.to_number<double>(), rules);
}

}  // namespace notso
