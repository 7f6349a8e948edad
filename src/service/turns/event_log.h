// The latest events of one conversation, for watchers that come later. Private to the turns.
//
// Ids rise by one. The first one comes from the time (milliseconds times 1024, within the whole
// numbers of JavaScript), so that a program that is started again goes on above all ids that a page
// has seen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "service/turns/turn_service.h"

namespace notso {

// Bounded: the oldest events go.
class EventLog {
 public:
  EventLog(std::int64_t unix_ms, std::size_t bytes_max);

  // Gives the event its id and keeps it.
  const TurnEvent& add(TurnEvent event);
  // Whether all events after `id` are here (there may be none).
  [[nodiscard]] bool reaches(std::uint64_t id) const;
  [[nodiscard]] std::uint64_t last_id() const { return last_id_; }
  [[nodiscard]] const std::deque<TurnEvent>& events() const { return events_; }

 private:
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::uint64_t last_id_;
  std::deque<TurnEvent> events_;
};

}  // namespace notso
