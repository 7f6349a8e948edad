// Guesses what comes next by looking back: where the last few tokens of a sequence stood before in
// its prompt or answer, what followed then may follow now. Quotes, edits and code repeat themselves
// a lot; other text has no matches and costs next to nothing.
//
// Every position is entered in a table under a hash of the kDraftMatchMin tokens that end there,
// and points to the position before it with the same hash: a chain, newest first. A lookup walks a
// bounded number of links and takes the one whose tokens agree with the sequence's end the longest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace notso {

// Fewer equal tokens are no match, more than the maximum are not counted.
inline constexpr std::int32_t kDraftMatchMin = 3;
inline constexpr std::int32_t kDraftMatchMax = 24;

// A guess: the tokens that followed an earlier occurrence of the sequence's end.
struct Draft {
  std::int32_t from = 0;   // the position in the sequence where the guessed tokens stand
  std::int32_t match = 0;  // how many tokens before it agree
  std::int32_t count = 0;  // how many tokens are guessed; 0: there is no match
};

// The table of one sequence. Adding a token and looking up take constant time.
class DraftIndex {
 public:
  // Enters tokens[size()...]: the sequence has grown since the last call.
  void extend(std::span<const std::int32_t> tokens);

  // The best guess of at most `most` tokens for what follows `tokens`, all of which are entered.
  [[nodiscard]] Draft find(std::span<const std::int32_t> tokens, std::int32_t most) const;

  // How many tokens are entered.
  [[nodiscard]] std::size_t size() const { return previous_.size(); }

 private:
  [[nodiscard]] std::size_t slot_of(const std::int32_t* end) const;
  void rebuild(std::span<const std::int32_t> tokens, std::size_t slots);
  void enter(std::span<const std::int32_t> tokens, std::size_t count);

  std::vector<std::int32_t> newest_;    // [a power of two] the newest count of tokens by hash, or 0
  std::vector<std::int32_t> previous_;  // [size] by count - 1: the one before with the same hash
};

}  // namespace notso
