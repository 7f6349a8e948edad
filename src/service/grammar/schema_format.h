// The formats of JSON Schema as regular expressions.
#pragma once

#include <string_view>

namespace notso::grammar {

// The expression for a format's texts, or "" for an unknown format. Each matches part of what its
// standard allows and nothing else: dates are days that exist, durations have no gaps, names of
// hosts are short.
std::string_view format_pattern(std::string_view format);

}  // namespace notso::grammar
