// The command line's frame: every subcommand adds itself to the parser and leaves the function that
// runs it.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "base/result.h"

namespace notso {

// Process exit codes: success, the work failed, the command line was wrong.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;

// The chosen subcommand's work, set by CLI11's callback; main runs it after parsing.
struct CommandRunner {
  std::function<int()> run;
};

// Prints "notso: <message>" on stderr and returns the exit code for it: 2 for kInvalidArgument that
// concerns the command line is CLI11's own affair, so this is always kExitFailure.
int report_error(const Error& error);

// Each adds one subcommand (its file is named after it).
void add_inspect_command(CLI::App& app, CommandRunner& runner);
void add_synth_command(CLI::App& app, CommandRunner& runner);
void add_tokenize_commands(CLI::App& app, CommandRunner& runner);
void add_chat_command(CLI::App& app, CommandRunner& runner);
void add_generate_command(CLI::App& app, CommandRunner& runner);
void add_score_command(CLI::App& app, CommandRunner& runner);
void add_bench_command(CLI::App& app, CommandRunner& runner);
void add_serve_bench_command(CLI::App& app, CommandRunner& runner);
void add_render_command(CLI::App& app, CommandRunner& runner);
void add_serve_command(CLI::App& app, CommandRunner& runner);
void add_config_command(CLI::App& app, CommandRunner& runner);
void add_key_command(CLI::App& app, CommandRunner& runner);
void add_pull_command(CLI::App& app, CommandRunner& runner);
void add_models_commands(CLI::App& app, CommandRunner& runner);
void add_doctor_command(CLI::App& app, CommandRunner& runner);
void add_shell_commands(CLI::App& app, CommandRunner& runner);

}  // namespace notso
