#include "service/grammar/token_trie.h"

#include <algorithm>
#include <limits>

namespace notso::grammar {

TokenTrie::TokenTrie(std::vector<TrieEntry> entries) {
  std::erase_if(entries, [](const TrieEntry& entry) {
    return entry.bytes.empty() || entry.bytes.size() > std::numeric_limits<std::uint16_t>::max();
  });
  std::sort(entries.begin(), entries.end(), [](const TrieEntry& a, const TrieEntry& b) {
    return a.bytes != b.bytes ? a.bytes < b.bytes : a.token < b.token;
  });
  std::vector<std::uint32_t> open;  // the nodes on the path to the last string
  std::string_view last;
  for (const TrieEntry& entry : entries) {
    const auto common = static_cast<std::size_t>(
        std::mismatch(entry.bytes.begin(), entry.bytes.end(), last.begin(), last.end()).first -
        entry.bytes.begin());
    for (; open.size() > common; open.pop_back()) nodes_[open.back()].end = size();
    for (std::size_t i = common; i < entry.bytes.size(); ++i) {
      open.push_back(size());
      nodes_.push_back({0, static_cast<std::uint32_t>(tokens_.size()),
                        static_cast<std::uint16_t>(i + 1),
                        static_cast<std::uint8_t>(entry.bytes[i])});
    }
    max_depth_ = std::max(max_depth_, static_cast<std::uint32_t>(entry.bytes.size()));
    tokens_.push_back(entry.token);
    last = entry.bytes;
  }
  for (const std::uint32_t node : open) nodes_[node].end = size();
  nodes_.shrink_to_fit();
}

}  // namespace notso::grammar
