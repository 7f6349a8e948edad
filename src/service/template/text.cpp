#include "service/template/text.h"

#include <algorithm>
#include <utility>

#include "service/template/template_error.h"
#include "service/template/unicode.h"

namespace notso::jinja {

namespace {

// Repeated text is copied in pieces of at least this size.
constexpr std::size_t kChunkBytes = 4096;

[[noreturn]] void throw_too_long(std::size_t bytes_max) {
  throw TemplateError("a text grew over the limit of " + std::to_string(bytes_max) + " bytes",
                      ErrorCode::kResourceExhausted);
}

}  // namespace

Text::Text(std::string bytes, bool trusted) {
  if (bytes.empty()) return;
  const std::size_t size = bytes.size();
  *this = Text(std::move(bytes), {Run{size, trusted}});
}

Text::Text(std::string bytes, std::vector<Run> runs) {
  if (bytes.empty()) return;
  auto rep = std::make_shared<Rep>();
  rep->length = count_characters(bytes);
  rep->bytes = std::move(bytes);
  rep->runs = std::move(runs);
  rep_ = std::move(rep);
}

std::string_view Text::view() const { return rep_ ? std::string_view(rep_->bytes) : ""; }

std::size_t Text::length() const { return rep_ ? rep_->length : 0; }

const std::vector<Text::Run>& Text::runs() const {
  static const std::vector<Run> kNone;
  return rep_ ? rep_->runs : kNone;
}

bool Text::trusted_at(std::size_t offset) const {
  const auto& all = runs();
  auto run = std::upper_bound(all.begin(), all.end(), offset,
                              [](std::size_t at, const Run& entry) { return at < entry.end; });
  return run != all.end() && run->trusted;
}

Text Text::slice_bytes(std::size_t begin, std::size_t end) const {
  if (begin == 0 && end >= size()) return *this;
  TextBuilder out;
  out.append(*this, begin, std::min(end, size()));
  return out.finish();
}

std::size_t Text::offset_of(std::size_t index) const {
  if (index >= length()) return size();
  if (is_single_byte()) return index;
  std::size_t at = 0;
  for (; index > 0; --index) at += decode_at(view(), at).size;
  return at;
}

void TextBuilder::require_room(std::size_t more) const {
  if (more > bytes_max_ || bytes_.size() > bytes_max_ - more) throw_too_long(bytes_max_);
}

void TextBuilder::append(std::string_view bytes, bool trusted) {
  if (bytes.empty()) return;
  require_room(bytes.size());
  bytes_ += bytes;
  if (!runs_.empty() && runs_.back().trusted == trusted) {
    runs_.back().end = bytes_.size();
  } else {
    if (runs_.size() > bytes_max_ / sizeof(Text::Run)) throw_too_long(bytes_max_);
    runs_.push_back({bytes_.size(), trusted});
  }
}

void TextBuilder::append(const Text& text) { append(text, 0, text.size()); }

void TextBuilder::append(const Text& text, std::size_t begin, std::size_t end) {
  const auto& runs = text.runs();
  auto run =
      std::upper_bound(runs.begin(), runs.end(), begin,
                       [](std::size_t at, const Text::Run& entry) { return at < entry.end; });
  for (; begin < end && run != runs.end(); ++run) {
    const std::size_t stop = std::min(run->end, end);
    append(text.view().substr(begin, stop - begin), run->trusted);
    begin = stop;
  }
}

void TextBuilder::append_repeated(const Text& text, std::size_t count) {
  if (text.empty()) return;
  if (count > bytes_max_ / text.size()) throw_too_long(bytes_max_);
  require_room(count * text.size());
  if (text.runs().size() == 1) {
    std::string chunk(text.view());
    std::size_t copies = 1;
    for (; chunk.size() < kChunkBytes && copies * 2 <= count; copies *= 2) chunk += chunk;
    for (; count >= copies; count -= copies) append(chunk, text.runs()[0].trusted);
  }
  for (; count > 0; --count) append(text);
}

Text TextBuilder::finish() {
  Text text(std::move(bytes_), std::move(runs_));
  bytes_.clear();
  runs_.clear();
  return text;
}

}  // namespace notso::jinja
