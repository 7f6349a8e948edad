#include "service/template/value_format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "service/template/template_error.h"
#include "service/template/unicode.h"
#include "service/template/value_ops.h"

namespace notso::jinja {
namespace {

constexpr std::uint32_t kLoneSurrogates = 0xDC00;

void append_hex(std::string& out, const char* prefix, std::uint32_t code, int digits) {
  std::array<char, 16> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%0*x", digits, code);
  out += prefix;
  out += buffer.data();
}

// The escape that repr() writes for a character, or an empty string when it stands as it is.
std::string repr_escape(std::uint32_t code, char quote) {
  std::string out;
  if (code == '\\' || code == static_cast<std::uint32_t>(quote)) {
    out = "\\";
    out += static_cast<char>(code);
  } else if (code == '\n') {
    out = "\\n";
  } else if (code == '\r') {
    out = "\\r";
  } else if (code == '\t') {
    out = "\\t";
  } else if (code >= kStrayByte) {
    append_hex(out, "\\u", kLoneSurrogates + code - kStrayByte, 4);
  } else if (!is_printable(code)) {
    if (code < 0x100) {
      append_hex(out, "\\x", code, 2);
    } else if (code < 0x10000) {
      append_hex(out, "\\u", code, 4);
    } else {
      append_hex(out, "\\U", code, 8);
    }
  }
  return out;
}

// Copies `text`; each character for which `escape` gives something is replaced by that.
template <class Escape>
void append_escaped(TextBuilder& out, const Text& text, Escape escape) {
  std::size_t copied = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Character character = decode_at(text.view(), at);
    const std::string replacement = escape(character.code);
    if (!replacement.empty()) {
      out.append(text, copied, at);
      out.append(replacement, text.trusted_at(at));
      copied = at + character.size;
    }
    at += character.size;
  }
  out.append(text, copied, text.size());
}

void append_repr(Runtime& runtime, TextBuilder& out, const Value& value);

void append_string_repr(TextBuilder& out, const Text& text) {
  const bool has_single = text.view().find('\'') != std::string_view::npos;
  const bool has_double = text.view().find('"') != std::string_view::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  const std::string_view mark(&quote, 1);
  out.append(mark, false);
  append_escaped(out, text, [&](std::uint32_t code) { return repr_escape(code, quote); });
  out.append(mark, false);
}

void append_list_repr(Runtime& runtime, TextBuilder& out, const Value& value) {
  const bool tuple = value.type_name() == "tuple";
  const bool view = !tuple && value.list_kind() != ListKind::kList;
  if (view) out.append(value.type_name() + "(", false);
  out.append(tuple ? "(" : "[", false);
  bool first = true;
  for (const Value& item : value.as_list()) {
    if (!first) out.append(", ", false);
    first = false;
    append_repr(runtime, out, item);
  }
  if (tuple && value.as_list().size() == 1) out.append(",", false);
  out.append(tuple ? ")" : "]", false);
  if (view) out.append(")", false);
}

void append_dict_repr(Runtime& runtime, TextBuilder& out, const Dict& dict) {
  out.append("{", false);
  bool first = true;
  for (const auto& [key, item] : dict.entries()) {
    if (!first) out.append(", ", false);
    first = false;
    append_repr(runtime, out, key);
    out.append(": ", false);
    append_repr(runtime, out, item);
  }
  out.append("}", false);
}

void append_repr(Runtime& runtime, TextBuilder& out, const Value& value) {
  DepthGuard depth(runtime);
  runtime.step();
  switch (value.kind()) {
    case Kind::kUndefined:
      return out.append("Undefined", false);
    case Kind::kNone:
      return out.append("None", false);
    case Kind::kBool:
      return out.append(value.as_bool() ? "True" : "False", false);
    case Kind::kInt:
      return out.append(std::to_string(value.as_int()), false);
    case Kind::kFloat:
      return out.append(float_repr(value.as_float()), false);
    case Kind::kString:
      runtime.step(value.as_text().size() / 16);
      return append_string_repr(out, value.as_text());
    case Kind::kList:
      return append_list_repr(runtime, out, value);
    case Kind::kDict:
      return append_dict_repr(runtime, out, value.as_dict());
    case Kind::kObject:
      return out.append("<" + value.type_name() + ">", false);
  }
}

// The escape of one character inside a JSON string, or an empty string.
std::string json_escape(std::uint32_t code, const JsonFormat& format) {
  std::string out;
  if (code == '"') return "\\\"";
  if (code == '\\') return "\\\\";
  if (code == '\n') return "\\n";
  if (code == '\r') return "\\r";
  if (code == '\t') return "\\t";
  if (code == '\b') return "\\b";
  if (code == '\f') return "\\f";
  const bool html = code == '<' || code == '>' || code == '&' || code == '\'';
  if (code < 0x20 || (format.html_safe && html)) {
    append_hex(out, "\\u", code, 4);
  } else if (format.ascii_only && code >= kStrayByte) {
    append_hex(out, "\\u", kLoneSurrogates + code - kStrayByte, 4);
  } else if (format.ascii_only && code >= 0x10000) {
    append_hex(out, "\\u", 0xD800 + ((code - 0x10000) >> 10U), 4);
    append_hex(out, "\\u", kLoneSurrogates + ((code - 0x10000) & 0x3FFU), 4);
  } else if (format.ascii_only && code >= 0x7F) {
    append_hex(out, "\\u", code, 4);
  }
  return out;
}

// Writes one JSON document.
class JsonWriter {
 public:
  JsonWriter(Runtime& runtime, const JsonFormat& format)
      : runtime_(runtime), format_(format), out_(runtime.builder()) {}

  Text write(const Value& value) {
    append(value, 1);
    return out_.finish();
  }

 private:
  void append(const Value& value, std::size_t level) {
    DepthGuard depth(runtime_);
    runtime_.step();
    switch (value.kind()) {
      case Kind::kNone:
        return out_.append("null", false);
      case Kind::kBool:
        return out_.append(value.as_bool() ? "true" : "false", false);
      case Kind::kInt:
        return out_.append(std::to_string(value.as_int()), false);
      case Kind::kFloat:
        return out_.append(number(value.as_float()), false);
      case Kind::kString:
        return append_string(value.as_text());
      case Kind::kList:
        return append_list(value, level);
      case Kind::kDict:
        return append_dict(value.as_dict(), level);
      default:
        throw TemplateError("object of type " + value.type_name() + " is not JSON serializable");
    }
  }

  static std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
    return float_repr(value);
  }

  void append_string(const Text& text) {
    runtime_.step(text.size() / 16);
    out_.append("\"", false);
    append_escaped(out_, text, [&](std::uint32_t code) { return json_escape(code, format_); });
    out_.append("\"", false);
  }

  void new_line(std::size_t level) {
    if (!format_.indent) return;
    out_.append("\n", false);
    out_.append_repeated(Text(*format_.indent, false), level);
  }

  void append_list(const Value& list, std::size_t level) {
    if (list.type_name() != "tuple" && list.list_kind() != ListKind::kList) {
      throw TemplateError("object of type " + list.type_name() + " is not JSON serializable");
    }
    out_.append("[", false);
    bool first = true;
    for (const Value& item : list.as_list()) {
      if (!first) out_.append(format_.item_separator);
      first = false;
      new_line(level);
      append(item, level + 1);
    }
    if (!first) new_line(level - 1);
    out_.append("]", false);
  }

  void append_dict(const Dict& dict, std::size_t level) {
    std::vector<Dict::Entry> entries = dict.entries();
    if (format_.sort_keys) {
      std::stable_sort(entries.begin(), entries.end(), [&](const auto& a, const auto& b) {
        return less(runtime_, a.first, b.first);
      });
    }
    out_.append("{", false);
    bool first = true;
    for (const auto& [key, item] : entries) {
      if (!first) out_.append(format_.item_separator);
      first = false;
      new_line(level);
      append_key(key);
      out_.append(format_.key_separator);
      append(item, level + 1);
    }
    if (!first) new_line(level - 1);
    out_.append("}", false);
  }

  void append_key(const Value& key) {
    if (key.is(Kind::kString)) return append_string(key.as_text());
    if (!key.is_number() && !key.is(Kind::kNone)) {
      throw TemplateError("JSON keys must be str, int, float, bool or None, not " +
                          key.type_name());
    }
    out_.append("\"", false);
    append(key, 0);
    out_.append("\"", false);
  }

  Runtime& runtime_;
  const JsonFormat& format_;
  TextBuilder out_;
};

}  // namespace

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 400> buffer{};
  const auto write = [&](std::chars_format form) {
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, form).ptr;
    return std::string(buffer.data(), end);
  };
  std::string scientific = write(std::chars_format::scientific);
  int exponent = 0;
  const char* digits = scientific.data() + scientific.find('e') + 1;
  if (*digits == '+') ++digits;
  std::from_chars(digits, scientific.data() + scientific.size(), exponent);
  if (value != 0 && (exponent < -4 || exponent >= 16)) return scientific;
  std::string fixed = write(std::chars_format::fixed);
  if (fixed.find('.') == std::string::npos) fixed += ".0";
  return fixed;
}

Text repr(Runtime& runtime, const Value& value) {
  TextBuilder out = runtime.builder();
  append_repr(runtime, out, value);
  return out.finish();
}

Text to_text(Runtime& runtime, const Value& value) {
  if (value.is(Kind::kString)) return value.as_text();
  if (value.is(Kind::kUndefined)) return {};
  return repr(runtime, value);
}

Text escape_html(Runtime& runtime, const Text& text) {
  runtime.step(text.size() / 16);
  TextBuilder out = runtime.builder();
  append_escaped(out, text, [](std::uint32_t code) -> std::string {
    switch (code) {
      case '&':
        return "&amp;";
      case '<':
        return "&lt;";
      case '>':
        return "&gt;";
      case '"':
        return "&#34;";
      case '\'':
        return "&#39;";
      default:
        return {};
    }
  });
  return out.finish();
}

Text to_escaped_text(Runtime& runtime, const Value& value) {
  if (value.is_safe()) return value.as_text();
  return escape_html(runtime, to_text(runtime, value));
}

Text to_json(Runtime& runtime, const Value& value, const JsonFormat& format) {
  return JsonWriter(runtime, format).write(value);
}

}  // namespace notso::jinja
