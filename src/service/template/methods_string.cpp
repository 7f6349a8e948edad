// The methods of str that change or take apart a string. A method of markup gives markup.
#include "service/template/builtins.h"
#include "service/template/string_format.h"
#include "service/template/string_ops.h"
#include "service/template/template_error.h"
#include "service/template/value_format.h"
#include "service/template/value_ops.h"

namespace notso::jinja {
namespace {

using Args = Arguments;

Value same_kind(const Value& self, Text text) {
  return Value::text(std::move(text), self.is_safe());
}

// An argument that joins the string: escaped when the string is markup and the argument is not.
Text part_for(Runtime& runtime, const Value& self, const Value& part, std::string_view method) {
  if (!part.is(Kind::kString)) {
    throw TemplateError(std::string(method) + "() needs a string, not '" + part.type_name() + "'");
  }
  return self.is_safe() ? to_escaped_text(runtime, part) : part.as_text();
}

Value method_upper(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("upper", args, {});
  return same_kind(self, upper(runtime, self.as_text()));
}

Value method_lower(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("lower", args, {});
  return same_kind(self, lower(runtime, self.as_text()));
}

Value method_title(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("title", args, {});
  return same_kind(self, title(runtime, self.as_text()));
}

Value method_capitalize(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("capitalize", args, {});
  return same_kind(self, capitalize(runtime, self.as_text()));
}

Value method_swapcase(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("swapcase", args, {});
  return same_kind(self, swap_case(runtime, self.as_text()));
}

Value strip_ends(const Value& self, const Args& args, Ends ends) {
  Bound bound("strip", args, {"chars"});
  if (!bound.has(0) || bound.at(0).is(Kind::kNone)) {
    return same_kind(self, strip(self.as_text(), nullptr, ends));
  }
  const Text chars = bound.text(0, {});
  return same_kind(self, strip(self.as_text(), &chars, ends));
}

Value method_strip(Runtime& runtime, const Value& self, const Args& args) {
  runtime.step(self.as_text().size() / 64);
  return strip_ends(self, args, Ends::kBoth);
}

Value method_lstrip(Runtime& runtime, const Value& self, const Args& args) {
  runtime.step(self.as_text().size() / 64);
  return strip_ends(self, args, Ends::kLeft);
}

Value method_rstrip(Runtime& runtime, const Value& self, const Args& args) {
  runtime.step(self.as_text().size() / 64);
  return strip_ends(self, args, Ends::kRight);
}

Value split_with(Runtime& runtime, const Value& self, const Args& args, decltype(&split) how) {
  Bound bound("split", args, {"sep", "maxsplit"});
  const std::int64_t count = bound.integer(1, -1);
  if (!bound.has(0) || bound.at(0).is(Kind::kNone)) {
    return list_of(runtime, how(runtime, self.as_text(), nullptr, count), self.is_safe());
  }
  const Text separator = bound.text(0, {});
  return list_of(runtime, how(runtime, self.as_text(), &separator, count), self.is_safe());
}

Value method_split(Runtime& runtime, const Value& self, const Args& args) {
  return split_with(runtime, self, args, &split);
}

Value method_rsplit(Runtime& runtime, const Value& self, const Args& args) {
  return split_with(runtime, self, args, &split_right);
}

Value method_splitlines(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("splitlines", args, {"keepends"});
  const bool keep = bound.boolean(0, false);
  return list_of(runtime, split_lines(runtime, self.as_text(), keep), self.is_safe());
}

Value partition_at(Runtime& runtime, const Value& self, std::size_t at, const Text& separator,
                   bool right) {
  const Text& text = self.as_text();
  std::vector<Value> parts;
  if (at == std::string_view::npos) {
    parts = {same_kind(self, {}), same_kind(self, {}), same_kind(self, {})};
    parts[right ? 2 : 0] = self;
  } else {
    const std::size_t after = at + separator.size();
    parts = {same_kind(self, text.slice_bytes(0, at)), same_kind(self, text.slice_bytes(at, after)),
             same_kind(self, text.slice_bytes(after, text.size()))};
  }
  runtime.charge(text.size());
  return runtime.make_list(std::move(parts), ListKind::kTuple);
}

Text separator_of(const Args& args) {
  Bound bound("partition", args, {"sep"});
  bound.require(0);
  Text separator = bound.text(0, {});
  if (separator.empty()) throw TemplateError("empty separator");
  return separator;
}

Value method_partition(Runtime& runtime, const Value& self, const Args& args) {
  const Text separator = separator_of(args);
  return partition_at(runtime, self, self.as_view().find(separator.view()), separator, false);
}

Value method_rpartition(Runtime& runtime, const Value& self, const Args& args) {
  const Text separator = separator_of(args);
  return partition_at(runtime, self, self.as_view().rfind(separator.view()), separator, true);
}

Value method_replace(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("replace", args, {"old", "new", "count"});
  const Text from = part_for(runtime, self, bound.at(0), "replace");
  const Text to = part_for(runtime, self, bound.at(1), "replace");
  return same_kind(self, replace(runtime, self.as_text(), from, to, bound.integer(2, -1)));
}

Value method_join(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("join", args, {"iterable"});
  TextBuilder out = runtime.builder();
  bool first = true;
  for (const Value& item : items_of(runtime, bound.at(0))) {
    runtime.step();
    if (!first) out.append(self.as_text());
    first = false;
    out.append(part_for(runtime, self, item, "join"));
  }
  return same_kind(self, out.finish());
}

Value method_format(Runtime& runtime, const Value& self, const Args& args) {
  return brace_format(runtime, self, args);
}

Value method_removeprefix(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("removeprefix", args, {"prefix"});
  const Text prefix = part_for(runtime, self, bound.at(0), "removeprefix");
  if (!self.as_view().starts_with(prefix.view())) return self;
  return same_kind(self, self.as_text().slice_bytes(prefix.size(), self.as_text().size()));
}

Value method_removesuffix(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("removesuffix", args, {"suffix"});
  const Text suffix = part_for(runtime, self, bound.at(0), "removesuffix");
  if (!self.as_view().ends_with(suffix.view())) return self;
  return same_kind(self, self.as_text().slice_bytes(0, self.as_text().size() - suffix.size()));
}

// The padding methods; `before` says how much of what is missing goes in front.
template <class Before>
Value pad(Runtime& runtime, const Value& self, const Args& args, Before before) {
  Bound bound("ljust", args, {"width", "fillchar"});
  const Text fill = bound.text(1, Text(" ", false));
  if (fill.length() != 1) throw TemplateError("the fill character must be one character long");
  bound.require(0);
  const auto width = static_cast<std::uint64_t>(std::max<std::int64_t>(bound.integer(0, 0), 0));
  const std::size_t length = self.as_text().length();
  if (width <= length) return self;
  const std::size_t missing = width - length;
  const std::size_t front = before(missing, width);
  TextBuilder out = runtime.builder();
  out.append_repeated(fill, front);
  out.append(self.as_text());
  out.append_repeated(fill, missing - front);
  return same_kind(self, out.finish());
}

Value method_ljust(Runtime& runtime, const Value& self, const Args& args) {
  return pad(runtime, self, args, [](std::size_t, std::size_t) { return std::size_t{0}; });
}

Value method_rjust(Runtime& runtime, const Value& self, const Args& args) {
  return pad(runtime, self, args, [](std::size_t missing, std::size_t) { return missing; });
}

Value method_center(Runtime& runtime, const Value& self, const Args& args) {
  // Python's choice of the side that gets one more.
  return pad(runtime, self, args, [](std::size_t missing, std::size_t width) {
    return missing / 2 + (missing & width & 1U);
  });
}

Value method_zfill(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("zfill", args, {"width"});
  const Text& text = self.as_text();
  bound.require(0);
  const auto width = static_cast<std::uint64_t>(std::max<std::int64_t>(bound.integer(0, 0), 0));
  if (width <= text.length()) return self;
  const bool sign = !text.empty() && (text.view()[0] == '-' || text.view()[0] == '+');
  TextBuilder out = runtime.builder();
  out.append(text, 0, sign ? 1 : 0);
  out.append_repeated(Text("0", false), width - text.length());
  out.append(text, sign ? 1 : 0, text.size());
  return same_kind(self, out.finish());
}

constexpr FilterEntry kMethods[] = {
    {"capitalize", method_capitalize},
    {"center", method_center},
    {"format", method_format},
    {"join", method_join},
    {"ljust", method_ljust},
    {"lower", method_lower},
    {"lstrip", method_lstrip},
    {"partition", method_partition},
    {"removeprefix", method_removeprefix},
    {"removesuffix", method_removesuffix},
    {"replace", method_replace},
    {"rjust", method_rjust},
    {"rpartition", method_rpartition},
    {"rsplit", method_rsplit},
    {"rstrip", method_rstrip},
    {"split", method_split},
    {"splitlines", method_splitlines},
    {"strip", method_strip},
    {"swapcase", method_swapcase},
    {"title", method_title},
    {"upper", method_upper},
    {"zfill", method_zfill},
};

}  // namespace

std::span<const FilterEntry> string_methods() { return kMethods; }

}  // namespace notso::jinja
