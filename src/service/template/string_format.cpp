#include "service/template/string_format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "service/template/template_error.h"
#include "service/template/unicode.h"
#include "service/template/value_format.h"
#include "service/template/value_ops.h"

namespace notso::jinja {
namespace {

constexpr std::size_t kPrecisionMax = 500;

// What stands between % (or :) and the conversion.
struct Spec {
  char fill = ' ';
  char align = 0;  // < > ^ =, or 0 for the type's own
  char sign = 0;   // + or space: also before positive numbers
  bool alternate = false;
  char grouping = 0;
  std::size_t width = 0;
  std::optional<std::size_t> precision;
  char type = 0;
};

std::size_t read_count(std::string_view text, std::size_t& at, std::size_t most) {
  std::size_t count = 0;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
    count = count * 10 + static_cast<std::size_t>(text[at++] - '0');
    if (count > most) throw TemplateError("a width or precision in a format is too large");
  }
  return count;
}

std::string float_digits(double value, const Spec& spec) {
  const char type = static_cast<char>(spec.type | 0x20);
  const std::size_t precision = std::min(spec.precision.value_or(6), kPrecisionMax);
  std::array<char, 1024> buffer{};
  char* const begin = buffer.data();
  char* const end = begin + buffer.size();
  std::chars_format form = std::chars_format::general;
  if (type == 'f' || type == '%') form = std::chars_format::fixed;
  if (type == 'e') form = std::chars_format::scientific;
  const double shown = type == '%' ? value * 100 : value;
  const auto written = std::to_chars(begin, end, shown, form, static_cast<int>(precision));
  std::string digits(begin, written.ptr);
  if (spec.type >= 'A' && spec.type <= 'Z') {
    std::transform(digits.begin(), digits.end(), digits.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  }
  return type == '%' ? digits + "%" : digits;
}

std::string integer_digits(std::int64_t value, const Spec& spec) {
  const auto magnitude = value < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(value)
                                   : static_cast<std::uint64_t>(value);
  const int base = spec.type == 'x' || spec.type == 'X' ? 16
                   : spec.type == 'o'                   ? 8
                   : spec.type == 'b'                   ? 2
                                                        : 10;
  std::array<char, 80> buffer{};
  const auto written = std::to_chars(buffer.data(), buffer.data() + buffer.size(), magnitude, base);
  std::string digits(buffer.data(), written.ptr);
  if (spec.type == 'X') {
    for (char& c : digits) c = c >= 'a' ? static_cast<char>(c - 32) : c;
  }
  if (spec.alternate && base != 10) digits.insert(0, {'0', spec.type});
  return value < 0 ? "-" + digits : digits;
}

void group_thousands(std::string& digits, char separator) {
  const std::size_t first = !digits.empty() && digits[0] == '-' ? 1 : 0;
  std::size_t end = digits.find_first_not_of("0123456789", first);
  if (end == std::string::npos) end = digits.size();
  for (std::size_t at = end; at > first + 3;) {
    at -= 3;
    digits.insert(at, 1, separator);
  }
}

// The digits of a number, signed and grouped, not yet padded.
std::string number_text(const Value& value, const Spec& spec) {
  const bool wants_float = std::string_view("fFeEgG%").find(spec.type) != std::string_view::npos;
  std::string digits;
  if (spec.type != 0 && wants_float) {
    digits = float_digits(float_of(value), spec);
  } else if (value.is(Kind::kFloat) && spec.type == 0) {
    digits = spec.precision ? float_digits(value.as_float(), spec) : float_repr(value.as_float());
  } else if (value.is(Kind::kFloat)) {
    throw TemplateError("format '" + std::string(1, spec.type) + "' needs an integer");
  } else {
    digits = integer_digits(index_of(value), spec);
  }
  if (spec.grouping != 0) group_thousands(digits, spec.grouping);
  if (spec.sign != 0 && digits[0] != '-') digits.insert(0, 1, spec.sign);
  return digits;
}

// Pads to the width; '=' puts the fill between the sign and the digits.
void append_padded(TextBuilder& out, const Text& text, const Spec& spec, char natural_align) {
  const char align = spec.align != 0 ? spec.align : natural_align;
  const std::size_t missing = spec.width > text.length() ? spec.width - text.length() : 0;
  out.require_room(missing);
  const auto fill = [&](std::size_t count) { out.append(std::string(count, spec.fill), false); };
  if (align == '=') {
    const bool has_sign =
        !text.empty() && std::string_view("+- ").find(text.view()[0]) != std::string_view::npos;
    out.append(text, 0, has_sign ? 1 : 0);
    fill(missing);
    return out.append(text, has_sign ? 1 : 0, text.size());
  }
  const std::size_t before = align == '>' ? missing : (align == '^' ? missing / 2 : 0);
  fill(before);
  out.append(text);
  fill(missing - before);
}

Text cut(const Text& text, const Spec& spec) {
  return spec.precision ? text.slice_bytes(0, text.offset_of(*spec.precision)) : text;
}

// A value formatted under Python's format() rules.
void append_formatted(Runtime& runtime, TextBuilder& out, const Value& value, const Spec& spec,
                      bool escape) {
  if (value.is_number() && !(value.is(Kind::kBool) && spec.type == 0) && spec.type != 's') {
    return append_padded(out, Text(number_text(value, spec), false), spec, '>');
  }
  if (spec.type != 0 && spec.type != 's') {
    throw TemplateError("unknown format code '" + std::string(1, spec.type) +
                        "' for object of "
                        "type '" +
                        value.type_name() + "'");
  }
  const Text text = escape ? to_escaped_text(runtime, value) : to_text(runtime, value);
  append_padded(out, cut(text, spec), spec, '<');
}

// One run through a %-format.
class PercentFormatter {
 public:
  PercentFormatter(Runtime& runtime, const Value& format, const Value& values)
      : runtime_(runtime),
        text_(format.as_text()),
        safe_(format.is_safe()),
        values_(values),
        out_(runtime.builder()) {}

  Value run() {
    const std::string_view view = text_.view();
    std::size_t copied = 0;
    for (std::size_t at = view.find('%'); at != std::string_view::npos; at = view.find('%', at)) {
      out_.append(text_, copied, at);
      const bool trusted = text_.trusted_at(at);
      ++at;
      directive(at, trusted);
      copied = at;
    }
    out_.append(text_, copied, view.size());
    if (values_.type_name() == "tuple" && next_ < values_.as_list().size()) {
      throw TemplateError("not all arguments converted during string formatting");
    }
    return Value::text(out_.finish(), safe_);
  }

 private:
  void directive(std::size_t& at, bool trusted) {
    runtime_.step();
    const std::string_view view = text_.view();
    std::optional<Value> named;
    if (at < view.size() && view[at] == '(') named = read_name(at);
    const Spec spec = read_spec(at);
    if (spec.type == '%') return out_.append("%", trusted);
    append(named ? *named : next_value(), spec);
  }

  Value read_name(std::size_t& at) {
    const std::size_t end = text_.view().find(')', at);
    if (end == std::string_view::npos) throw TemplateError("incomplete format key");
    if (!values_.is(Kind::kDict)) throw TemplateError("format requires a mapping");
    const std::string key(text_.view().substr(at + 1, end - at - 1));
    const Value* found = values_.as_dict().find(key);
    if (found == nullptr) throw TemplateError("the format names '" + key + "', which is not given");
    at = end + 1;
    return *found;
  }

  Spec read_spec(std::size_t& at) {
    const std::string_view view = text_.view();
    Spec spec;
    for (bool flag = true; flag && at < view.size(); at += flag ? 1 : 0) {
      flag = true;
      if (view[at] == '-') {
        spec.align = '<';
      } else if (view[at] == '+' || (view[at] == ' ' && spec.sign == 0)) {
        spec.sign = view[at];
      } else if (view[at] == '0') {
        spec.fill = '0';
      } else if (view[at] == '#') {
        spec.alternate = true;
      } else {
        flag = false;
      }
    }
    spec.width = read_count(view, at, runtime_.limits().string_bytes);
    if (at < view.size() && view[at] == '.') {
      ++at;
      spec.precision = read_count(view, at, runtime_.limits().string_bytes);
    }
    if (at >= view.size()) throw TemplateError("incomplete format");
    spec.type = view[at++];
    return spec;
  }

  Value next_value() {
    if (values_.type_name() == "tuple") {
      if (next_ >= values_.as_list().size()) {
        throw TemplateError("not enough arguments for format string");
      }
      return values_.as_list()[next_++];
    }
    if (next_++ > 0) throw TemplateError("not enough arguments for format string");
    return values_;
  }

  void append(const Value& value, Spec spec) {
    if (spec.type == 's' || spec.type == 'r' || spec.type == 'a') {
      spec.fill = ' ';
      Text text = spec.type == 's' ? to_text(runtime_, value) : repr(runtime_, value);
      if (safe_ && !value.is_safe()) text = escape_html(runtime_, text);
      return append_padded(out_, cut(text, spec), spec, '>');
    }
    if (spec.type == 'c') {
      std::string bytes;
      if (value.is(Kind::kInt)) {
        append_character(bytes, static_cast<std::uint32_t>(value.as_int() & 0x1FFFFF));
        return append_padded(out_, Text(bytes, false), spec, '>');
      }
      return append_padded(out_, to_text(runtime_, value), spec, '>');
    }
    if (std::string_view("diuoxXeEfFgG").find(spec.type) == std::string_view::npos) {
      throw TemplateError("unsupported format character '" + std::string(1, spec.type) + "'");
    }
    if (!value.is_number()) {
      throw TemplateError("%" + std::string(1, spec.type) + " format: a number is required, not " +
                          value.type_name());
    }
    Value number = value;
    if (spec.type == 'd' || spec.type == 'i' || spec.type == 'u') {
      spec.type = 'd';
      if (value.is(Kind::kFloat)) number = truncated(value.as_float());
    }
    if (spec.fill == '0' && spec.align == 0) spec.align = '=';
    if (spec.align == '<') spec.fill = ' ';
    append_padded(out_, Text(number_text(number, spec), false), spec, '>');
  }

  static Value truncated(double value) {
    if (!(std::fabs(value) < 9.2e18)) throw TemplateError("a float is too large for %d");
    return Value::integer(static_cast<std::int64_t>(value));
  }

  Runtime& runtime_;
  const Text text_;
  const bool safe_;
  const Value& values_;
  TextBuilder out_;
  std::size_t next_ = 0;
};

// One run through a {}-format.
class BraceFormatter {
 public:
  BraceFormatter(Runtime& runtime, const Value& format, const Arguments& arguments)
      : runtime_(runtime),
        text_(format.as_text()),
        safe_(format.is_safe()),
        arguments_(arguments),
        out_(runtime.builder()) {}

  Value run() {
    const std::string_view view = text_.view();
    std::size_t copied = 0;
    std::size_t at = view.find_first_of("{}");
    while (at != std::string_view::npos) {
      const bool doubled = at + 1 < view.size() && view[at + 1] == view[at];
      out_.append(text_, copied, doubled ? at + 1 : at);
      if (doubled) {
        at += 2;
      } else if (view[at] == '}') {
        throw TemplateError("single '}' encountered in format string");
      } else {
        field(++at);
      }
      copied = at;
      at = view.find_first_of("{}", at);
    }
    out_.append(text_, copied, view.size());
    return Value::text(out_.finish(), safe_);
  }

 private:
  void field(std::size_t& at) {
    runtime_.step();
    const std::size_t end = text_.view().find('}', at);
    if (end == std::string_view::npos) {
      throw TemplateError("expected '}' before the end of the format string");
    }
    std::string_view inside = text_.view().substr(at, end - at);
    at = end + 1;
    std::string_view spec_text;
    if (const std::size_t colon = inside.find(':'); colon != std::string_view::npos) {
      spec_text = inside.substr(colon + 1);
      inside = inside.substr(0, colon);
    }
    char conversion = 0;
    if (const std::size_t mark = inside.find('!'); mark != std::string_view::npos) {
      conversion = mark + 1 < inside.size() ? inside[mark + 1] : '?';
      inside = inside.substr(0, mark);
    }
    Value value = lookup(inside);
    if (conversion == 'r') value = Value::text(repr(runtime_, value));
    if (conversion == 's') value = Value::text(to_text(runtime_, value));
    append_formatted(runtime_, out_, value, read_spec(spec_text), safe_);
  }

  Value lookup(std::string_view name) {
    if (name.empty() || (name[0] >= '0' && name[0] <= '9')) {
      const bool automatic = name.empty();
      if (automatic_.value_or(automatic) != automatic) {
        throw TemplateError("a format string either numbers all of its fields or none");
      }
      automatic_ = automatic;
      std::size_t at = 0;
      const std::size_t index = automatic ? next_++ : read_count(name, at, 1'000'000);
      if (index < arguments_.positional.size()) return arguments_.positional[index];
      throw TemplateError("the format needs a value number " + std::to_string(index) +
                          ", which is not given");
    }
    for (const auto& [key, value] : arguments_.named) {
      if (key == name) return value;
    }
    throw TemplateError("the format names '" + std::string(name) + "', which is not given");
  }

  Spec read_spec(std::string_view text) {
    Spec spec;
    std::size_t at = 0;
    const auto is_align = [&](std::size_t offset) {
      return offset < text.size() &&
             std::string_view("<>^=").find(text[offset]) != std::string_view::npos;
    };
    const auto take = [&](std::string_view any) -> char {
      if (at >= text.size() || any.find(text[at]) == std::string_view::npos) return 0;
      return text[at++];
    };
    if (is_align(1) && static_cast<unsigned char>(text[0]) < 0x80) spec.fill = text[at++];
    if (is_align(at)) spec.align = text[at++];
    spec.sign = take("+- ");
    if (spec.sign == '-') spec.sign = 0;
    spec.alternate = take("#") != 0;
    if (take("0") != 0 && spec.align == 0) {
      spec.fill = '0';
      spec.align = '=';
    }
    spec.width = read_count(text, at, runtime_.limits().string_bytes);
    spec.grouping = take(",_");
    if (take(".") != 0) spec.precision = read_count(text, at, runtime_.limits().string_bytes);
    spec.type = take("bdeEfFgGosxX%");
    if (at != text.size()) {
      throw TemplateError("invalid format specifier '" + std::string(text) + "'");
    }
    return spec;
  }

  Runtime& runtime_;
  const Text text_;
  const bool safe_;
  const Arguments& arguments_;
  TextBuilder out_;
  std::size_t next_ = 0;
  std::optional<bool> automatic_;  // whether fields are numbered in order
};

}  // namespace

Value percent_format(Runtime& runtime, const Value& format, const Value& values) {
  return PercentFormatter(runtime, format, values).run();
}

Value brace_format(Runtime& runtime, const Value& format, const Arguments& arguments) {
  return BraceFormatter(runtime, format, arguments).run();
}

}  // namespace notso::jinja
