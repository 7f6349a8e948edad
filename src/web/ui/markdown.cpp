#include "web/ui/markdown.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <md4c.h>
#include <vector>

#include "web/ui/html.h"

namespace notso::ui {
namespace {

// Deeper blocks are drawn without their own elements: browsers slow down on deep trees.
constexpr int kDepthMax = 48;

// A longer block is shown as the text it is.
constexpr std::size_t kRenderBytesMax = std::size_t{128} << 10U;

constexpr unsigned kFlags = MD_FLAG_NOHTML | MD_FLAG_TABLES | MD_FLAG_STRIKETHROUGH |
                            MD_FLAG_TASKLISTS | MD_FLAG_PERMISSIVEURLAUTOLINKS |
                            MD_FLAG_PERMISSIVEWWWAUTOLINKS | MD_FLAG_LATEXMATHSPANS |
                            MD_FLAG_NOINDENTEDCODEBLOCKS;

constexpr std::string_view kCopyButton =
    "<button type=\"button\" data-copy-code aria-label=\"Copy this code\"><svg class=\"icon\" "
    "aria-hidden=\"true\"><use href=\"#i-copy\"/></svg>Copy</button>";

void append_utf8(std::string& out, std::uint32_t code) {
  if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) code = 0xFFFD;
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0U | (code >> 6U));
    out += static_cast<char>(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0U | (code >> 12U));
    out += static_cast<char>(0x80U | ((code >> 6U) & 0x3FU));
    out += static_cast<char>(0x80U | (code & 0x3FU));
  } else {
    out += static_cast<char>(0xF0U | (code >> 18U));
    out += static_cast<char>(0x80U | ((code >> 12U) & 0x3FU));
    out += static_cast<char>(0x80U | ((code >> 6U) & 0x3FU));
    out += static_cast<char>(0x80U | (code & 0x3FU));
  }
}

// The character of "&#123;", "&#x1F;" or one of the five that escaping needs. Others stay as they
// are written: a table of two thousand names is not worth it.
std::string entity_text(std::string_view entity) {
  struct Named {
    std::string_view name;
    std::string_view text;
  };
  static constexpr std::array kNamed = {Named{"&amp;", "&"},         Named{"&lt;", "<"},
                                        Named{"&gt;", ">"},          Named{"&quot;", "\""},
                                        Named{"&nbsp;", "\xC2\xA0"}, Named{"&apos;", "'"}};
  for (const Named& named : kNamed) {
    if (named.name == entity) return std::string(named.text);
  }
  std::string text;
  if (entity.size() < 4 || entity[1] != '#') return std::string(entity);
  const bool hex = entity[2] == 'x' || entity[2] == 'X';
  std::uint32_t code = 0;
  for (const char c : entity.substr(hex ? 3 : 2)) {
    if (c == ';' || code > 0x10FFFF) break;
    const std::uint32_t digit = c <= '9' ? static_cast<std::uint32_t>(c - '0')
                                         : (static_cast<std::uint32_t>(c) | 0x20U) - 'a' + 10U;
    code = code * (hex ? 16 : 10) + digit;
  }
  append_utf8(text, code);
  return text;
}

// An attribute's text: a link's address, a fence's words.
std::string plain(const MD_ATTRIBUTE& attribute) {
  std::string text;
  if (attribute.text == nullptr || attribute.substr_offsets == nullptr) return text;
  for (std::size_t i = 0; attribute.substr_offsets[i] < attribute.size; ++i) {
    const MD_OFFSET begin = attribute.substr_offsets[i];
    const std::string_view piece(attribute.text + begin, attribute.substr_offsets[i + 1] - begin);
    text += attribute.substr_types[i] == MD_TEXT_ENTITY ? entity_text(piece) : std::string(piece);
  }
  return text;
}

// Whether an address may be a link. Browsers ignore control characters and leading spaces in a
// scheme, so an address that has any is none.
bool is_safe_address(std::string_view address) {
  for (const char c : address) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7F) return false;
  }
  for (const std::string_view scheme : {"https://", "http://", "mailto:"}) {
    if (address.size() <= scheme.size()) continue;
    bool same = true;
    for (std::size_t i = 0; i < scheme.size() && same; ++i) {
      const char c = address[i] >= 'A' && address[i] <= 'Z' ? static_cast<char>(address[i] | 0x20)
                                                            : address[i];
      same = c == scheme[i];
    }
    if (same) return true;
  }
  return false;
}

// The language of a fence as highlight.js may know it: the first word, of harmless characters.
std::string language_of(const std::string& words) {
  std::string language;
  for (const char c : words) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '#' ||
                        c == '-' || c == '_' || c == '.';
    if (c >= 'A' && c <= 'Z') {
      language += static_cast<char>(c | 0x20);
    } else if (letter) {
      language += c;
    } else {
      break;
    }
    if (language.size() == 24) break;
  }
  return language;
}

void open_code(std::string& html, const std::string& language) {
  html += "<div class=\"code\"><div class=\"head\"><span>";
  append_escaped(html, language.empty() ? "text" : language);
  html += "</span>";
  html += kCopyButton;
  html += "</div><pre tabindex=\"0\"><code";
  if (!language.empty()) html += " class=\"language-" + escaped(language) + "\"";
  html += ">";
}

constexpr std::string_view kCloseCode = "</code></pre></div>";

// md4c's callbacks, writing HTML.
class Renderer {
 public:
  std::string html;

  void enter_block(MD_BLOCKTYPE type, void* detail);
  void leave_block(MD_BLOCKTYPE type, void* detail);
  void enter_span(MD_SPANTYPE type, void* detail);
  void leave_span(MD_SPANTYPE type, void* detail);
  void text(MD_TEXTTYPE type, std::string_view text);

 private:
  void enter_list_item(const MD_BLOCK_LI_DETAIL& detail);
  void enter_cell(std::string_view name, const MD_BLOCK_TD_DETAIL& detail);
  void enter_link(const std::string& address, bool picture);
  void leave_link();
  void enter_math(bool display);

  int depth_ = 0;
  int links_ = 0;                   // open <a>
  std::vector<bool> link_is_live_;  // of every open link or picture: whether it has an <a>
};

void Renderer::enter_list_item(const MD_BLOCK_LI_DETAIL& detail) {
  if (detail.is_task == 0) {
    html += "<li>";
    return;
  }
  html += "<li class=\"task\">";
  html += detail.task_mark == ' ' ? "☐ " : "☑ ";
}

void Renderer::enter_cell(std::string_view name, const MD_BLOCK_TD_DETAIL& detail) {
  html += '<';
  html += name;
  if (detail.align == MD_ALIGN_RIGHT) html += " class=\"right\"";
  if (detail.align == MD_ALIGN_CENTER) html += " class=\"center\"";
  html += '>';
}

void Renderer::enter_block(MD_BLOCKTYPE type, void* detail) {
  if (++depth_ > kDepthMax) return;
  switch (type) {
    case MD_BLOCK_QUOTE:
      html += "<blockquote>";
      break;
    case MD_BLOCK_UL:
      html += "<ul>";
      break;
    case MD_BLOCK_OL: {
      const unsigned start = static_cast<MD_BLOCK_OL_DETAIL*>(detail)->start;
      html += start == 1 ? "<ol>" : "<ol start=\"" + std::to_string(start) + "\">";
      break;
    }
    case MD_BLOCK_LI:
      enter_list_item(*static_cast<MD_BLOCK_LI_DETAIL*>(detail));
      break;
    case MD_BLOCK_HR:
      html += "<hr>";
      break;
    case MD_BLOCK_H: {
      // The page's own title is its first heading.
      const unsigned level = static_cast<MD_BLOCK_H_DETAIL*>(detail)->level;
      html += "<h" + std::to_string(level < 6 ? level + 1 : 6) + ">";
      break;
    }
    case MD_BLOCK_CODE:
      open_code(html, language_of(plain(static_cast<MD_BLOCK_CODE_DETAIL*>(detail)->info)));
      break;
    case MD_BLOCK_P:
      html += "<p>";
      break;
    case MD_BLOCK_TABLE:
      html += "<div class=\"table\" tabindex=\"0\"><table>";
      break;
    case MD_BLOCK_THEAD:
      html += "<thead>";
      break;
    case MD_BLOCK_TBODY:
      html += "<tbody>";
      break;
    case MD_BLOCK_TR:
      html += "<tr>";
      break;
    case MD_BLOCK_TH:
      enter_cell("th", *static_cast<MD_BLOCK_TD_DETAIL*>(detail));
      break;
    case MD_BLOCK_TD:
      enter_cell("td", *static_cast<MD_BLOCK_TD_DETAIL*>(detail));
      break;
    case MD_BLOCK_DOC:
    case MD_BLOCK_HTML:
      break;
  }
}

void Renderer::leave_block(MD_BLOCKTYPE type, void* detail) {
  if (depth_-- > kDepthMax) return;
  switch (type) {
    case MD_BLOCK_QUOTE:
      html += "</blockquote>";
      break;
    case MD_BLOCK_UL:
      html += "</ul>";
      break;
    case MD_BLOCK_OL:
      html += "</ol>";
      break;
    case MD_BLOCK_LI:
      html += "</li>";
      break;
    case MD_BLOCK_H: {
      const unsigned level = static_cast<MD_BLOCK_H_DETAIL*>(detail)->level;
      html += "</h" + std::to_string(level < 6 ? level + 1 : 6) + ">";
      break;
    }
    case MD_BLOCK_CODE:
      html += kCloseCode;
      break;
    case MD_BLOCK_P:
      html += "</p>";
      break;
    case MD_BLOCK_TABLE:
      html += "</table></div>";
      break;
    case MD_BLOCK_THEAD:
      html += "</thead>";
      break;
    case MD_BLOCK_TBODY:
      html += "</tbody>";
      break;
    case MD_BLOCK_TR:
      html += "</tr>";
      break;
    case MD_BLOCK_TH:
      html += "</th>";
      break;
    case MD_BLOCK_TD:
      html += "</td>";
      break;
    case MD_BLOCK_HR:
    case MD_BLOCK_DOC:
    case MD_BLOCK_HTML:
      break;
  }
}

void Renderer::enter_link(const std::string& address, bool picture) {
  const bool live = links_ == 0 && is_safe_address(address);
  link_is_live_.push_back(live);
  if (!live) return;
  ++links_;
  html += picture ? "<a class=\"picture\" href=\"" : "<a href=\"";
  append_escaped(html, address);
  html += "\" target=\"_blank\" rel=\"noopener noreferrer\">";
}

void Renderer::leave_link() {
  if (link_is_live_.back()) {
    html += "</a>";
    --links_;
  }
  link_is_live_.pop_back();
}

void Renderer::enter_math(bool display) {
  html += display ? "<span class=\"tex display\">" : "<span class=\"tex\">";
}

void Renderer::enter_span(MD_SPANTYPE type, void* detail) {
  switch (type) {
    case MD_SPAN_EM:
      html += "<em>";
      break;
    case MD_SPAN_STRONG:
      html += "<strong>";
      break;
    case MD_SPAN_A:
      enter_link(plain(static_cast<MD_SPAN_A_DETAIL*>(detail)->href), false);
      break;
    case MD_SPAN_IMG:
      enter_link(plain(static_cast<MD_SPAN_IMG_DETAIL*>(detail)->src), true);
      break;
    case MD_SPAN_CODE:
      html += "<code>";
      break;
    case MD_SPAN_DEL:
      html += "<del>";
      break;
    case MD_SPAN_LATEXMATH:
      enter_math(false);
      break;
    case MD_SPAN_LATEXMATH_DISPLAY:
      enter_math(true);
      break;
    case MD_SPAN_WIKILINK:
    case MD_SPAN_U:
      break;
  }
}

void Renderer::leave_span(MD_SPANTYPE type, void* /*detail*/) {
  switch (type) {
    case MD_SPAN_EM:
      html += "</em>";
      break;
    case MD_SPAN_STRONG:
      html += "</strong>";
      break;
    case MD_SPAN_A:
    case MD_SPAN_IMG:
      leave_link();
      break;
    case MD_SPAN_CODE:
      html += "</code>";
      break;
    case MD_SPAN_DEL:
      html += "</del>";
      break;
    case MD_SPAN_LATEXMATH:
    case MD_SPAN_LATEXMATH_DISPLAY:
      html += "</span>";
      break;
    case MD_SPAN_WIKILINK:
    case MD_SPAN_U:
      break;
  }
}

void Renderer::text(MD_TEXTTYPE type, std::string_view piece) {
  switch (type) {
    case MD_TEXT_NULLCHAR:
      html += "\xEF\xBF\xBD";
      break;
    case MD_TEXT_BR:
      html += "<br>";
      break;
    case MD_TEXT_SOFTBR:
      html += '\n';
      break;
    case MD_TEXT_ENTITY:
      append_escaped(html, entity_text(piece));
      break;
    case MD_TEXT_NORMAL:
    case MD_TEXT_CODE:
    case MD_TEXT_HTML:
    case MD_TEXT_LATEXMATH:
      append_escaped(html, piece);
      break;
  }
}

// A formula longer than this is none.
constexpr std::size_t kFormulaBytesMax = 2000;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n'; }

// The bytes of the code span at `text`, its ticks included; of the ticks alone if none closes it.
std::size_t code_span_bytes(std::string_view text) {
  const std::size_t run = std::min(text.find_first_not_of('`'), text.size());
  for (std::size_t at = text.find('`', run); at != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_not_of('`', at), text.size());
    if (end - at == run) return end;
    at = text.find('`', end);
  }
  return run;
}

// The bytes of the formula in dollars at `text`; 0 if it is none. Prices are not: a dollar that
// opens has no space after it, and one that closes has none before and no digit after.
std::size_t formula_bytes(std::string_view text) {
  text = text.substr(0, kFormulaBytesMax);
  if (text.starts_with("$$")) {
    const std::size_t end = text.find("$$", 2);
    return end == std::string_view::npos ? 0 : end + 2;
  }
  if (text.size() < 3 || is_blank(text[1])) return 0;
  const std::size_t end = text.find('$', 1);
  if (end == std::string_view::npos || is_blank(text[end - 1])) return 0;
  const bool digit = end + 1 < text.size() && text[end + 1] >= '0' && text[end + 1] <= '9';
  return digit ? 0 : end + 1;
}

// Models write formulas as \( \) and \[ \] as often as with dollars, and md4c knows the latter
// only; and it takes more dollars for formulas than people mean. Code keeps what it has.
std::string with_dollars(std::string_view block) {
  std::string text;
  text.reserve(block.size() + 16);
  for (std::size_t at = 0; at < block.size();) {
    const std::string_view rest = block.substr(at);
    std::size_t taken = 1;
    if (rest[0] == '`') {
      taken = code_span_bytes(rest);
      text += rest.substr(0, taken);
    } else if (rest[0] == '$') {
      const std::size_t formula = formula_bytes(rest);
      taken = formula > 0 ? formula : 1;
      text += formula > 0 ? rest.substr(0, formula) : "\\$";
    } else if (rest[0] == '\\' && rest.size() > 1) {
      taken = 2;
      if (rest[1] == '(' || rest[1] == ')') {
        text += '$';
      } else if (rest[1] == '[' || rest[1] == ']') {
        text += "$$";
      } else {
        text += rest.substr(0, 2);
      }
    } else {
      text += rest[0];
    }
    at += taken;
  }
  return text;
}

void append_block(std::string& html, const std::string& block, bool code) {
  if (block.size() > kRenderBytesMax) {
    html += "<p>" + escaped(block) + "</p>";
    return;
  }
  const std::string text = code ? block : with_dollars(block);
  Renderer renderer;
  MD_PARSER parser = {};
  parser.flags = kFlags;
  parser.enter_block = [](MD_BLOCKTYPE type, void* detail, void* self) {
    static_cast<Renderer*>(self)->enter_block(type, detail);
    return 0;
  };
  parser.leave_block = [](MD_BLOCKTYPE type, void* detail, void* self) {
    static_cast<Renderer*>(self)->leave_block(type, detail);
    return 0;
  };
  parser.enter_span = [](MD_SPANTYPE type, void* detail, void* self) {
    static_cast<Renderer*>(self)->enter_span(type, detail);
    return 0;
  };
  parser.leave_span = [](MD_SPANTYPE type, void* detail, void* self) {
    static_cast<Renderer*>(self)->leave_span(type, detail);
    return 0;
  };
  parser.text = [](MD_TEXTTYPE type, const MD_CHAR* bytes, MD_SIZE size, void* self) {
    static_cast<Renderer*>(self)->text(type, {bytes, size});
    return 0;
  };
  if (md_parse(text.data(), static_cast<MD_SIZE>(text.size()), &parser, &renderer) != 0) {
    html += "<p>" + escaped(block) + "</p>";  // out of memory, of all things
    return;
  }
  html += renderer.html;
}

bool is_fenced(const std::string& block) {
  const std::size_t first = block.find_first_not_of(' ');
  return first != std::string::npos && (block[first] == '`' || block[first] == '~') &&
         block.compare(first, 3, std::string(3, block[first])) == 0;
}

}  // namespace

std::string render_markdown(std::string_view text) {
  MarkdownStream stream;
  stream.append(text);
  stream.finish();
  return stream.take().closed;
}

void MarkdownStream::append(std::string_view text) {
  splitter_.append(text);
  changed_ = changed_ || !text.empty();
}

void MarkdownStream::finish() {
  splitter_.finish();
  changed_ = true;
}

std::size_t MarkdownStream::open_bytes() const {
  if (splitter_.open_is_fence()) return 0;
  return splitter_.open_lines().size() + splitter_.open_line().size();
}

MarkdownUpdate MarkdownStream::take() {
  MarkdownUpdate update;
  if (!changed_) return update;
  changed_ = false;
  std::string block;
  while (splitter_.next(block)) {
    append_block(update.closed, block, is_fenced(block));
    code_shown_ = 0;
    if (tail_shown_) update.tail = "";
    tail_shown_ = false;
  }
  if (splitter_.open_is_fence()) {
    take_code(update);
    return update;
  }
  const std::string open = splitter_.open_lines() + splitter_.open_line();
  if (open.find_first_not_of(" \t\r\n") == std::string::npos) return update;
  update.tail = "";
  append_block(*update.tail, open, is_fenced(open));
  tail_shown_ = true;
  return update;
}

// The first look at a fence draws its frame; what is added later goes inside.
void MarkdownStream::take_code(MarkdownUpdate& update) {
  const std::string& lines = splitter_.open_lines();
  std::string code;
  if (code_shown_ == 0) {
    const std::size_t first = lines.find('\n') + 1;
    const std::size_t words = lines.find_first_not_of("`~ ");
    std::string tail;
    open_code(tail, language_of(words < first ? lines.substr(words, first - words) : ""));
    tail += kCloseCode;
    update.tail = std::move(tail);
    tail_shown_ = true;
    code_shown_ = first;
  }
  append_escaped(update.code, std::string_view(lines).substr(code_shown_));
  code_shown_ = lines.size();
  if (update.tail && !update.code.empty()) {
    update.tail->insert(update.tail->size() - kCloseCode.size(), update.code);
    update.code.clear();
  }
}

}  // namespace notso::ui
