#include "web/http/message.h"

#include "web/http/text.h"

namespace notso::http {

std::optional<std::string_view> Request::header(std::string_view name) const {
  for (const Field& field : headers) {
    if (same_name(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::optional<std::string_view> Request::parameter(std::string_view name) const {
  for (const Field& field : parameters) {
    if (field.name == name) return field.value;
  }
  return std::nullopt;
}

std::string_view Request::path_parameter(std::string_view name) const {
  for (const Field& field : path_parameters) {
    if (field.name == name) return field.value;
  }
  return {};
}

}  // namespace notso::http
