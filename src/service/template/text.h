// A string that remembers where it came from. Every byte is trusted (it was written in a template)
// or untrusted (it came from data); the runs of equal trust travel with the string through slices,
// concatenations and every filter, so that the tokenizer can make control tokens of the template's
// own words only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace notso::jinja {

// Immutable and cheap to copy: copies share the bytes.
class Text {
 public:
  // Bytes up to `end` (and from the end of the run before) have one trust.
  struct Run {
    std::size_t end;
    bool trusted;
  };

  Text() = default;
  // All bytes of one trust.
  Text(std::string bytes, bool trusted);
  // Takes runs that cover all bytes; used by TextBuilder.
  Text(std::string bytes, std::vector<Run> runs);

  [[nodiscard]] std::string_view view() const;
  [[nodiscard]] std::size_t size() const { return view().size(); }
  [[nodiscard]] bool empty() const { return size() == 0; }
  // How many characters (code points) it has; counted once.
  [[nodiscard]] std::size_t length() const;
  // True when every character is one byte, so that offsets are indices.
  [[nodiscard]] bool is_single_byte() const { return length() == size(); }
  // Runs in order. Empty for empty text.
  [[nodiscard]] const std::vector<Run>& runs() const;
  // The trust of the byte at `offset`; false past the end.
  [[nodiscard]] bool trusted_at(std::size_t offset) const;

  // Bytes [begin, end), with their trust.
  [[nodiscard]] Text slice_bytes(std::size_t begin, std::size_t end) const;
  // The byte offset of character `index`; the size when there are fewer.
  [[nodiscard]] std::size_t offset_of(std::size_t index) const;

 private:
  struct Rep {
    std::string bytes;
    std::vector<Run> runs;
    std::size_t length = 0;
  };
  std::shared_ptr<const Rep> rep_;
};

// Puts texts together. Throws TemplateError when the result would be longer than `bytes_max`.
class TextBuilder {
 public:
  explicit TextBuilder(std::size_t bytes_max = std::numeric_limits<std::size_t>::max())
      : bytes_max_(bytes_max) {}

  // Bytes of one trust.
  void append(std::string_view bytes, bool trusted);
  // A text with its runs.
  void append(const Text& text);
  // Bytes [begin, end) of `text`.
  void append(const Text& text, std::size_t begin, std::size_t end);
  // `count` times.
  void append_repeated(const Text& text, std::size_t count);

  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] std::string_view view() const { return bytes_; }
  // Throws unless `more` further bytes fit: for callers that know the size before they write.
  void require_room(std::size_t more) const;
  // The text; the builder is empty afterwards.
  Text finish();

 private:
  std::size_t bytes_max_;
  std::string bytes_;
  std::vector<Text::Run> runs_;
};

}  // namespace notso::jinja
