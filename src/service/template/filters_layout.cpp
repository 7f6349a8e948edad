// Filters that lay out text: centring, indenting, cutting, wrapping.
#include <algorithm>

#include "service/template/builtins.h"
#include "service/template/string_ops.h"
#include "service/template/template_error.h"
#include "service/template/unicode.h"
#include "service/template/value_format.h"
#include "service/template/value_ops.h"

namespace notso::jinja {
namespace {

using Args = Arguments;

Text spaces(Runtime& runtime, std::int64_t count) {
  TextBuilder out = runtime.builder();
  out.append_repeated(Text(" ", false), static_cast<std::size_t>(std::max<std::int64_t>(count, 0)));
  return out.finish();
}

Value filter_center(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("center", args, {"width"});
  Arguments width;
  width.positional.push_back(Value::integer(bound.integer(0, 80)));
  const Value text = Value::text(to_text(runtime, value), value.is_safe());
  return find_method(text, "center")(runtime, text, width);
}

Value filter_indent(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("indent", args, {"width", "first", "blank"});
  Text indentation = bound.has(0) && bound.at(0).is(Kind::kString)
                         ? bound.text(0, {})
                         : spaces(runtime, bound.integer(0, 4));
  const bool first = bound.boolean(1, false);
  const bool blank = bound.boolean(2, false);
  TextBuilder out = runtime.builder();
  TextBuilder source = runtime.builder();
  source.append(to_text(runtime, value));
  source.append("\n", false);  // so that a text that ends its last line keeps that line end
  const std::vector<Text> lines = split_lines(runtime, source.finish(), false);
  if (first) out.append(indentation);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    runtime.step();
    if (i > 0) {
      out.append("\n", false);
      if (blank || !lines[i].empty()) out.append(indentation);
    }
    out.append(lines[i]);
  }
  return Value::text(out.finish(), value.is_safe());
}

Value filter_truncate(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("truncate", args, {"length", "killwords", "end", "leeway"});
  const Text text = to_text(runtime, value);
  const Text end = bound.text(2, Text("...", false));
  const std::int64_t length = bound.integer(0, 255);
  const std::int64_t leeway = bound.integer(3, 5);
  const auto end_length = static_cast<std::int64_t>(end.length());
  if (length < end_length) throw TemplateError("truncate: the length is shorter than the end");
  if (leeway < 0) throw TemplateError("truncate: the leeway is negative");
  if (static_cast<std::int64_t>(text.length()) - leeway <= length) {
    return Value::text(text, value.is_safe());
  }
  Text head = text.slice_bytes(0, text.offset_of(static_cast<std::size_t>(length - end_length)));
  if (!bound.boolean(1, false)) {
    const std::size_t blank = head.view().rfind(' ');
    if (blank != std::string_view::npos) head = head.slice_bytes(0, blank);
  }
  TextBuilder out = runtime.builder();
  out.append(head);
  out.append(end);
  return Value::text(out.finish(), value.is_safe());
}

bool is_word(std::uint32_t code) {
  return code == '_' || is_alpha(code) || is_numeric(code) || is_digit(code);
}

Value filter_wordcount(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("wordcount", args, {});
  const Text text = to_text(runtime, value);
  runtime.step(text.size() / 16);
  std::int64_t count = 0;
  bool inside = false;
  for (std::size_t at = 0; at < text.size();) {
    const Character character = decode_at(text.view(), at);
    const bool word = is_word(character.code);
    count += word && !inside ? 1 : 0;
    inside = word;
    at += character.size;
  }
  return Value::integer(count);
}

// Python's textwrap over one line, as the wordwrap filter calls it: blanks are kept inside lines
// and dropped around line breaks.
class Wrapper {
 public:
  Wrapper(Runtime& runtime, std::size_t width, bool break_long, bool break_hyphens)
      : runtime_(runtime), width_(width), break_long_(break_long), break_hyphens_(break_hyphens) {}

  std::vector<Text> wrap(const Text& line) {
    std::vector<Text> chunks = chunks_of(line);
    std::reverse(chunks.begin(), chunks.end());
    std::vector<Text> lines;
    while (!chunks.empty()) {
      runtime_.step();
      runtime_.check_items(lines.size());
      TextBuilder out = runtime_.builder();
      std::size_t used = 0;
      Text last;
      if (is_blank(chunks.back()) && !lines.empty()) chunks.pop_back();
      std::vector<Text> taken;
      while (!chunks.empty() && used + chunks.back().length() <= width_) {
        used += chunks.back().length();
        taken.push_back(chunks.back());
        chunks.pop_back();
      }
      if (!chunks.empty() && chunks.back().length() > width_) take_long(chunks, taken, used);
      if (!taken.empty() && is_blank(taken.back())) taken.pop_back();
      for (const Text& chunk : taken) out.append(chunk);
      if (!taken.empty()) lines.push_back(out.finish());
    }
    return lines;
  }

 private:
  static bool is_blank(const Text& chunk) { return strip(chunk, nullptr, Ends::kBoth).empty(); }

  // A word longer than a line is broken, or stands on a line of its own.
  void take_long(std::vector<Text>& chunks, std::vector<Text>& taken, std::size_t used) const {
    const Text chunk = chunks.back();
    if (break_long_) {
      const std::size_t at = chunk.offset_of(width_ - used);
      if (at > 0) taken.push_back(chunk.slice_bytes(0, at));
      chunks.back() = chunk.slice_bytes(at, chunk.size());
    } else if (taken.empty()) {
      taken.push_back(chunk);
      chunks.pop_back();
    }
  }

  // Words and the blanks between them; words end after hyphens too, if asked.
  std::vector<Text> chunks_of(const Text& line) {
    std::vector<Text> chunks;
    const std::string_view view = line.view();
    std::size_t begin = 0;
    for (std::size_t at = 0; at < view.size();) {
      runtime_.step();
      const Character character = decode_at(view, at);
      const std::size_t next = at + character.size;
      const bool ends = next >= view.size() || breaks_between(view, at, character.code, next);
      if (ends) {
        chunks.push_back(line.slice_bytes(begin, next));
        begin = next;
      }
      at = next;
    }
    return chunks;
  }

  [[nodiscard]] bool breaks_between(std::string_view view, std::size_t at, std::uint32_t code,
                                    std::size_t next) const {
    const std::uint32_t following = decode_at(view, next).code;
    if (is_space(code) != is_space(following)) return true;
    const bool hyphen = break_hyphens_ && code == '-' && is_alpha(following);
    return hyphen && at > 1 && is_word(decode_at(view, at - 1).code) &&
           is_word(decode_at(view, at - 2).code);
  }

  Runtime& runtime_;
  const std::size_t width_;
  const bool break_long_;
  const bool break_hyphens_;
};

Value filter_wordwrap(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("wordwrap", args, {"width", "break_long_words", "wrapstring", "break_on_hyphens"});
  const std::int64_t width = bound.integer(0, 79);
  if (width < 1) throw TemplateError("wordwrap: the width must be at least 1");
  const Text separator = bound.text(2, Text("\n", false));
  Wrapper wrapper(runtime, static_cast<std::size_t>(width), bound.boolean(1, true),
                  bound.boolean(3, true));
  TextBuilder out = runtime.builder();
  bool first_line = true;
  for (const Text& line : split_lines(runtime, to_text(runtime, value), false)) {
    if (!first_line) out.append(separator);
    first_line = false;
    bool first_part = true;
    for (const Text& part : wrapper.wrap(line)) {
      if (!first_part) out.append(separator);
      first_part = false;
      out.append(part);
    }
  }
  return Value::text(out.finish(), value.is_safe());
}

constexpr FilterEntry kFilters[] = {
    {"center", filter_center},       {"indent", filter_indent},     {"truncate", filter_truncate},
    {"wordcount", filter_wordcount}, {"wordwrap", filter_wordwrap},
};

}  // namespace

std::span<const FilterEntry> text_layout_filters() { return kFilters; }

}  // namespace notso::jinja
