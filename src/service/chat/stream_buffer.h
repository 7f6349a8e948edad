// Gathers the deltas of an answer so that a page is not redrawn for each token: the first token
// goes out at once, then 10 tokens or half a second's worth, earlier where a sentence or a block
// ends. Adjoining deltas of the same kind become one; nothing is reordered.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "service/chat/message.h"

namespace notso {

// Seconds on a clock that never goes back.
using SecondsClock = std::function<double()>;

// The system's.
[[nodiscard]] SecondsClock steady_clock();

// When a buffer lets its deltas go.
struct StreamBufferOptions {
  bool buffered = true;  // false: every token at once, as programs want it
  std::int32_t tokens_max = 10;
  double seconds_max = 0.5;
};

// One answer's buffer. The caller's timer polls it, as no token may come to do it.
class StreamBuffer {
 public:
  explicit StreamBuffer(StreamBufferOptions options = {}, SecondsClock clock = steady_clock());

  // Takes in the events of one token (there may be none) and appends to `out` what is to go now. An
  // event that is no delta goes at once, after what was before it.
  void push(std::span<const ChatEvent> events, std::vector<ChatEvent>& out);

  // Appends what has waited long enough.
  void poll(std::vector<ChatEvent>& out);

  // Seconds until poll() will give something; none while nothing waits.
  [[nodiscard]] std::optional<double> due_in_s() const;

  // Appends all that waits.
  void flush(std::vector<ChatEvent>& out);

 private:
  bool add(const ChatEvent& event);

  StreamBufferOptions options_;
  SecondsClock clock_;
  std::vector<ChatEvent> waiting_;
  std::int32_t tokens_ = 0;   // since the last flush
  double waiting_since_ = 0;  // when the first of waiting_ came
  bool started_ = false;      // something has gone out
};

}  // namespace notso
