// Text as HTML.
#pragma once

#include <string>
#include <string_view>

namespace notso::ui {

// Appends `text` with & < > " ' as entities and NUL as U+FFFD: safe as the content of an element
// and inside a quoted attribute.
void append_escaped(std::string& html, std::string_view text);

// The same as a new string.
[[nodiscard]] std::string escaped(std::string_view text);

}  // namespace notso::ui
