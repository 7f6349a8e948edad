// What a page that watches a conversation is sent: the events of its turns as pieces of HTML.
//
// The page says what it shows. A new turn is appended where it follows that; where it does not (a
// question was edited, another tab chose another branch), the whole list is sent, and the page
// changes only what differs. Once a turn is drawn, only what changes in it is sent.
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

// What a page says that it shows.
struct ShownPage {
  std::int64_t first = 0;  // its oldest turn; 0: it has none
  std::int64_t last = 0;   // the first message of its newest answer, or the question before it
  bool old = false;        // it has lost its connection, or was made while an answer was running
};

// One page's stream.
class ChatStream {
 public:
  // `now` is the conversation as it is stored.
  ChatStream(std::shared_ptr<const Pages> pages, SessionId chat, Transcript now, ShownPage shown,
             SecondsClock seconds);

  // Brings a page up to date that shows another path, or may be old.
  Status catch_up();

  // Whether the event needs set_transcript() with the conversation as it is now, before push().
  [[nodiscard]] bool needs_transcript(const TurnEvent& event) const;
  void set_transcript(Transcript transcript) { now_ = std::move(transcript); }

  // Sends the title to wherever it is shown.
  void show_title(const std::string& title);

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
  [[nodiscard]] std::int64_t leaf_of(std::int64_t last) const;
  Status show_all();
  void release(std::vector<ChatEvent>& events);
  Status begin_turn(const TurnEvent& event);
  Status draw_turn(const Turn& turn);

  std::shared_ptr<const Pages> pages_;
  SessionId chat_;
  Transcript now_;
  ShownPage page_;
  std::int64_t shown_leaf_;  // where the page's path ends
  StreamBuffer buffer_;
  std::function<double()> seconds_;
  std::unique_ptr<AnswerView> view_;
  std::set<std::int64_t> view_messages_;  // the turn's answers that are known
  std::set<std::int64_t> elsewhere_;      // answers of branches that are not shown
  std::deque<std::string> pending_;       // updates that come before the answer's changes
  std::uint64_t event_id_ = 0;
  bool ended_ = false;
  bool all_taken_ = true;
};

}  // namespace notso::ui
