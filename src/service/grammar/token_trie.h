// Byte strings in a prefix tree, laid out in depth-first order, so that a walk is a loop over an
// array and leaving a whole subtree out is one jump.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace notso::grammar {

// A string of the tree and the token that it stands for.
struct TrieEntry {
  std::string_view bytes;  // not empty; only read while the tree is built
  std::uint32_t token;
};

// Immutable once built.
class TokenTrie {
 public:
  struct Node {
    std::uint32_t end;           // the first node after this one's subtree
    std::uint32_t tokens_first;  // into tokens(); the next node's tokens begin where these end
    std::uint16_t depth;         // the number of bytes that lead here, this one's included
    std::uint8_t byte;
  };

  TokenTrie() = default;
  // Strings may repeat with other tokens; those longer than 65535 bytes are left out.
  explicit TokenTrie(std::vector<TrieEntry> entries);

  [[nodiscard]] bool empty() const { return nodes_.empty(); }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(nodes_.size()); }
  // A node in depth-first order.
  [[nodiscard]] const Node& node(std::uint32_t index) const { return nodes_[index]; }
  // The tokens whose string ends at the node.
  [[nodiscard]] std::span<const std::uint32_t> tokens_at(std::uint32_t index) const {
    const std::size_t last =
        index + 1 < nodes_.size() ? nodes_[index + 1].tokens_first : tokens_.size();
    return {tokens_.data() + nodes_[index].tokens_first, tokens_.data() + last};
  }
  [[nodiscard]] std::uint32_t max_depth() const { return max_depth_; }
  [[nodiscard]] std::size_t memory_bytes() const {
    return nodes_.size() * sizeof(Node) + tokens_.size() * sizeof(std::uint32_t);
  }

 private:
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> tokens_;
  std::uint32_t max_depth_ = 0;
};

}  // namespace notso::grammar
