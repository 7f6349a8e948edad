// JSON text, written by hand where a whole JSON library would be too much: the command line's
// --json outputs and log lines. And plain text that is safe to show.
#pragma once

#include <string>
#include <string_view>

namespace notso {

// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD; control
// characters are escaped, those beyond ASCII and Unicode's ends of lines too.
void append_json_string(std::string& out, std::string_view text);

// `text` for a terminal, a log or a message, wherever it is from (a file's name may be any bytes):
// what is no UTF-8 and control characters become U+FFFD.
[[nodiscard]] std::string printable(std::string_view text);

// Appends a number that reads back as the same double; infinities and NaN, which JSON does not
// have, become null.
void append_json_number(std::string& out, double value);

// The length of the UTF-8 character at the start of `text`, or 0 if there is no valid one.
[[nodiscard]] std::size_t utf8_length(std::string_view text);

}  // namespace notso
