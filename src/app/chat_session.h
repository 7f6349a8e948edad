// One conversation at the terminal: its messages and settings, and the slash commands that change
// them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/chat_view.h"
#include "base/result.h"
#include "service/chat/answer.h"
#include "service/chat/message.h"
#include "service/chat/prompt.h"

namespace notso {

// What a chat starts with.
struct ChatSettings {
  AnswerOptions answer;
  std::string system;
  std::optional<bool> thinking;  // unset: as the template has it
  bool tools = false;            // the built-in calculator and clock
};

// The conversation. `answerer` and `view` must outlive it.
class ChatSession {
 public:
  // After a line: go on, or leave.
  enum class Next { kGoOn, kLeave };

  // `context` is the longest conversation in tokens.
  ChatSession(Answerer& answerer, std::shared_ptr<const PromptBuilder> prompts,
              std::int32_t context, ChatSettings settings, ChatView& view);

  // Takes a message, or a command where it begins with a slash ("//" begins a message that begins
  // with one).
  Next take(const std::string& line);

  // Whether any answer failed, or reading or writing a file.
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  struct Command;
  static std::span<const Command> commands();

  void say(std::string text);
  bool respond();
  std::optional<Finished> answer_once(std::span<const Message> messages);
  void call_tools(const Message& answer);
  [[nodiscard]] std::vector<Message> with_system() const;
  [[nodiscard]] PromptOptions prompt_options() const;
  void drop_last_turn(bool with_question);
  Next run_command(std::string_view line);

  Next do_help(std::string_view argument);
  Next do_clear(std::string_view argument);
  Next do_system(std::string_view argument);
  Next do_thinking(std::string_view argument);
  Next do_temperature(std::string_view argument);
  Next do_tools(std::string_view argument);
  Next do_regenerate(std::string_view argument);
  Next do_undo(std::string_view argument);
  Next do_tokens(std::string_view argument);
  Next do_save(std::string_view argument);
  Next do_load(std::string_view argument);
  Next do_quit(std::string_view argument);

  Answerer& answerer_;
  std::shared_ptr<const PromptBuilder> prompts_;
  std::int32_t context_;
  ChatSettings settings_;
  ChatView& view_;
  std::vector<Message> messages_;  // without the system's
  std::size_t calls_made_ = 0;     // of tools, so that call ids differ
  bool failed_ = false;
};

}  // namespace notso
