#include "web/ui/export.h"

#include <algorithm>

#include "web/ui/views.h"

namespace notso::ui {
namespace {

// A fence longer than any run of backticks in `text`.
std::string fence_for(std::string_view text) {
  std::size_t longest = 0;
  std::size_t run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return std::string(std::max<std::size_t>(3, longest + 1), '`');
}

void append_code(std::string& out, std::string_view language, const std::string& text) {
  const std::string fence = fence_for(text);
  out += fence;
  out += language;
  out += "\n" + text + "\n" + fence + "\n\n";
}

void append_quote(std::string& out, const std::string& text) {
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    out += "> " + text.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
  out += "\n";
}

}  // namespace

std::string export_markdown(std::string_view title, const Transcript& transcript) {
  std::string out = "# " + title_of(std::string(title)) + "\n\n";
  for (const Turn& turn : transcript.turns()) {
    if (turn.question != nullptr) out += "## You\n\n" + turn.question->message.content + "\n\n";
    if (!turn.answers.empty()) out += "## Answer\n\n";
    for (const StoredMessage* answer : turn.answers) {
      const Message& message = answer->message;
      if (message.role == Role::kTool) {
        out += "Result:\n\n";
        append_code(out, "", message.content);
        continue;
      }
      if (!message.reasoning.empty()) append_quote(out, message.reasoning);
      if (!message.content.empty()) out += message.content + "\n\n";
      for (const ToolCall& call : message.tool_calls) {
        out += "Called `" + call.name + "`:\n\n";
        append_code(out, "json", call.arguments);
      }
      if (answer->state == MessageState::kStopped) out += "*(stopped)*\n\n";
      if (answer->state == MessageState::kFailed) out += "*(broke off)*\n\n";
    }
  }
  return out;
}

std::string export_text(std::string_view title, const Transcript& transcript) {
  std::string out = title_of(std::string(title)) + "\n\n";
  for (const Turn& turn : transcript.turns()) {
    if (turn.question != nullptr) out += "You:\n" + turn.question->message.content + "\n\n";
    if (!turn.answers.empty()) out += "Answer:\n" + answer_text(turn) + "\n\n";
  }
  return out;
}

std::string export_name(std::string_view title, std::string_view extension) {
  constexpr std::size_t kNameBytesMax = 60;
  std::string name;
  for (const char c : title) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (plain) {
      name += c;
    } else if (!name.empty() && name.back() != '-') {
      name += '-';
    }
    if (name.size() == kNameBytesMax) break;
  }
  while (!name.empty() && name.back() == '-') name.pop_back();
  return (name.empty() ? "chat" : name) + "." + std::string(extension);
}

std::string answer_text(const Turn& turn) {
  std::string text;
  for (const StoredMessage* answer : turn.answers) {
    if (answer->message.role != Role::kAssistant || answer->message.content.empty()) continue;
    if (!text.empty()) text += "\n\n";
    text += answer->message.content;
  }
  return text;
}

}  // namespace notso::ui
