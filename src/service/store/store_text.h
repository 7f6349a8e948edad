// Text on its way into the store. Private to the store.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace notso {

// `text` as it is kept: whole UTF-8 without NUL, which are U+FFFD then.
[[nodiscard]] std::string clean_text(std::string_view text);

// Whether `bytes` is at most `bytes_max`; the error names `what`.
[[nodiscard]] Status check_size(std::string_view what, std::size_t bytes, std::size_t bytes_max);

}  // namespace notso
