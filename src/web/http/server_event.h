// Server-sent events, as the HTML standard defines them: an event is lines "field: value" and an
// empty line. Data is split at its line ends into several data lines, so that no text can end an
// event or begin a field of its own; names and ids have no line ends.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "web/http/message.h"

namespace notso::http {

// One event; what is empty is left out, but for data.
struct ServerEvent {
  std::string id;
  std::string name;
  std::string data;
};

// The event's lines, ready to send.
[[nodiscard]] std::string to_text(const ServerEvent& event);

// The number in Last-Event-ID, or in the parameter "last_event_id" for clients that cannot set
// headers; nothing if there is none.
[[nodiscard]] std::optional<std::uint64_t> last_event_id(const Request& request);

}  // namespace notso::http
