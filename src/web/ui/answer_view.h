// One answer as the page shows it: thoughts, tool cards and text in the order in which they came,
// the status above and what is offered below. It is made of stored messages, or grows by the events
// of a running turn; both ways lead to the same elements with the same ids, so a page may be drawn
// by one and go on by the other.
//
// The elements: #m-ID the whole, #s-ID the status, #p-ID the parts, #p-ID-N each of them, #e-ID the
// end, #f-ID the suggestions; ID is the first message of the answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "service/template/value.h"
#include "service/turns/turn_service.h"
#include "web/ui/markdown.h"
#include "web/ui/pages.h"

namespace notso::ui {

// Replaces, adds to or changes an element of the page: one piece of a streamed message.
void append_partial(std::string& html, std::string_view target, std::string_view swap,
                    std::string_view content);

// Counts and times as names with texts, for the opened status pill.
[[nodiscard]] jinja::Value usage_facts(const Usage& usage, const std::string& model);

// One answer.
class AnswerView {
 public:
  // `chat_id` and `branches` are for the addresses and buttons at its end. `seconds` is a clock
  // that never goes back.
  AnswerView(std::string chat_id, std::int64_t answer_id, std::function<double()> seconds);

  // Takes in the answer's stored messages: assistant's and tools', in order.
  void read(std::span<const StoredMessage* const> messages);

  // Take in what a running turn does.
  void apply(const TurnStatus& status);
  void apply(const ThinkingDelta& delta);
  void apply(const ContentDelta& delta);
  void apply(const ToolCallDelta& delta);
  void apply(const ToolResult& result);
  void apply(const Warning& warning);
  void apply(const TurnSaved& saved);
  void apply(const TurnFollowups& followups);
  // Has changes() tell the suggestions, for a page that may have been made before they were.
  void redraw_followups() { followups_changed_ = !followups_.empty(); }

  // The page's buttons for other versions of the answer; "" where it is the only one.
  void set_branches(jinja::Value branches) { branches_ = std::move(branches); }

  [[nodiscard]] std::int64_t id() const { return id_; }
  [[nodiscard]] bool running() const { return running_; }
  // How much Markdown the next look draws again.
  [[nodiscard]] std::size_t open_bytes() const;

  // All of it, as the variable `a` of answer.html. What is told here is not told by changes().
  [[nodiscard]] jinja::Value value();

  // What has changed since the last look, as pieces of a streamed message; "" for nothing.
  [[nodiscard]] Result<std::string> changes(const Pages& pages);

 private:
  enum class Kind : std::uint8_t { kThinking, kTool, kContent };
  struct Part {
    Kind kind = Kind::kContent;
    std::string id;
    std::string text;     // of a thought: what the page has; of a tool: its arguments
    std::string fresh;    // of a thought: what it has not
    std::string name;     // of a tool
    std::string call_id;  // of a tool
    std::string result;   // of a tool
    std::string closed;   // of content: HTML of its closed blocks, until it is shown
    std::string tail;     // of content: HTML of the open one
    MarkdownStream markdown;
    bool shown = false;
    bool redraw = false;  // of a tool or a folded thought
    bool has_result = false;
    bool open = false;  // of a thought: being thought
  };

  Part& part_for(Kind kind);
  void close_thought();
  void end();
  void read_message(const StoredMessage& message);
  void take_state(const StoredMessage& message);
  [[nodiscard]] jinja::Dict frame_value();
  [[nodiscard]] jinja::Value part_value(Part& part);
  [[nodiscard]] jinja::Value pill_value() const;
  [[nodiscard]] std::string pill_label() const;
  [[nodiscard]] Result<std::string> draw(const Pages& pages, const std::string& name,
                                         jinja::Value part);
  Status add_part_changes(const Pages& pages, Part& part, std::string& html);
  static MarkdownUpdate look(Part& part);

  std::string chat_id_;
  std::int64_t id_;
  std::int64_t last_id_;
  std::function<double()> seconds_;
  std::vector<Part> parts_;
  std::vector<std::string> warnings_;
  std::vector<std::string> followups_;
  jinja::Value branches_;
  TurnStatus status_;
  Usage usage_;  // of all messages that are over
  std::string model_;
  std::string error_;  // set: it failed
  std::string note_;   // set: it ended early, and may go on
  bool running_ = false;
  bool status_changed_ = false;
  bool end_changed_ = false;
  bool followups_changed_ = false;
  std::int32_t live_tokens_ = 0;
  double live_since_ = 0;  // when the first token came
  double pill_drawn_at_ = 0;
};

}  // namespace notso::ui
