// An answer on the terminal: content as it comes, thoughts dimmed or folded to one line, calls and
// warnings as notes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "app/progress.h"
#include "service/chat/message.h"

namespace notso {

// How answers are shown.
struct ChatViewOptions {
  bool color = true;
  bool show_thinking = true;
  bool interactive = true;  // somebody watches; else only the content is printed
  bool quiet = false;       // no speed line
};

// Shows answers one after the other. Content goes to standard output, notes to standard error.
class ChatView {
 public:
  explicit ChatView(ChatViewOptions options) : options_(options) {}

  // May be changed between answers.
  [[nodiscard]] ChatViewOptions& options() { return options_; }

  // The prompt is being read.
  void progress(std::int32_t done, std::int32_t total);
  // The events of one token.
  void show(std::span<const ChatEvent> events);
  // A line that was asked for.
  void print(std::string_view text) const;
  // A line about the conversation, dimmed, for whoever watches.
  void note(std::string_view text) const;
  // A line about something that went wrong.
  void problem(std::string_view text) const;

 private:
  enum class Part { kNone, kThinking, kContent, kCall };

  void show_event(const ThinkingDelta& thinking);
  void show_event(const ContentDelta& content);
  void show_event(const ToolCallDelta& call);
  void show_event(const Warning& warning);
  void show_event(const Finished& finished);
  void enter(Part part);
  void leave();
  void write(std::string_view text);
  void begin_dim() const;
  void end_dim() const;

  ChatViewOptions options_;
  std::unique_ptr<ProgressBar> reading_;
  Part part_ = Part::kNone;
  bool line_open_ = false;            // the last character shown was no newline
  std::int32_t thinking_pieces_ = 0;  // of a folded thought
};

// The text without what could steer a terminal: control characters other than newline and tab come
// out as U+FFFD.
[[nodiscard]] std::string harmless(std::string_view text);

}  // namespace notso
