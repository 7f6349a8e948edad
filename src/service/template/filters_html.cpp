// Filters for HTML, URLs and JSON.
#include <array>

#include "service/template/builtins.h"
#include "service/template/string_ops.h"
#include "service/template/template_error.h"
#include "service/template/unicode.h"
#include "service/template/value_format.h"
#include "service/template/value_ops.h"

namespace notso::jinja {
namespace {

using Args = Arguments;

Value filter_escape(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("escape", args, {});
  return Value::text(to_escaped_text(runtime, value), true);
}

Value filter_forceescape(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("forceescape", args, {});
  return Value::text(escape_html(runtime, to_text(runtime, value)), true);
}

Value filter_safe(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("safe", args, {});
  return Value::text(to_text(runtime, value), true);
}

// Comments and tags taken out.
Text without_tags(Runtime& runtime, const Text& text) {
  TextBuilder out = runtime.builder();
  const std::string_view view = text.view();
  std::size_t copied = 0;
  for (std::size_t at = view.find('<'); at != std::string_view::npos;) {
    runtime.step();
    const bool comment = view.substr(at, 4) == "<!--";
    std::size_t end = comment ? view.find("-->", at + 4) : view.find('>', at);
    if (comment && end != std::string_view::npos) end += 2;
    if (comment && end == std::string_view::npos) end = view.find('>', at);
    if (end == std::string_view::npos) break;
    out.append(text, copied, at);
    copied = end + 1;
    at = view.find('<', copied);
  }
  out.append(text, copied, view.size());
  return out.finish();
}

// The five entities that escaping makes, and their usual other names.
Text unescape_entities(Runtime& runtime, const Text& text) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kEntities = {{
      {"&lt;", "<"},
      {"&gt;", ">"},
      {"&#39;", "'"},
      {"&apos;", "'"},
      {"&#34;", "\""},
      {"&quot;", "\""},
      {"&nbsp;", "\xC2\xA0"},
      {"&amp;", "&"},
  }};
  TextBuilder out = runtime.builder();
  const std::string_view view = text.view();
  std::size_t copied = 0;
  for (std::size_t at = view.find('&'); at != std::string_view::npos; at = view.find('&', at + 1)) {
    runtime.step();
    for (const auto& [entity, meaning] : kEntities) {
      if (view.substr(at, entity.size()) != entity) continue;
      out.append(text, copied, at);
      out.append(meaning, text.trusted_at(at));
      copied = at + entity.size();
      break;
    }
  }
  out.append(text, copied, view.size());
  return out.finish();
}

Value filter_striptags(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("striptags", args, {});
  const Text bare = without_tags(runtime, to_text(runtime, value));
  TextBuilder out = runtime.builder();
  for (const Text& word : split(runtime, bare, nullptr, -1)) {
    if (out.size() > 0) out.append(" ", false);
    out.append(word);
  }
  return Value::text(unescape_entities(runtime, out.finish()));
}

Text quote_url(Runtime& runtime, const Value& value, bool for_query) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  const Text text = to_text(runtime, value);
  runtime.step(text.size() / 16);
  TextBuilder out = runtime.builder();
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text.view()[at];
    const auto byte = static_cast<unsigned char>(c);
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool plain = letter || (c >= '0' && c <= '9') ||
                       std::string_view("_.-~").find(c) != std::string_view::npos ||
                       (c == '/' && !for_query);
    if (plain) {
      out.append(text, at, at + 1);
    } else if (c == ' ' && for_query) {
      out.append("+", false);
    } else {
      const std::array<char, 3> quoted = {'%', kHex[byte >> 4U], kHex[byte & 15U]};
      out.append(std::string_view(quoted.data(), 3), text.trusted_at(at));
    }
  }
  return out.finish();
}

Value filter_urlencode(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("urlencode", args, {});
  if (!value.is(Kind::kDict) && !value.is(Kind::kList)) {
    return Value::text(quote_url(runtime, value, false));
  }
  std::vector<Value> pairs =
      value.is(Kind::kDict) ? items_of(runtime, find_method(value, "items")(runtime, value, {}))
                            : items_of(runtime, value);
  TextBuilder out = runtime.builder();
  for (const Value& pair : pairs) {
    const std::vector<Value> parts = items_of(runtime, pair);
    if (parts.size() != 2) throw TemplateError("urlencode needs pairs");
    if (out.size() > 0) out.append("&", false);
    out.append(quote_url(runtime, parts[0], true));
    out.append("=", false);
    out.append(quote_url(runtime, parts[1], true));
  }
  return Value::text(out.finish());
}

void check_attribute_name(const Value& key) {
  if (!key.is(Kind::kString)) throw TemplateError("xmlattr: the names must be strings");
  for (std::size_t at = 0; at < key.as_view().size();) {
    const Character character = decode_at(key.as_view(), at);
    const std::uint32_t code = character.code;
    if (code == '/' || code == '>' || code == '=' || is_space(code)) {
      throw TemplateError("xmlattr: an attribute's name has a character that is not allowed");
    }
    at += character.size;
  }
}

Value filter_xmlattr(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("xmlattr", args, {"autospace"});
  if (!value.is(Kind::kDict)) throw TemplateError("xmlattr needs a dict");
  TextBuilder out = runtime.builder();
  for (const auto& [key, item] : value.as_dict().entries()) {
    if (item.is(Kind::kNone) || item.is(Kind::kUndefined)) continue;
    check_attribute_name(key);
    if (out.size() > 0 || bound.boolean(0, true)) out.append(" ", false);
    out.append(to_escaped_text(runtime, key));
    out.append("=\"", false);
    out.append(to_escaped_text(runtime, item));
    out.append("\"", false);
  }
  return Value::text(out.finish(), runtime.autoescape());
}

// The level of indentation: a number of spaces, or a text.
void set_indent(JsonFormat& format, const Value& indent) {
  if (indent.is(Kind::kUndefined) || indent.is(Kind::kNone)) return;
  format.item_separator = Text(",", false);
  if (indent.is(Kind::kString)) {
    format.indent = std::string(indent.as_view());
    return;
  }
  const std::int64_t width = index_of(indent);
  if (width > 100) throw TemplateError("tojson: the indent must be at most 100");
  format.indent = std::string(static_cast<std::size_t>(std::max<std::int64_t>(width, 0)), ' ');
}

Value filter_tojson(Runtime& runtime, const Value& value, const Args& args) {
  JsonFormat format;
  if (runtime.environment().options().json == JsonStyle::kHtml) {
    Bound bound("tojson", args, {"indent"});
    format.ascii_only = format.sort_keys = format.html_safe = true;
    set_indent(format, bound.get(0));
    return Value::text(to_json(runtime, value, format), true);
  }
  Bound bound("tojson", args, {"ensure_ascii", "indent", "separators", "sort_keys"});
  format.ascii_only = bound.boolean(0, false);
  format.sort_keys = bound.boolean(3, false);
  set_indent(format, bound.get(1));
  if (bound.has(2) && !bound.at(2).is(Kind::kNone)) {
    const std::vector<Value> separators = items_of(runtime, bound.at(2));
    if (separators.size() != 2) throw TemplateError("tojson: there are two separators");
    format.item_separator = to_text(runtime, separators[0]);
    format.key_separator = to_text(runtime, separators[1]);
  }
  return Value::text(to_json(runtime, value, format));
}

constexpr FilterEntry kFilters[] = {
    {"e", filter_escape},
    {"escape", filter_escape},
    {"forceescape", filter_forceescape},
    {"safe", filter_safe},
    {"striptags", filter_striptags},
    {"tojson", filter_tojson},
    {"urlencode", filter_urlencode},
    {"xmlattr", filter_xmlattr},
};

}  // namespace

std::span<const FilterEntry> html_filters() { return kFilters; }

}  // namespace notso::jinja
