// The command line as data: what the parser accepts, read from the parser itself. Completions and
// the manual page are written from it, so that they cannot say anything else.
#pragma once

#include <string>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): the library's
class App;
}

namespace notso {

// What the value of an option or an argument is, as far as a shell can help with it. A model may be
// named or be a file; a held one is in the models folder and has a name only.
enum class ValueKind { kNone, kText, kFile, kFolder, kModel, kHeldModel, kChoice };

// One option ("--ctx") or argument ("FILE").
struct CliOption {
  std::vector<std::string> names;  // "-m", "--model"; for an argument none
  std::string value;               // how the value is called: "FILE.gguf"; "" for a switch
  ValueKind kind = ValueKind::kNone;
  std::vector<std::string> choices;
  std::string help;
  std::string otherwise;  // the default, as text; "" if none is shown
  bool required = false;
};

// One command with what it takes.
struct CliCommand {
  std::string name;
  std::string help;
  std::vector<CliOption> options;
  std::vector<CliOption> arguments;
  std::vector<CliCommand> commands;
};

// Reads a parser. Hidden commands and options (those of an empty group) are left out.
[[nodiscard]] CliCommand read_cli_tree(const CLI::App& app);

}  // namespace notso
