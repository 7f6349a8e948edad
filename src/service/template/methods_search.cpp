// The methods of str that look into a string and change nothing.
#include <algorithm>

#include "service/template/builtins.h"
#include "service/template/template_error.h"
#include "service/template/unicode.h"
#include "service/template/value_ops.h"

namespace notso::jinja {
namespace {

using Args = Arguments;

// The part of the string that start and end (parameters 1 and 2) leave, and where it begins.
struct Window {
  std::string_view view;
  std::int64_t first = 0;
  bool inside = true;
};

Window window_of(Runtime& runtime, const Value& self, const Bound& bound) {
  const auto length = static_cast<std::int64_t>(self.as_text().length());
  const auto resolve = [&](std::int64_t at) {
    return at < 0 ? std::max<std::int64_t>(at + length, 0) : at;
  };
  const std::int64_t start = resolve(bound.integer(1, 0));
  const std::int64_t stop = std::min(resolve(bound.integer(2, length)), length);
  runtime.step(self.as_text().size() / 64);
  if (start > stop) return {"", start, false};
  const std::size_t begin = self.as_text().offset_of(static_cast<std::size_t>(start));
  const std::size_t end = self.as_text().offset_of(static_cast<std::size_t>(stop));
  return {self.as_view().substr(begin, end - begin), start, true};
}

std::string_view needle_of(const Bound& bound) {
  const Value& needle = bound.at(0);
  if (!needle.is(Kind::kString)) {
    throw TemplateError("a string is needed, not '" + needle.type_name() + "'");
  }
  return needle.as_view();
}

std::int64_t position(Runtime& runtime, const Value& self, const Args& args, bool from_right) {
  Bound bound("find", args, {"sub", "start", "end"});
  const Window window = window_of(runtime, self, bound);
  const std::string_view needle = needle_of(bound);
  if (!window.inside) return -1;
  const std::size_t at = from_right ? window.view.rfind(needle) : window.view.find(needle);
  if (at == std::string_view::npos) return -1;
  return window.first + static_cast<std::int64_t>(count_characters(window.view.substr(0, at)));
}

Value found_or_fail(std::int64_t at) {
  if (at < 0) throw TemplateError("substring not found");
  return Value::integer(at);
}

Value method_find(Runtime& runtime, const Value& self, const Args& args) {
  return Value::integer(position(runtime, self, args, false));
}

Value method_rfind(Runtime& runtime, const Value& self, const Args& args) {
  return Value::integer(position(runtime, self, args, true));
}

Value method_index(Runtime& runtime, const Value& self, const Args& args) {
  return found_or_fail(position(runtime, self, args, false));
}

Value method_rindex(Runtime& runtime, const Value& self, const Args& args) {
  return found_or_fail(position(runtime, self, args, true));
}

Value method_count(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("count", args, {"sub", "start", "end"});
  const Window window = window_of(runtime, self, bound);
  const std::string_view needle = needle_of(bound);
  if (!window.inside) return Value::integer(0);
  if (needle.empty()) {
    return Value::integer(static_cast<std::int64_t>(count_characters(window.view)) + 1);
  }
  std::int64_t count = 0;
  for (std::size_t at = window.view.find(needle); at != std::string_view::npos;
       at = window.view.find(needle, at + needle.size())) {
    ++count;
  }
  return Value::integer(count);
}

Value matches(Runtime& runtime, const Value& self, const Args& args, bool at_end) {
  Bound bound(at_end ? "endswith" : "startswith", args, {"prefix", "start", "end"});
  const Window window = window_of(runtime, self, bound);
  std::vector<Value> choices = {bound.at(0)};
  if (choices[0].type_name() == "tuple") choices = std::vector<Value>(choices[0].as_list());
  for (const Value& choice : choices) {
    if (!choice.is(Kind::kString)) {
      throw TemplateError("startswith() and endswith() need a string or a tuple of strings, not '" +
                          choice.type_name() + "'");
    }
    const std::string_view text = choice.as_view();
    const bool holds = at_end ? window.view.ends_with(text) : window.view.starts_with(text);
    if (window.inside && holds) return Value::boolean(true);
  }
  return Value::boolean(false);
}

Value method_startswith(Runtime& runtime, const Value& self, const Args& args) {
  return matches(runtime, self, args, false);
}

Value method_endswith(Runtime& runtime, const Value& self, const Args& args) {
  return matches(runtime, self, args, true);
}

// True when the string is not empty and `holds` for every character.
template <class Holds>
Value every_character(Runtime& runtime, const Value& self, const Args& args, Holds holds) {
  Bound bound("is...", args, {});
  const std::string_view view = self.as_view();
  runtime.step(view.size() / 16);
  for (std::size_t at = 0; at < view.size();) {
    const Character character = decode_at(view, at);
    if (!holds(character.code)) return Value::boolean(false);
    at += character.size;
  }
  return Value::boolean(!view.empty());
}

Value method_isalpha(Runtime& runtime, const Value& self, const Args& args) {
  return every_character(runtime, self, args, is_alpha);
}

Value method_isdigit(Runtime& runtime, const Value& self, const Args& args) {
  return every_character(runtime, self, args, is_digit);
}

Value method_isdecimal(Runtime& runtime, const Value& self, const Args& args) {
  return every_character(runtime, self, args, is_decimal);
}

Value method_isnumeric(Runtime& runtime, const Value& self, const Args& args) {
  return every_character(runtime, self, args, is_numeric);
}

Value method_isspace(Runtime& runtime, const Value& self, const Args& args) {
  return every_character(runtime, self, args, is_space);
}

Value method_isalnum(Runtime& runtime, const Value& self, const Args& args) {
  return every_character(runtime, self, args, [](std::uint32_t code) {
    return is_alpha(code) || is_decimal(code) || is_digit(code) || is_numeric(code);
  });
}

Value method_isascii(Runtime& runtime, const Value& self, const Args& args) {
  if (self.as_text().empty()) return Value::boolean(true);
  return every_character(runtime, self, args, [](std::uint32_t code) { return code < 0x80; });
}

// True when there is a cased character and none that `convert` would change.
Value has_only_case(Runtime& runtime, const Value& self, const Args& args,
                    void (*convert)(std::string&, std::uint32_t)) {
  bool cased = false;
  const Value unchanged = every_character(runtime, self, args, [&](std::uint32_t code) {
    std::string before, after;
    append_character(before, code);
    convert(after, code);
    cased = cased || is_cased(code);
    return before == after;
  });
  return Value::boolean(cased && unchanged.as_bool());
}

Value method_isupper(Runtime& runtime, const Value& self, const Args& args) {
  return has_only_case(runtime, self, args, append_upper);
}

Value method_islower(Runtime& runtime, const Value& self, const Args& args) {
  return has_only_case(runtime, self, args, append_lower);
}

constexpr FilterEntry kMethods[] = {
    {"count", method_count},           {"endswith", method_endswith},   {"find", method_find},
    {"index", method_index},           {"isalnum", method_isalnum},     {"isalpha", method_isalpha},
    {"isascii", method_isascii},       {"isdecimal", method_isdecimal}, {"isdigit", method_isdigit},
    {"islower", method_islower},       {"isnumeric", method_isnumeric}, {"isspace", method_isspace},
    {"isupper", method_isupper},       {"rfind", method_rfind},         {"rindex", method_rindex},
    {"startswith", method_startswith},
};

}  // namespace

std::span<const FilterEntry> string_search_methods() { return kMethods; }

}  // namespace notso::jinja
