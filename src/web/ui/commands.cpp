#include "web/ui/commands.h"

#include <array>

namespace notso::ui {
namespace {

constexpr std::array kCommands = {
    Command{CommandKind::kClear, "clear", "", "Remove the messages of this chat", true},
    Command{CommandKind::kReset, "reset", "", "Make the model forget what was said so far", true},
    Command{CommandKind::kExport, "export", "md|json|txt", "Download this chat", true},
    Command{CommandKind::kThinking, "thinking", "on|off", "Think before answering, or not", false},
    Command{CommandKind::kTemp, "temp", "0.0-2.0", "Set the temperature", false},
    Command{CommandKind::kModel, "model", "", "What runs, and on what", false},
    Command{CommandKind::kHelp, "help", "", "Commands and keys", false},
    Command{CommandKind::kStatus, "status", "", "How the server is doing", false},
    Command{CommandKind::kTheme, "theme", "light|dark", "Light or dark", false},
    Command{CommandKind::kSettings, "settings", "", "Temperature, system prompt and more", false},
    Command{CommandKind::kQuote, "quote", "", "Stream John 1:1-14, as a test", false},
    Command{CommandKind::kSummarize, "summarize", "", "Sum up this chat", true},
    Command{CommandKind::kContinue, "continue", "", "Go on with the last answer", true},
    Command{CommandKind::kRegenerate, "regenerate", "", "Answer the last message again", true},
};

constexpr std::string_view kSpaces = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

}  // namespace

std::span<const Command> commands() { return kCommands; }

ParsedCommand parse_command(std::string_view text) {
  ParsedCommand parsed;
  text = trimmed(text);
  if (text.size() < 2 || text[0] != '/') return parsed;
  std::size_t end = 1;
  while (end < text.size() && ((text[end] | 0x20) >= 'a' && (text[end] | 0x20) <= 'z')) ++end;
  const bool whole = end == text.size() || kSpaces.find(text[end]) != std::string_view::npos;
  if (end == 1 || !whole) return parsed;
  for (const char c : text.substr(1, end - 1)) parsed.name += static_cast<char>(c | 0x20);
  parsed.argument = trimmed(text.substr(end));
  parsed.what = ParsedCommand::What::kUnknown;
  for (const Command& command : kCommands) {
    if (command.name != parsed.name) continue;
    parsed.what = ParsedCommand::What::kCommand;
    parsed.command = &command;
  }
  return parsed;
}

std::string_view quoted_text() {
  return R"(### John 1:1-14

**1** In the beginning was the Word, and the Word was with God, and the Word was God.

**2** The same was in the beginning with God.

**3** All things were made by him; and without him was not any thing made that was made.

**4** In him was life; and the life was the light of men.

**5** And the light shineth in darkness; and the darkness comprehended it not.

**6** There was a man sent from God, whose name was John.

**7** The same came for a witness, to bear witness of the Light, that all men through him might
believe.

**8** He was not that Light, but was sent to bear witness of that Light.

**9** That was the true Light, which lighteth every man that cometh into the world.

**10** He was in the world, and the world was made by him, and the world knew him not.

**11** He came unto his own, and his own received him not.

**12** But as many as received him, to them gave he power to become the sons of God, even to
them that believe on his name:

**13** Which were born, not of blood, nor of the will of the flesh, nor of the will of man, but
of God.

**14** And the Word was made flesh, and dwelt among us, (and we beheld his glory, the glory as
of the only begotten of the Father,) full of grace and truth.

*King James Version*
)";
}

}  // namespace notso::ui
