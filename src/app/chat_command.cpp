// notso chat: a conversation at the terminal, or with what comes through a pipe.

#include <cstdio>
#include <fmt/format.h>
#include <string>
#include <unistd.h>

#include "app/app_paths.h"
#include "app/chat_session.h"
#include "app/command.h"
#include "app/line_editor.h"
#include "app/model_setup.h"
#include "app/sampling_flags.h"
#include "base/environment.h"

namespace notso {
namespace {

struct ChatFlags {
  ModelFlags model;
  ChatSettings settings;
  std::string thinking = "auto";
  std::int32_t thinking_budget = -1;
  bool hide_thinking = false;
  bool no_color = false;
  bool no_history = false;
  bool quiet = false;
};

// Typed lines are kept among the program's state.
std::string history_path() {
  const std::string folder = state_folder();
  return folder.empty() ? "" : folder + "/chat_history";
}

ChatViewOptions view_options(const ChatFlags& flags) {
  ChatViewOptions view;
  view.interactive = isatty(STDOUT_FILENO) == 1;
  view.color = view.interactive && !flags.no_color && environment("NO_COLOR").empty() &&
               environment("TERM") != "dumb";
  view.show_thinking = !flags.hide_thinking;
  view.quiet = flags.quiet;
  return view;
}

void greet(const ChatFlags& flags, const LoadedModel& loaded, const ChatView& view) {
  view.note(fmt::format("{} | {} | context {} tokens", loaded.file->path(),
                        loaded.backend->description(), flags.model.context));
  view.note("/help lists the commands; Ctrl-C stops an answer, Ctrl-D leaves.");
}

Status chat(ChatFlags& flags, bool& failed) {
  auto loaded = load_model(flags.model, 1);
  if (!loaded) return pass_on(loaded);
  const auto vocab = static_cast<std::size_t>(loaded->model->config().vocab);
  if (auto valid = validate(flags.settings.answer.sampling, vocab); !valid) return valid;
  auto prompts = PromptBuilder::from_gguf(*loaded->file, loaded->tokenizer);
  if (!prompts) return pass_on(prompts);
  auto answerer = Answerer::make(*loaded->model, loaded->tokenizer);
  if (!answerer) return pass_on(answerer);
  if (flags.thinking != "auto") flags.settings.thinking = flags.thinking == "on";
  if (flags.thinking_budget >= 0) flags.settings.answer.thinking_budget = flags.thinking_budget;

  ChatView view(view_options(flags));
  LineEditor editor(view.options().color, flags.no_history ? "" : history_path());
  ChatSession session(**answerer, *prompts, flags.model.context, flags.settings, view);
  if (editor.interactive()) {
    handle_interrupts();
    greet(flags, *loaded, view);
  }
  std::string line;
  for (auto outcome = editor.read(line); outcome != LineEditor::Outcome::kEnd;
       outcome = editor.read(line)) {
    if (outcome == LineEditor::Outcome::kInterrupted) continue;
    if (session.take(line) == ChatSession::Next::kLeave) break;
  }
  failed = session.failed() && !editor.interactive();
  return {};
}

}  // namespace

void add_chat_command(CLI::App& app, CommandRunner& runner) {
  static ChatFlags flags;
  CLI::App* command = app.add_subcommand("chat", "Talk to the model");
  command->footer(
      "Examples:\n  notso chat -m model.gguf\n"
      "  echo 'Name three rivers.' | notso chat -m model.gguf --thinking off");
  add_model_flags(*command, flags.model);
  command->add_option("-s,--system", flags.settings.system, "Instructions for the model")
      ->type_name("TEXT");
  command->add_option("--thinking", flags.thinking, "Whether it thinks before it answers")
      ->check(CLI::IsMember({"auto", "on", "off"}))
      ->capture_default_str();
  command->add_option("--thinking-budget", flags.thinking_budget, "Most tokens of a thought")
      ->check(CLI::Range(0, smollm3::kMaxContext))
      ->type_name("TOKENS");
  command
      ->add_option("-n,--max-tokens", flags.settings.answer.max_tokens,
                   "Most tokens of an answer (0: as the context allows)")
      ->check(CLI::Range(0, smollm3::kMaxContext))
      ->capture_default_str();
  command->add_flag("--tools", flags.settings.tools, "Offer it a calculator and a clock");
  command->add_flag("--hide-thinking", flags.hide_thinking, "Fold thoughts to one line");
  command->add_flag("--no-color", flags.no_color, "No colours; NO_COLOR does the same");
  command->add_flag("--no-history", flags.no_history, "Do not keep typed lines for the next time");
  command->add_flag("-q,--quiet", flags.quiet, "No speed line after an answer");
  add_sampling_flags(*command, flags.settings.answer.sampling);
  command->callback([&runner] {
    runner.run = [] {
      bool failed = false;
      const Status done = chat(flags, failed);
      if (!done) return report_error(done.error());
      return failed ? kExitFailure : kExitOk;
    };
  });
}

}  // namespace notso
