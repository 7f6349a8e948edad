#include "service/turns/event_log.h"

#include <utility>

namespace notso {
namespace {

struct BytesOf {
  std::size_t operator()(const TurnStatus& status) const {
    return status.error.size() + status.tool.size();
  }
  std::size_t operator()(const ThinkingDelta& delta) const { return delta.text.size(); }
  std::size_t operator()(const ContentDelta& delta) const { return delta.text.size(); }
  std::size_t operator()(const ToolCallDelta& delta) const { return delta.arguments_delta.size(); }
  std::size_t operator()(const ToolResult& result) const {
    return result.result.size() + result.call.arguments.size();
  }
  std::size_t operator()(const Warning& warning) const { return warning.text.size(); }
  std::size_t operator()(const TurnSaved& saved) const { return of(saved.message); }
  std::size_t operator()(const TurnFollowups& /*followups*/) const { return 0; }
  std::size_t operator()(const TurnTitle& title) const { return title.title.size(); }
  std::size_t operator()(const TurnSnapshot& snapshot) const { return of(snapshot.message); }

  static std::size_t of(const StoredMessage& stored) {
    return stored.message.content.size() + stored.message.reasoning.size() +
           stored.message.tokens.size() * sizeof(std::int32_t);
  }
};

std::size_t bytes_of(const TurnEvent& event) {
  return sizeof(TurnEvent) + std::visit(BytesOf(), event.what);
}

}  // namespace

EventLog::EventLog(std::int64_t unix_ms, std::size_t bytes_max)
    : bytes_max_(bytes_max), last_id_(static_cast<std::uint64_t>(unix_ms) << 10U) {}

const TurnEvent& EventLog::add(TurnEvent event) {
  event.id = ++last_id_;
  bytes_ += bytes_of(event);
  events_.push_back(std::move(event));
  while (bytes_ > bytes_max_ && events_.size() > 1) {
    bytes_ -= bytes_of(events_.front());
    events_.pop_front();
  }
  return events_.back();
}

bool EventLog::reaches(std::uint64_t id) const {
  if (events_.empty()) return id == last_id_;
  return id + 1 >= events_.front().id && id <= last_id_;
}

}  // namespace notso
