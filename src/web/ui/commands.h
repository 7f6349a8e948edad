// The slash commands: one table for the menu, the help and the reading of what was sent.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace notso::ui {

// Which command.
enum class CommandKind : std::uint8_t {
  kClear,
  kReset,
  kExport,
  kThinking,
  kTemp,
  kModel,
  kHelp,
  kStatus,
  kTheme,
  kSettings,
  kQuote,
  kSummarize,
  kContinue,
  kRegenerate,
};

// A command as the menu and the help show it.
struct Command {
  CommandKind kind;
  std::string_view name;      // without the slash
  std::string_view argument;  // what may follow; "": nothing
  std::string_view help;
  bool needs_chat;  // makes no sense before the first message
};

// All of them, in the menu's order.
[[nodiscard]] std::span<const Command> commands();

// What a text is.
struct ParsedCommand {
  enum class What : std::uint8_t { kText, kCommand, kUnknown };
  What what = What::kText;
  const Command* command = nullptr;  // kCommand
  std::string name;                  // kUnknown: as it was typed, without the slash
  std::string argument;              // trimmed
};

// A text is a command if it begins with a slash and a word of letters and nothing but a space, or
// the end, follows that: "/usr/bin" is not one.
[[nodiscard]] ParsedCommand parse_command(std::string_view text);

// What /quote streams: John 1:1-14 in the King James Version.
[[nodiscard]] std::string_view quoted_text();

}  // namespace notso::ui
