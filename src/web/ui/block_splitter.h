// Cuts Markdown into its top-level blocks while it is being written. A block that is closed never
// changes again, whatever follows: a page draws it once, and again and again only what is open.
//
// Blocks end at blank lines, but a list goes on after one where the next line is an item or is
// indented, and a fence ends only at its closing fence. A heading and a fence are blocks without
// blank lines around them. A list that has become long is cut before one of its outer items, so
// that what is open stays small. The cuts depend on the text alone and not on how it arrived.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace notso::ui {

// One text's splitter.
class BlockSplitter {
 public:
  // Takes in more of the text, cut anywhere.
  void append(std::string_view text);

  // Closes all that is open: the text is over.
  void finish();

  // Moves the next closed block into `block`; false when there is none.
  bool next(std::string& block);

  // The open block's text so far: its whole lines, then the one that is being written.
  [[nodiscard]] const std::string& open_lines() const { return block_; }
  [[nodiscard]] const std::string& open_line() const { return line_; }
  // Whether the open block is a fence.
  [[nodiscard]] bool open_is_fence() const { return kind_ == Kind::kFence; }

 private:
  enum class Kind : std::uint8_t { kNone, kText, kList, kFence };
  struct Fence {
    char mark = 0;  // 0: none
    std::size_t length = 0;
  };

  static Fence fence_of(std::string_view text);
  void take_line(std::string_view line);
  void take_fenced(std::string_view line);
  [[nodiscard]] bool begins_block(std::string_view line, bool fence) const;
  void close();

  std::string block_;
  std::string line_;
  std::deque<std::string> closed_;
  Kind kind_ = Kind::kNone;
  Fence fence_;
  bool after_blank_ = false;
};

}  // namespace notso::ui
