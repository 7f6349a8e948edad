#include "service/engine/draft_index.h"

#include <algorithm>

#include "base/check.h"

namespace notso {
namespace {

constexpr int kChainMax = 8;  // links that a lookup follows
constexpr std::size_t kSlotsMin = 1024;

}  // namespace

// The slot of the kDraftMatchMin tokens before `end`.
std::size_t DraftIndex::slot_of(const std::int32_t* end) const {
  std::uint64_t hash = 0;
  for (std::int32_t i = 1; i <= kDraftMatchMin; ++i) {
    hash = (hash + static_cast<std::uint32_t>(end[-i])) * 0x9E3779B97F4A7C15U;
    hash ^= hash >> 29U;
  }
  return static_cast<std::size_t>(hash) & (newest_.size() - 1);
}

void DraftIndex::extend(std::span<const std::int32_t> tokens) {
  NOTSO_DCHECK(tokens.size() >= size());
  if (tokens.size() > newest_.size()) {
    std::size_t slots = std::max(newest_.size(), kSlotsMin);
    while (slots < tokens.size() + tokens.size() / 2) slots *= 2;
    rebuild(tokens, slots);
  }
  for (std::size_t count = size() + 1; count <= tokens.size(); ++count) enter(tokens, count);
}

void DraftIndex::rebuild(std::span<const std::int32_t> tokens, std::size_t slots) {
  newest_.assign(slots, 0);
  previous_.clear();
  previous_.reserve(slots);
  for (std::size_t count = 1; count <= tokens.size(); ++count) enter(tokens, count);
}

// Enters the position after the first `count` tokens.
void DraftIndex::enter(std::span<const std::int32_t> tokens, std::size_t count) {
  if (count < static_cast<std::size_t>(kDraftMatchMin)) {
    previous_.push_back(0);
    return;
  }
  std::int32_t& newest = newest_[slot_of(tokens.data() + count)];
  previous_.push_back(newest);
  newest = static_cast<std::int32_t>(count);
}

Draft DraftIndex::find(std::span<const std::int32_t> tokens, std::int32_t most) const {
  NOTSO_DCHECK(tokens.size() == size());
  Draft best;
  if (most < 1 || size() < static_cast<std::size_t>(kDraftMatchMin)) return best;
  const auto end = static_cast<std::int32_t>(tokens.size());
  std::int32_t at = previous_.back();
  for (int link = 0; link < kChainMax && at > 0; ++link) {
    const std::int32_t longest = std::min(at, kDraftMatchMax);
    std::int32_t match = 0;
    while (match < longest && tokens[static_cast<std::size_t>(at - 1 - match)] ==
                                  tokens[static_cast<std::size_t>(end - 1 - match)]) {
      ++match;
    }
    if (match >= kDraftMatchMin && match > best.match) {
      best = {at, match, std::min(most, end - at)};
    }
    at = previous_[static_cast<std::size_t>(at - 1)];
  }
  return best;
}

}  // namespace notso
