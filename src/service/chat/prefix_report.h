// How much of a new prompt the model has read already, and why it is not all of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ml/core/tokenizer/tokenizer.h"
#include "service/chat/prompt.h"

namespace notso {

// What made a prompt begin differently from the one before it.
enum class PrefixBreak : std::uint8_t {
  kTemplate,    // another chat template or model file
  kThinking,    // thinking was switched
  kSystem,      // the system message changed
  kTools,       // the tools changed
  kDate,        // the template writes the date, and it is another day
  kMessage,     // an earlier message was edited, added or removed
  kRetokenised  // a past answer came back as text, and its tokens are not those that were sampled
};

// The comparison of two prompts.
struct PrefixReport {
  std::size_t reused_tokens = 0;     // how many tokens are the same from the start
  std::vector<PrefixBreak> reasons;  // empty if nothing read before is lost
  std::string explanation;           // one sentence; empty if nothing is lost
};

// Compares `now` with what the model has read: `before` and then `written`, the ids it sampled.
[[nodiscard]] PrefixReport compare_prefix(const Tokenizer& tokenizer, const Prompt& before,
                                          std::span<const TokenId> written, const Prompt& now);

}  // namespace notso
