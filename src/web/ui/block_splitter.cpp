#include "web/ui/block_splitter.h"

#include <utility>

namespace notso::ui {
namespace {

// A list longer than this is cut before its next outer item.
constexpr std::size_t kListBytesMax = 4096;

// A block longer than this is cut at the end of a line, so that no text costs more than its length.
constexpr std::size_t kBlockBytesMax = std::size_t{64} << 10U;

std::size_t indent_of(std::string_view line) {
  std::size_t columns = 0;
  for (const char c : line) {
    if (c == ' ') {
      ++columns;
    } else if (c == '\t') {
      columns += 4 - columns % 4;
    } else {
      break;
    }
  }
  return columns;
}

std::string_view trimmed(std::string_view line) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = line.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(kSpace) - first + 1);
}

// The bytes of a list item's mark ("- ", "12. "), 0 if `text` does not begin with one.
std::size_t item_mark(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size() && at < 9 && text[at] >= '0' && text[at] <= '9') ++at;
  if (at > 0) {
    if (at >= text.size() || (text[at] != '.' && text[at] != ')')) return 0;
  } else if (text.empty() || (text[0] != '-' && text[0] != '*' && text[0] != '+')) {
    return 0;
  }
  ++at;
  return at == text.size() || text[at] == ' ' || text[at] == '\t' ? at : 0;
}

bool is_heading(std::string_view text) {
  const std::size_t marks = text.find_first_not_of('#');
  if (marks == std::string_view::npos) return !text.empty() && text.size() <= 6;
  return marks >= 1 && marks <= 6 && (text[marks] == ' ' || text[marks] == '\t');
}

}  // namespace

BlockSplitter::Fence BlockSplitter::fence_of(std::string_view text) {
  if (text.empty() || (text[0] != '`' && text[0] != '~')) return {};
  const std::size_t end = text.find_first_not_of(text[0]);
  const std::size_t length = end == std::string_view::npos ? text.size() : end;
  if (length < 3) return {};
  // The words after backticks may not have another one: that is a code span.
  if (text[0] == '`' && text.find('`', length) != std::string_view::npos) return {};
  return {text[0], length};
}

void BlockSplitter::append(std::string_view text) {
  std::size_t begin = 0;
  for (std::size_t end = text.find('\n'); end != std::string_view::npos;
       end = text.find('\n', begin)) {
    line_.append(text, begin, end + 1 - begin);
    begin = end + 1;
    const std::string line = std::exchange(line_, {});
    take_line(line);
  }
  line_.append(text, begin);
}

void BlockSplitter::finish() {
  if (!line_.empty()) take_line(std::exchange(line_, {}));
  close();
  fence_ = {};
}

bool BlockSplitter::next(std::string& block) {
  if (closed_.empty()) return false;
  block = std::move(closed_.front());
  closed_.pop_front();
  return true;
}

bool BlockSplitter::begins_block(std::string_view line, bool fence) const {
  const std::size_t indent = indent_of(line);
  const std::string_view text = trimmed(line);
  const bool interrupts = indent <= 3 && (fence || is_heading(text));
  if (kind_ != Kind::kList) return after_blank_ || interrupts;
  if (indent >= 2) return false;
  if (item_mark(text) > 0) return block_.size() > kListBytesMax;
  return after_blank_ || interrupts;
}

void BlockSplitter::take_fenced(std::string_view line) {
  block_ += line;
  const std::string_view text = trimmed(line);
  const bool closes =
      text.size() >= fence_.length && text.find_first_not_of(fence_.mark) == std::string_view::npos;
  if (!closes) return;
  fence_ = {};
  after_blank_ = false;
  if (kind_ == Kind::kFence) close();
}

void BlockSplitter::take_line(std::string_view line) {
  if (fence_.mark != 0) return take_fenced(line);
  std::string_view text = trimmed(line);
  if (text.empty()) {
    after_blank_ = true;
    if (kind_ != Kind::kNone) block_ += line;
    return;
  }
  const bool item = indent_of(line) <= 3 && item_mark(text) > 0;
  Fence fence = fence_of(item ? trimmed(text.substr(item_mark(text))) : text);
  if (indent_of(line) > 3 && kind_ != Kind::kList) fence = {};
  if (kind_ != Kind::kNone &&
      (begins_block(line, fence.mark != 0 && !item) || block_.size() > kBlockBytesMax)) {
    close();
  }
  if (kind_ == Kind::kNone) {
    kind_ = item ? Kind::kList : fence.mark != 0 ? Kind::kFence : Kind::kText;
  }
  block_ += line;
  after_blank_ = false;
  fence_ = fence;
  if (kind_ == Kind::kText && is_heading(text)) close();
}

void BlockSplitter::close() {
  if (kind_ != Kind::kNone) closed_.push_back(std::exchange(block_, {}));
  kind_ = Kind::kNone;
  after_blank_ = false;
}

}  // namespace notso::ui
