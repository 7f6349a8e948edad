#include "service/chat/stream_buffer.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <utility>

namespace notso {
namespace {

// The text of a delta that a person reads, or null.
std::string* readable_text(ChatEvent& event) {
  if (auto* thinking = std::get_if<ThinkingDelta>(&event)) return &thinking->text;
  if (auto* content = std::get_if<ContentDelta>(&event)) return &content->text;
  return nullptr;
}

// Appends `next` to `last` where both are parts of the same text.
bool join(ChatEvent& last, const ChatEvent& next) {
  if (last.index() != next.index()) return false;
  if (const auto* call = std::get_if<ToolCallDelta>(&next)) {
    auto& before = std::get<ToolCallDelta>(last);
    if (before.index != call->index || !call->id.empty()) return false;
    before.arguments_delta += call->arguments_delta;
    return true;
  }
  ChatEvent copy = next;
  std::string* text = readable_text(copy);
  if (text == nullptr) return false;
  *readable_text(last) += *text;
  return true;
}

bool ends_block(std::string_view text) {
  constexpr std::array<std::string_view, 8> kEnds = {"\n\n", ".", "!", "?", "…", "。", "！", "？"};
  while (text.ends_with(' ') || text.ends_with('"') || text.ends_with(')')) text.remove_suffix(1);
  return std::any_of(kEnds.begin(), kEnds.end(),
                     [text](std::string_view end) { return text.ends_with(end); });
}

}  // namespace

SecondsClock steady_clock() {
  return [] {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double>(now).count();
  };
}

StreamBuffer::StreamBuffer(StreamBufferOptions options, SecondsClock clock)
    : options_(options), clock_(std::move(clock)) {}

// Whether the event wants to go at once.
bool StreamBuffer::add(const ChatEvent& event) {
  if (waiting_.empty()) waiting_since_ = clock_();
  if (waiting_.empty() || !join(waiting_.back(), event)) waiting_.push_back(event);
  if (std::holds_alternative<ToolCallDelta>(event)) return false;
  const std::string* text = readable_text(waiting_.back());
  return text == nullptr || ends_block(*text);
}

void StreamBuffer::push(std::span<const ChatEvent> events, std::vector<ChatEvent>& out) {
  ++tokens_;
  bool now = !options_.buffered || !started_ || tokens_ >= options_.tokens_max;
  for (const ChatEvent& event : events) now |= add(event);
  if (now) {
    flush(out);
  } else {
    poll(out);
  }
}

void StreamBuffer::poll(std::vector<ChatEvent>& out) {
  if (const auto due = due_in_s(); due && *due <= 0) flush(out);
}

std::optional<double> StreamBuffer::due_in_s() const {
  if (waiting_.empty()) return std::nullopt;
  return std::max(0.0, waiting_since_ + options_.seconds_max - clock_());
}

void StreamBuffer::flush(std::vector<ChatEvent>& out) {
  tokens_ = 0;
  started_ |= !waiting_.empty();
  out.insert(out.end(), std::make_move_iterator(waiting_.begin()),
             std::make_move_iterator(waiting_.end()));
  waiting_.clear();
}

}  // namespace notso
