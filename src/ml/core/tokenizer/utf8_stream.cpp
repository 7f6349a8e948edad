// Strict UTF-8, a character at a time (table 3-7 of the Unicode standard). The second byte decides
// whether a sequence can still become a character, so what has been read of a broken one is its
// maximal subpart and comes out as a single U+FFFD.

#include "ml/core/tokenizer/tokenizer.h"
#include "ml/core/tokenizer/unicode.h"

namespace notso {

namespace {

enum class Verdict { kWhole, kUnfinished, kBroken };

struct Sequence {
  Verdict verdict = Verdict::kBroken;
  std::size_t length = 1;  // bytes read: the character, or the maximal subpart
};

unsigned byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

// The bytes that may follow `lead`: most leads allow 80..BF, four exclude overlong forms,
// surrogates and values above U+10FFFF.
bool allows_second(unsigned lead, unsigned second) {
  const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  return second >= low && second <= high;
}

Sequence read_sequence(std::string_view text) {
  const unsigned lead = byte_at(text, 0);
  if (lead < 0x80) return {Verdict::kWhole, 1};
  if (lead < 0xC2 || lead > 0xF4) return {Verdict::kBroken, 1};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  for (std::size_t i = 1; i < length; ++i) {
    if (i == text.size()) return {Verdict::kUnfinished, i};
    const unsigned next = byte_at(text, i);
    const bool allowed = i == 1 ? allows_second(lead, next) : (next & 0xC0) == 0x80;
    if (!allowed) return {Verdict::kBroken, i};
  }
  return {Verdict::kWhole, length};
}

}  // namespace

void Utf8Stream::feed(std::string_view bytes, std::string& out) {
  pending_ += bytes;
  std::string_view rest = pending_;
  while (!rest.empty()) {
    const Sequence sequence = read_sequence(rest);
    if (sequence.verdict == Verdict::kUnfinished) break;
    out += sequence.verdict == Verdict::kWhole ? rest.substr(0, sequence.length) : kReplacementUtf8;
    rest.remove_prefix(sequence.length);
  }
  pending_.erase(0, pending_.size() - rest.size());
}

void Utf8Stream::finish(std::string& out) {
  if (!pending_.empty()) out += kReplacementUtf8;
  pending_.clear();
}

}  // namespace notso
