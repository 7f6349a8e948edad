#include "service/template/string_ops.h"

#include <algorithm>
#include <string_view>

#include "service/template/template_error.h"
#include "service/template/unicode.h"

namespace notso::jinja {
namespace {

constexpr std::uint32_t kCapitalSigma = 0x3A3;
constexpr std::string_view kFinalSigma = "\xCF\x82";

// Rewrites character by character: convert(out, code, offset) appends what it becomes.
template <class Convert>
Text map_characters(Runtime& runtime, const Text& text, Convert convert) {
  runtime.step(text.size() / 16);
  TextBuilder out = runtime.builder();
  std::string piece;
  const std::string_view view = text.view();
  std::size_t at = 0;
  for (const Text::Run& run : text.runs()) {
    piece.clear();
    while (at < run.end) {
      const Character character = decode_at(view, at);
      convert(piece, character.code, at);
      at += character.size;
    }
    out.append(piece, run.trusted);
  }
  return out.finish();
}

// Sigma at the end of a word has a form of its own.
void append_lower_at(std::string& out, std::uint32_t code, std::string_view view, std::size_t at) {
  if (code != kCapitalSigma) return append_lower(out, code);
  const std::size_t next = at + 2;
  const bool word_goes_on = next < view.size() && is_alpha(decode_at(view, next).code);
  std::size_t before = at;
  while (before > 0 && (static_cast<unsigned char>(view[before - 1]) & 0xC0U) == 0x80U) --before;
  const bool in_word = before > 0 && is_alpha(decode_at(view, before - 1).code);
  if (in_word && !word_goes_on) {
    out += kFinalSigma;
  } else {
    append_lower(out, code);
  }
}

template <class IsBoundary>
Text title_by(Runtime& runtime, const Text& text, IsBoundary is_boundary) {
  bool begins = true;
  return map_characters(runtime, text, [&](std::string& out, std::uint32_t code, std::size_t at) {
    if (begins) {
      append_title(out, code);
    } else {
      append_lower_at(out, code, text.view(), at);
    }
    begins = is_boundary(code);
  });
}

std::vector<std::uint32_t> codes_of(const Text& text) {
  std::vector<std::uint32_t> codes;
  for (std::size_t at = 0; at < text.size();) {
    const Character character = decode_at(text.view(), at);
    codes.push_back(character.code);
    at += character.size;
  }
  return codes;
}

bool is_line_end(std::uint32_t code) {
  return (code >= 0x0A && code <= 0x0D) || (code >= 0x1C && code <= 0x1E) || code == 0x85 ||
         code == 0x2028 || code == 0x2029;
}

std::vector<Text> split_blanks(Runtime& runtime, const Text& text, std::int64_t count) {
  std::vector<Text> parts;
  const std::string_view view = text.view();
  std::size_t at = 0;
  const auto skip_blanks = [&] {
    while (at < view.size() && is_space(decode_at(view, at).code)) at += decode_at(view, at).size;
  };
  for (skip_blanks(); at < view.size(); skip_blanks()) {
    if (count >= 0 && static_cast<std::int64_t>(parts.size()) == count) {
      parts.push_back(text.slice_bytes(at, view.size()));
      return parts;
    }
    const std::size_t begin = at;
    while (at < view.size() && !is_space(decode_at(view, at).code)) at += decode_at(view, at).size;
    parts.push_back(text.slice_bytes(begin, at));
    runtime.check_items(parts.size());
  }
  return parts;
}

// From the right, the words beyond `count` stay together with the blanks between them.
std::vector<Text> split_blanks_right(Runtime& runtime, const Text& text, std::int64_t count) {
  std::vector<Text> words = split_blanks(runtime, text, -1);
  const std::size_t kept = static_cast<std::size_t>(std::max<std::int64_t>(count, 0));
  if (count < 0 || words.size() <= kept) return words;
  Text head = strip(text, nullptr, Ends::kRight);
  for (std::size_t i = 0; i < kept; ++i) {
    const Text& word = words[words.size() - 1 - i];
    head = strip(head.slice_bytes(0, head.size() - word.size()), nullptr, Ends::kRight);
  }
  std::vector<Text> parts;
  if (!head.empty()) parts.push_back(head);
  parts.insert(parts.end(), words.end() - static_cast<std::ptrdiff_t>(kept), words.end());
  return parts;
}

}  // namespace

Text upper(Runtime& runtime, const Text& text) {
  return map_characters(runtime, text, [](std::string& out, std::uint32_t code, std::size_t) {
    append_upper(out, code);
  });
}

Text lower(Runtime& runtime, const Text& text) {
  return map_characters(runtime, text, [&](std::string& out, std::uint32_t code, std::size_t at) {
    append_lower_at(out, code, text.view(), at);
  });
}

Text capitalize(Runtime& runtime, const Text& text) {
  return title_by(runtime, text, [](std::uint32_t) { return false; });
}

Text title(Runtime& runtime, const Text& text) {
  return title_by(runtime, text, [](std::uint32_t code) { return !is_cased(code); });
}

Text title_words(Runtime& runtime, const Text& text) {
  return title_by(runtime, text, [](std::uint32_t code) {
    return code == '-' || code == '(' || code == '{' || code == '[' || code == '<' ||
           is_space(code);
  });
}

Text swap_case(Runtime& runtime, const Text& text) {
  return map_characters(runtime, text, [](std::string& out, std::uint32_t code, std::size_t) {
    std::string raised, self;
    append_upper(raised, code);
    append_character(self, code);
    if (raised != self) {
      out += raised;
    } else {
      append_lower(out, code);
    }
  });
}

Text strip(const Text& text, const Text* chars, Ends ends) {
  const std::vector<std::uint32_t> wanted =
      chars == nullptr ? std::vector<std::uint32_t>() : codes_of(*chars);
  const auto goes = [&](std::uint32_t code) {
    if (chars == nullptr) return is_space(code);
    return std::find(wanted.begin(), wanted.end(), code) != wanted.end();
  };
  const std::string_view view = text.view();
  std::size_t begin = 0;
  std::size_t end = view.size();
  while (ends != Ends::kRight && begin < end) {
    const Character character = decode_at(view, begin);
    if (!goes(character.code)) break;
    begin += character.size;
  }
  while (ends != Ends::kLeft && end > begin) {
    std::size_t last = end - 1;
    for (std::size_t back = 1; back <= 3 && back < end - begin; ++back) {
      const Character wide = decode_at(view, end - 1 - back);
      if (wide.size == back + 1) last = end - 1 - back;
    }
    if (!goes(decode_at(view, last).code)) break;
    end = last;
  }
  return text.slice_bytes(begin, end);
}

Text replace(Runtime& runtime, const Text& text, const Text& from, const Text& to,
             std::int64_t count) {
  runtime.step(text.size() / 64);
  TextBuilder out = runtime.builder();
  const std::string_view view = text.view();
  std::size_t copied = 0;
  if (from.empty()) {
    // Python puts the new text before every character and at the end.
    for (std::size_t at = 0; count != 0; --count) {
      runtime.step();
      out.append(to);
      if (at >= view.size()) break;
      at += decode_at(view, at).size;
      out.append(text, copied, at);
      copied = at;
    }
  } else {
    for (std::size_t at = view.find(from.view()); at != std::string_view::npos && count != 0;
         at = view.find(from.view(), copied)) {
      runtime.step();
      out.append(text, copied, at);
      out.append(to);
      copied = at + from.size();
      --count;
    }
  }
  out.append(text, copied, view.size());
  return out.finish();
}

std::vector<Text> split(Runtime& runtime, const Text& text, const Text* separator,
                        std::int64_t count) {
  runtime.step(text.size() / 8);
  if (separator == nullptr) return split_blanks(runtime, text, count);
  if (separator->empty()) throw TemplateError("empty separator");
  std::vector<Text> parts;
  std::size_t begin = 0;
  for (; count != 0; --count) {
    const std::size_t at = text.view().find(separator->view(), begin);
    if (at == std::string_view::npos) break;
    parts.push_back(text.slice_bytes(begin, at));
    begin = at + separator->size();
    runtime.check_items(parts.size());
  }
  parts.push_back(text.slice_bytes(begin, text.size()));
  return parts;
}

std::vector<Text> split_right(Runtime& runtime, const Text& text, const Text* separator,
                              std::int64_t count) {
  runtime.step(text.size() / 8);
  if (separator == nullptr) return split_blanks_right(runtime, text, count);
  if (separator->empty()) throw TemplateError("empty separator");
  std::vector<Text> parts;
  std::size_t end = text.size();
  for (; count != 0 && end >= separator->size(); --count) {
    const std::size_t at = text.view().rfind(separator->view(), end - separator->size());
    if (at == std::string_view::npos) break;
    parts.push_back(text.slice_bytes(at + separator->size(), end));
    end = at;
    runtime.check_items(parts.size());
  }
  parts.push_back(text.slice_bytes(0, end));
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<Text> split_lines(Runtime& runtime, const Text& text, bool keep_ends) {
  runtime.step(text.size() / 8);
  std::vector<Text> lines;
  const std::string_view view = text.view();
  std::size_t begin = 0;
  for (std::size_t at = 0; at < view.size();) {
    const Character character = decode_at(view, at);
    const std::size_t line_end = at;
    at += character.size;
    if (!is_line_end(character.code)) continue;
    if (character.code == '\r' && at < view.size() && view[at] == '\n') ++at;
    lines.push_back(text.slice_bytes(begin, keep_ends ? at : line_end));
    begin = at;
    runtime.check_items(lines.size());
  }
  if (begin < view.size()) lines.push_back(text.slice_bytes(begin, view.size()));
  return lines;
}

Value list_of(Runtime& runtime, std::vector<Text> texts, bool safe) {
  runtime.check_items(texts.size());
  std::vector<Value> items;
  items.reserve(texts.size());
  std::size_t bytes = 0;
  for (Text& text : texts) {
    bytes += text.size() + 96;
    items.push_back(Value::text(std::move(text), safe));
  }
  runtime.charge(bytes);
  return runtime.make_list(std::move(items));
}

}  // namespace notso::jinja
