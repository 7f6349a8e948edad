#include "web/http/form.h"

#include <algorithm>
#include <charconv>
#include <cstddef>

#include "web/http/target.h"

namespace notso::http {
namespace {

// A form has a dozen fields; more are dropped.
constexpr std::size_t kFieldsMax = 64;

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Takes what precedes the next `separator` from `text`.
std::string_view take_part(std::string_view& text, char separator) {
  const std::string_view part = text.substr(0, text.find(separator));
  text.remove_prefix(std::min(part.size() + 1, text.size()));
  return part;
}

}  // namespace

Form::Form(std::string_view body) {
  while (!body.empty() && fields_.size() < kFieldsMax) {
    std::string_view value = take_part(body, '&');
    const std::string_view name = take_part(value, '=');
    fields_.push_back(
        {percent_decode(name, true).value_or(""), percent_decode(value, true).value_or("")});
  }
}

const std::string& Form::value(std::string_view name) const {
  static const std::string empty;
  for (const Field& field : fields_) {
    if (field.name == name) return field.value;
  }
  return empty;
}

bool Form::has(std::string_view name) const {
  return std::any_of(fields_.begin(), fields_.end(),
                     [&](const Field& field) { return field.name == name; });
}

std::optional<std::int64_t> Form::integer(std::string_view name) const {
  return parse_integer(value(name));
}

std::optional<double> Form::number(std::string_view name) const {
  return parse_number<double>(value(name));
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  return parse_number<std::int64_t>(text);
}

std::string_view cookie_value(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    std::string_view value = take_part(header, ';');
    value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
    while (value.ends_with(' ')) value.remove_suffix(1);
    const bool has_value = value.find('=') != std::string_view::npos;
    if (take_part(value, '=') == name && has_value) return value;
  }
  return {};
}

}  // namespace notso::http
