// Which tokens a sequence has used and how often: what the sampler's penalties look at. Kept up to
// date token by token, so that a step costs the same after ten tokens as after a hundred thousand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace notso {

// One token that counts at the moment.
struct TokenCount {
  std::int32_t token = 0;
  std::uint32_t in_window = 0;  // times among the last `window` tokens of prompt and answer
  std::uint32_t in_answer = 0;  // times in the whole answer
};

// The counts of one sequence. Adding allocates nothing.
class TokenHistory {
 public:
  // Keeps nothing: for requests without penalties.
  TokenHistory() = default;

  // For ids below `vocab_size`; `window` tokens back count for in_window, 0 means all of them.
  TokenHistory(std::size_t vocab_size, std::size_t window);

  // Takes in the prompt, in order; call before the first add_sampled.
  void add_prompt(std::span<const std::int32_t> tokens);

  // Takes in the next token of the answer.
  void add_sampled(std::int32_t token);

  // Every token with a count above zero, each once, in no particular order.
  [[nodiscard]] std::span<const TokenCount> counts() const { return counts_; }

 private:
  TokenCount& count_of(std::int32_t token);
  void enter_window(std::int32_t token);
  void leave_window(std::int32_t token);

  std::vector<std::int32_t> index_;  // [vocab_size] where a token stands in counts_, or kAbsent
  std::vector<TokenCount> counts_;   // capacity vocab_size; untouched pages of it cost nothing
  std::vector<std::int32_t> ring_;   // [window] the tokens in the window, oldest at next_ when full
  std::size_t next_ = 0;
  bool full_ = false;
};

}  // namespace notso
