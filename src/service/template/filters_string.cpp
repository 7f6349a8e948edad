// Filters that turn one text into another.
#include "service/template/builtins.h"
#include "service/template/string_format.h"
#include "service/template/string_ops.h"
#include "service/template/template_error.h"
#include "service/template/value_format.h"
#include "service/template/value_ops.h"

namespace notso::jinja {
namespace {

using Args = Arguments;

Value filter_upper(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("upper", args, {});
  return Value::text(upper(runtime, to_text(runtime, value)), value.is_safe());
}

Value filter_lower(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("lower", args, {});
  return Value::text(lower(runtime, to_text(runtime, value)), value.is_safe());
}

Value filter_capitalize(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("capitalize", args, {});
  return Value::text(capitalize(runtime, to_text(runtime, value)), value.is_safe());
}

Value filter_title(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("title", args, {});
  return Value::text(title_words(runtime, to_text(runtime, value)));
}

Value filter_trim(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("trim", args, {"chars"});
  const Text text = to_text(runtime, value);
  if (!bound.has(0) || bound.at(0).is(Kind::kNone)) {
    return Value::text(strip(text, nullptr, Ends::kBoth), value.is_safe());
  }
  const Text chars = bound.text(0, {});
  return Value::text(strip(text, &chars, Ends::kBoth), value.is_safe());
}

Value filter_replace(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("replace", args, {"old", "new", "count"});
  const bool escape = runtime.autoescape();
  const auto part = [&](const Value& text) {
    return escape ? to_escaped_text(runtime, text) : to_text(runtime, text);
  };
  const Text from = escape && !value.is_safe() && !bound.at(0).is_safe()
                        ? part(bound.at(0))
                        : to_text(runtime, bound.at(0));
  const Text result = replace(runtime, part(value), from, part(bound.at(1)), bound.integer(2, -1));
  return Value::text(result, escape);
}

Value filter_string(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("string", args, {});
  return value.is(Kind::kString) ? value : Value::text(to_text(runtime, value));
}

Value filter_format(Runtime& runtime, const Value& value, const Args& args) {
  if (!args.positional.empty() && !args.named.empty()) {
    throw TemplateError("format takes positional or named arguments, not both");
  }
  const Value format = filter_string(runtime, value, {});
  if (args.named.empty()) {
    return percent_format(runtime, format, runtime.make_list(args.positional, ListKind::kTuple));
  }
  Dict values;
  for (const auto& [name, named] : args.named) values.set(name, named);
  return percent_format(runtime, format, runtime.make_dict(std::move(values)));
}

constexpr FilterEntry kFilters[] = {
    {"capitalize", filter_capitalize},
    {"format", filter_format},
    {"lower", filter_lower},
    {"replace", filter_replace},
    {"string", filter_string},
    {"title", filter_title},
    {"trim", filter_trim},
    {"upper", filter_upper},
};

}  // namespace

std::span<const FilterEntry> string_filters() { return kFilters; }

}  // namespace notso::jinja
