// The program's entry: one parser, one subcommand a file, exit codes 0 (done), 1 (failed), 2 (wrong
// command line).

#include <cstdio>

#include "app/build_facts.h"
#include "app/command.h"
#include "base/mapped_file.h"

namespace notso {

int report_error(const Error& error) {
  std::fprintf(stderr, "notso: %s\n", error.message.c_str());
  return kExitFailure;
}

namespace {

int run(int argc, char** argv) {
  install_mapped_fault_handler();
  CLI::App app{"notso: a self-contained chat system for the SmolLM3-3B language model"};
  app.require_subcommand(1);
  app.set_version_flag(
      "--version", [] { return version_text(); }, "Print version and facts of the build");
  CommandRunner runner;
  add_chat_command(app, runner);
  add_inspect_command(app, runner);
  add_synth_command(app, runner);
  add_tokenize_commands(app, runner);
  add_generate_command(app, runner);
  add_score_command(app, runner);
  add_bench_command(app, runner);
  add_serve_bench_command(app, runner);
  add_render_command(app, runner);
  add_serve_command(app, runner);
  add_config_command(app, runner);
  add_key_command(app, runner);
  add_pull_command(app, runner);
  add_models_commands(app, runner);
  add_doctor_command(app, runner);
  add_shell_commands(app, runner);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  return runner.run ? runner.run() : kExitUsage;
}

}  // namespace
}  // namespace notso

int main(int argc, char** argv) { return notso::run(argc, argv); }
