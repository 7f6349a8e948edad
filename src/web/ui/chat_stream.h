// What a page that watches a conversation is sent: the events of its turns as pieces of HTML.
//
// The page says which leaf it shows. A new turn is appended where it follows that leaf; where it
// does not (a question was edited, another tab chose another branch), the whole list is sent, and
// the page changes only what differs. Once a turn is drawn, only what changes in it is sent.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "service/chat/stream_buffer.h"
#include "web/ui/answer_view.h"
#include "web/ui/pages.h"
#include "web/ui/transcript.h"

namespace notso::ui {

// One page's stream.
class ChatStream {
 public:
  // `shown` is the conversation with the path that the page shows. `old`: what the page shows may
  // be old, as it has lost its connection or was made while an answer was running.
  ChatStream(std::shared_ptr<const Pages> pages, SessionId chat, Transcript shown, bool old,
             SecondsClock seconds);

  // Whether the event needs set_transcript() with the conversation as it is now, before push().
  [[nodiscard]] bool needs_transcript(const TurnEvent& event) const;
  void set_transcript(Transcript transcript) { now_ = std::move(transcript); }

  // Sends the title to wherever it is shown.
  void show_title(const std::string& title);

  // Sends the whole list: for a page whose path is not the conversation's any more.
  Status show_all();

  // Takes in an event. Text waits here until it is worth a redrawing.
  Status push(const TurnEvent& event);
  // Lets go of what has waited long enough.
  void poll();
  // Seconds until poll() would; none while nothing waits.
  [[nodiscard]] std::optional<double> due_in_s() const { return buffer_.due_in_s(); }
  // Seconds that should pass between two updates, so that neither side draws all the time.
  [[nodiscard]] double gap_s() const;

  // The pieces of one update; "" for none. An update finds its places in the page as it was before,
  // so what is drawn inside of a new piece comes with a later one.
  [[nodiscard]] Result<std::string> take();
  // The newest event that was pushed.
  [[nodiscard]] std::uint64_t event_id() const { return event_id_; }
  // Whether a turn ended, with all of it taken, since the last call.
  [[nodiscard]] bool take_ended();

 private:
  void release(std::vector<ChatEvent>& events);
  Status begin_turn(const TurnEvent& event);
  Status draw_turn(const Turn& turn);

  std::shared_ptr<const Pages> pages_;
  SessionId chat_;
  Transcript now_;
  std::int64_t shown_leaf_;
  bool old_;
  StreamBuffer buffer_;
  std::function<double()> seconds_;
  std::unique_ptr<AnswerView> view_;
  std::set<std::int64_t> view_messages_;  // the turn's answers that are known
  std::deque<std::string> pending_;       // updates that come before the answer's changes
  std::uint64_t event_id_ = 0;
  bool ended_ = false;
  bool all_taken_ = true;
};

}  // namespace notso::ui
