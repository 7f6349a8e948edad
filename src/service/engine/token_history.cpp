#include "service/engine/token_history.h"

#include "base/check.h"

namespace notso {

namespace {

constexpr std::int32_t kAbsent = -1;

}  // namespace

TokenHistory::TokenHistory(std::size_t vocab_size, std::size_t window)
    : index_(vocab_size, kAbsent), ring_(window) {
  counts_.reserve(vocab_size);
}

void TokenHistory::add_prompt(std::span<const std::int32_t> tokens) {
  for (const std::int32_t token : tokens) enter_window(token);
}

void TokenHistory::add_sampled(std::int32_t token) {
  if (index_.empty()) return;
  ++count_of(token).in_answer;
  enter_window(token);
}

TokenCount& TokenHistory::count_of(std::int32_t token) {
  NOTSO_CHECK(token >= 0 && static_cast<std::size_t>(token) < index_.size());
  std::int32_t& index = index_[static_cast<std::size_t>(token)];
  if (index == kAbsent) {
    index = static_cast<std::int32_t>(counts_.size());
    counts_.push_back({token, 0, 0});
  }
  return counts_[static_cast<std::size_t>(index)];
}

void TokenHistory::enter_window(std::int32_t token) {
  if (index_.empty()) return;
  ++count_of(token).in_window;
  if (ring_.empty()) return;
  if (full_) leave_window(ring_[next_]);
  ring_[next_] = token;
  next_ = (next_ + 1) % ring_.size();
  full_ = full_ || next_ == 0;
}

void TokenHistory::leave_window(std::int32_t token) {
  TokenCount& count = count_of(token);
  --count.in_window;
  if (count.in_window > 0 || count.in_answer > 0) return;
  std::int32_t& index = index_[static_cast<std::size_t>(token)];
  count = counts_.back();
  index_[static_cast<std::size_t>(count.token)] = index;
  counts_.pop_back();
  index = kAbsent;
}

}  // namespace notso
