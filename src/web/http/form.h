// What browsers send along: the fields of a form, and cookies.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "web/http/message.h"

namespace notso::http {

// The fields of a posted form (application/x-www-form-urlencoded). A name or a value that is not
// percent-encoded as it must be is empty.
class Form {
 public:
  explicit Form(std::string_view body);
  // The first value of `name`; "" if there is none.
  [[nodiscard]] const std::string& value(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const;
  // The value as a number; nothing if it is not one, whole.
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view name) const;
  [[nodiscard]] std::optional<double> number(std::string_view name) const;

 private:
  std::vector<Field> fields_;
};

// A whole number, nothing else before or after it.
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text);

// The value of a cookie in a Cookie header; "" if it is not there.
[[nodiscard]] std::string_view cookie_value(std::string_view header, std::string_view name);

}  // namespace notso::http
