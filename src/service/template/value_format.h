// Values as text: Python's str() and repr(), JSON, HTML escaping. Characters of strings keep their
// trust; what is added around them (quotes, braces, digits) is untrusted.
#pragma once

#include <optional>
#include <string>

#include "service/template/runtime.h"
#include "service/template/value.h"

namespace notso::jinja {

// str(value).
Text to_text(Runtime& runtime, const Value& value);
// repr(value).
Text repr(Runtime& runtime, const Value& value);
// repr() of a float: the shortest digits that read back as the same number.
std::string float_repr(double value);
// Replaces & < > " ' by entities.
Text escape_html(Runtime& runtime, const Text& text);
// As a value prints where autoescaping is on: markup as it is, the rest escaped.
Text to_escaped_text(Runtime& runtime, const Value& value);

// The arguments of json.dumps().
struct JsonFormat {
  bool ascii_only = false;
  bool sort_keys = false;
  bool html_safe = false;             // < > & ' as \u00XX
  std::optional<std::string> indent;  // one level of indentation; set: one item a line
  Text item_separator = Text(", ", false);
  Text key_separator = Text(": ", false);
};

// json.dumps(value).
Text to_json(Runtime& runtime, const Value& value, const JsonFormat& format);

}  // namespace notso::jinja
