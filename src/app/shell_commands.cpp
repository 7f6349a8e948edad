// notso completion, notso man: what shells and man want to know, from the parser's own tree.
#include <cstdio>
#include <memory>
#include <string>

#include "app/build_facts.h"
#include "app/cli_tree.h"
#include "app/command.h"
#include "app/completion.h"
#include "app/man_page.h"

namespace notso {
namespace {

int print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  return kExitOk;
}

int complete(const CLI::App& app, const std::string& shell) {
  const CliCommand root = read_cli_tree(app);
  if (shell == "bash") return print(bash_completion(root));
  return print(shell == "zsh" ? zsh_completion(root) : fish_completion(root));
}

}  // namespace

void add_shell_commands(CLI::App& app, CommandRunner& runner) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* const completion =
      app.add_subcommand("completion", "Write the completion script of a shell");
  completion->add_option("SHELL", *shell, "The shell")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->required();
  completion->footer(
      "bash: source <(notso completion bash)\n"
      "zsh:  notso completion zsh >FOLDER/_notso, with a FOLDER of $fpath\n"
      "fish: notso completion fish >~/.config/fish/completions/notso.fish");
  completion->callback(
      [shell, &app, &runner] { runner.run = [shell, &app] { return complete(app, *shell); }; });

  CLI::App* const man = app.add_subcommand("man", "Write the manual page; 'notso man | man -l -'");
  man->callback([&app, &runner] {
    runner.run = [&app] { return print(man_page(read_cli_tree(app), program_version())); };
  });
}

}  // namespace notso
