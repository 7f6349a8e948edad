// Small pieces of text that HTTP is made of: names without case, reasons, dates, what may be
// logged.
#pragma once

#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "web/http/message.h"

namespace notso::http {

// Whether two names are the same but for the case of ASCII letters.
[[nodiscard]] bool same_name(std::string_view a, std::string_view b);

// `text` with ASCII letters in lower case.
[[nodiscard]] std::string lower_case(std::string_view text);

// The words for a status: "Not Found".
[[nodiscard]] std::string_view reason_of(int status);

// A time as headers write it: "Sun, 06 Nov 1994 08:49:37 GMT".
[[nodiscard]] std::string http_date(std::time_t time);

// `text` with control characters, quotes, backslashes and broken UTF-8 as \xNN; for logs.
[[nodiscard]] std::string escape_for_log(std::string_view text);

// Whether `text` is whole, valid UTF-8: no overlong forms, no surrogates.
[[nodiscard]] bool is_utf8(std::string_view text);

// Appends "name: value\r\n"; control characters in the value become spaces, and a header whose name
// is not a token is left out.
void append_header(std::string& head, std::string_view name, std::string_view value);

// The items of a comma-separated header value, trimmed, without empty ones.
[[nodiscard]] std::vector<std::string_view> list_items(std::string_view value);

// Whether `headers` have one called `name`.
[[nodiscard]] bool has_header(const std::vector<Field>& headers, std::string_view name);

}  // namespace notso::http
