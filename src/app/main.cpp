// The program's entry: one parser, one subcommand a file, exit codes 0 (done), 1 (failed), 2 (wrong
// command line).

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <vector>

#include "app/build_facts.h"
#include "app/command.h"
#include "base/json_text.h"
#include "base/mapped_file.h"
#include "base/nearest_name.h"

namespace notso {

int report_error(const Error& error) {
  std::fprintf(stderr, "notso: %s\n", printable(error.message).c_str());
  return kExitFailure;
}

namespace {

// What was printed may still fail to reach its file (a full disk) or may not have reached it
// before. Commands only print; whoever would go on for long looks at it on the way.
int finish_output() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return kExitOk;
  return report_error({ErrorCode::kUnavailable,
                       "the output cannot be written: is the disk full, or nobody reading?"});
}

// The parser asks for a command before it looks at words that it cannot place, so a mistyped one is
// named here. "": that is not what is wrong.
std::string unknown_command(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> words = app.remaining(true);
  if (dynamic_cast<const CLI::RequiredError*>(&error) == nullptr || words.empty()) return "";
  const CLI::App* command = &app;
  std::string line = "notso";
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    line += " " + command->get_name();
  }
  const std::string& word = words.front();
  const std::vector<const CLI::App*> commands = command->get_subcommands({});
  if (commands.empty()) return "";
  std::vector<std::string> names;
  names.reserve(commands.size());
  for (const CLI::App* known : commands) names.push_back(known->get_name());
  const std::vector<std::string_view> views(names.begin(), names.end());
  const auto near = nearest_name(word, views);
  return "there is no " + std::string(word.front() == '-' ? "option" : "command") + " '" + word +
         "' of '" + line + "'" + (near ? "; did you mean '" + std::string(*near) + "'?" : "") +
         "\nRun '" + line + " --help' for what there is.";
}

// A standard stream that came closed stays one that fails, and its number goes to no file of ours.
void occupy_standard_streams() {
  for (const int stream : {0, 1, 2}) {
    if (fcntl(stream, F_GETFD) < 0 && errno == EBADF) {
      static_cast<void>(open("/dev/null", stream == 0 ? O_WRONLY : O_RDONLY));
    }
  }
}

int run(int argc, char** argv) {
  occupy_standard_streams();
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
    if (const std::string what = unknown_command(app, error); !what.empty()) {
      std::fprintf(stderr, "notso: %s\n", what.c_str());
      return kExitUsage;
    }
    return app.exit(error) == 0 ? finish_output() : kExitUsage;
  }
  const int done = runner.run ? runner.run() : kExitUsage;
  const int written = finish_output();
  return done == kExitOk ? written : done;
}

}  // namespace
}  // namespace notso

int main(int argc, char** argv) { return notso::run(argc, argv); }
