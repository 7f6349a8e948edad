// notso pull [NAME]: downloads a model.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "app/command.h"
#include "app/download_view.h"
#include "app/line_editor.h"
#include "app/progress.h"
#include "base/bytes_text.h"
#include "service/models/catalogue.h"
#include "service/models/download.h"
#include "service/models/model_downloads.h"
#include "service/models/model_folder.h"

namespace notso {
namespace {

struct PullFlags {
  std::string name;
  std::string sha256;
  std::string folder;
  int connections = 4;
  bool force = false;
  bool list = false;
};

int list_names() {
  for (const CatalogueEntry& entry : catalogue()) {
    std::printf("%-7s %s (%s/%s)\n", std::string(entry.name).c_str(),
                std::string(entry.about).c_str(), std::string(entry.repository).c_str(),
                std::string(entry.file).c_str());
  }
  return kExitOk;
}

// Ends the download when Ctrl-C is pressed.
std::jthread watch_for_interrupt(std::stop_source& stop) {
  handle_interrupts();
  return std::jthread([&stop](const std::stop_token& done) {
    while (!done.stop_requested() && !interrupted) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    if (interrupted) stop.request_stop();
  });
}

void print_report(const std::string& path, const DownloadReport& report) {
  const ModelInfo info = describe_model(path);
  std::printf("%s\n%s, SHA-256 %s, %s\n", path.c_str(), bytes_text(report.bytes).c_str(),
              report.sha256.c_str(),
              report.verified ? "as it should be" : "which nothing was there to compare with");
  std::printf("%s, %d tokens of context, %s of memory with a conversation of %d tokens\n",
              info.type.c_str(), info.context, bytes_text(info.memory_bytes).c_str(),
              kListedContext);
}

// A file that is here already is the wanted one only if it is whole and has the hash that is asked
// for.
int report_existing(const std::string& path, const std::string& sha256) {
  Status fine = check_model_file(path);
  if (fine && !sha256.empty()) {
    ProgressBar bar("checking " + path, "B");
    fine = check_sha256(
        path, sha256, [&bar](std::uint64_t done, std::uint64_t total) { bar.update(done, total); });
  }
  if (!fine) {
    return report_error(
        {fine.error().code, "what is here already is not what is wanted: " + fine.error().message +
                                "; 'notso pull --force' replaces it"});
  }
  std::printf("%s\nis here already; --force downloads it again\n", path.c_str());
  return kExitOk;
}

int pull(const PullFlags& flags) {
  if (flags.list) return list_names();
  const Hub hub = hub_from_environment();
  const auto source = resolve_model_source(flags.name, hub);
  if (!source) return report_error(source.error());
  const std::string folder = flags.folder.empty() ? models_folder() : flags.folder;
  if (const Status made = make_folder(folder); !made) return report_error(made.error());
  const std::string path = (std::filesystem::path(folder) / source->file_name).string();
  std::error_code error;
  if (!flags.force && std::filesystem::exists(path, error)) {
    return report_existing(path, flags.sha256);
  }
  // A limit on the size of files is an error to report, not a signal to die of.
  std::signal(SIGXFSZ, SIG_IGN);
  std::stop_source stop;
  const std::jthread watcher = watch_for_interrupt(stop);
  Result<DownloadReport> report;
  {
    DownloadView view(source->file_name);
    DownloadRequest request = model_request(*source, hub, path);
    if (!flags.sha256.empty()) request.sha256 = flags.sha256;
    request.connections = flags.connections;
    request.progress = [&view](const DownloadProgress& progress) { view.show(progress); };
    request.stop = stop.get_token();
    report = download(request);
  }
  if (!report && interrupted) {
    return report_error({report.error().code,
                         report.error().message + "; the same command goes on where it stopped"});
  }
  if (!report) return report_error(report.error());
  print_report(path, *report);
  return kExitOk;
}

std::string names_as_type() {
  std::string type = "NAME:{";
  for (const CatalogueEntry& entry : catalogue()) {
    if (type.back() != '{') type += ',';
    type += entry.name;
  }
  return type + "}";
}

}  // namespace

void add_pull_command(CLI::App& app, CommandRunner& runner) {
  const auto flags = std::make_shared<PullFlags>();
  CLI::App* const command = app.add_subcommand("pull", "Download a model");
  command
      ->add_option("NAME", flags->name,
                   "A name, hf:organisation/repository/file.gguf, or an address (default: Q4_K_M)")
      ->type_name(names_as_type());
  command->add_option("--sha256", flags->sha256, "The SHA-256 that the file must have")
      ->type_name("HEX");
  command->add_option("--to", flags->folder, "The folder to put it in")->type_name("FOLDER");
  command->add_option("--connections", flags->connections, "Ranges to fetch at once")
      ->check(CLI::Range(1, 16))
      ->capture_default_str();
  command->add_flag("--force", flags->force, "Download it again if it is here already");
  command->add_flag("--list", flags->list, "List the names and where they lead");
  command->footer(
      "HF_ENDPOINT names a mirror of Hugging Face, HF_TOKEN is sent to it and to nobody else.\n"
      "An interrupted download goes on where it stopped when the same is asked for again.");
  command->callback([flags, &runner] { runner.run = [flags] { return pull(*flags); }; });
}

}  // namespace notso
