// A model's Markdown as HTML that is safe to show: everything is escaped, raw HTML is text, links
// lead to http, https and mailto only, and nothing is loaded from anywhere (a picture becomes a
// link to it). Formulas stay LaTeX in elements of class "tex", which the page draws with KaTeX.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "web/ui/block_splitter.h"

namespace notso::ui {

// The HTML of a whole text. The same as a MarkdownStream gives, however it is fed.
[[nodiscard]] std::string render_markdown(std::string_view text);

// What changed since the last look.
struct MarkdownUpdate {
  std::string closed;  // HTML of blocks to add after those that are closed; never to change again
  std::optional<std::string> tail;  // HTML of the open block, in place of the one before
  std::string code;  // HTML to add inside the open block's <code>; only where `tail` is not set
};

// One text while it is being written. All looks together cost as much as the text is long, but for
// open blocks other than code, which are drawn at every look.
class MarkdownStream {
 public:
  // Takes in more of the text.
  void append(std::string_view text);
  // Closes all: the text is over.
  void finish();
  // What has changed since the last call.
  [[nodiscard]] MarkdownUpdate take();
  // How much the next look has to draw again, in bytes of Markdown.
  [[nodiscard]] std::size_t open_bytes() const;

 private:
  void take_code(MarkdownUpdate& update);

  BlockSplitter splitter_;
  bool changed_ = false;
  bool tail_shown_ = false;
  std::size_t code_shown_ = 0;  // bytes of the open fence that are on the page; 0: not begun
};

}  // namespace notso::ui
