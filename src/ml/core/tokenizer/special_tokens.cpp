#include "ml/core/tokenizer/special_tokens.h"

#include <algorithm>

namespace notso {

namespace {

unsigned char unsigned_byte(char c) { return static_cast<unsigned char>(c); }

}  // namespace

SpecialTokens::SpecialTokens(std::vector<Entry> tokens) : sorted_(std::move(tokens)) {
  std::sort(sorted_.begin(), sorted_.end());
  for (const Entry& entry : sorted_) ++first_[unsigned_byte(entry.first[0]) + 1u];
  for (std::size_t b = 0; b < 256; ++b) first_[b + 1] += first_[b];
}

SpecialMatch SpecialTokens::find(std::string_view text, std::size_t from, std::size_t end) const {
  text = text.substr(0, end);
  for (std::size_t at = from; at < end; ++at) {
    const SpecialMatch match = longest_at(text, at);
    if (match.length != 0) return match;
  }
  return {end, 0, 0};
}

SpecialMatch SpecialTokens::longest_at(std::string_view text, std::size_t at) const {
  SpecialMatch best{at, 0, 0};
  const unsigned char first_byte = unsigned_byte(text[at]);
  auto low = sorted_.begin() + static_cast<std::ptrdiff_t>(first_[first_byte]);
  auto high = sorted_.begin() + static_cast<std::ptrdiff_t>(first_[first_byte + 1u]);
  for (std::size_t depth = 1; low != high; ++depth) {
    for (; low != high && low->first.size() == depth; ++low) best = {at, depth, low->second};
    if (at + depth >= text.size()) break;
    const unsigned char byte = unsigned_byte(text[at + depth]);
    low = std::partition_point(
        low, high, [=](const Entry& entry) { return unsigned_byte(entry.first[depth]) < byte; });
    high = std::partition_point(
        low, high, [=](const Entry& entry) { return unsigned_byte(entry.first[depth]) == byte; });
  }
  return best;
}

}  // namespace notso
