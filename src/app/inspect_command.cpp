// notso inspect FILE [--json]: what is in a GGUF file.
#include <cstdio>
#include <memory>
#include <string>

#include "app/command.h"
#include "app/inspect_report.h"

namespace notso {
namespace {

struct InspectOptions {
  std::string path;
  bool json = false;
};

int inspect(const InspectOptions& options) {
  const auto file = GgufFile::open(options.path);
  if (!file) return report_error(file.error());
  const std::string report = options.json ? inspect_json(**file) : inspect_text(**file);
  std::fwrite(report.data(), 1, report.size(), stdout);
  return kExitOk;
}

}  // namespace

void add_inspect_command(CLI::App& app, CommandRunner& runner) {
  const auto options = std::make_shared<InspectOptions>();
  CLI::App* const command = app.add_subcommand(
      "inspect", "Show a GGUF file: metadata, tensors, sizes, memory for a context");
  command->add_option("FILE", options->path, "The .gguf file")->required();
  command->add_flag("--json", options->json, "Write one JSON object instead of text");
  command->callback([options, &runner] { runner.run = [options] { return inspect(*options); }; });
}

}  // namespace notso
