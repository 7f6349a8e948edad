// notso models, notso rm: the models on this machine.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/app_paths.h"
#include "app/command.h"
#include "base/bytes_text.h"
#include "base/json_text.h"
#include "service/models/model_folder.h"

namespace notso {
namespace {

using Time = std::chrono::system_clock::time_point;

struct ModelsFlags {
  bool json = false;
  bool names = false;
};

std::string time_text(const std::optional<Time>& time, const char* format) {
  if (!time) return "never";
  const std::time_t seconds = std::chrono::system_clock::to_time_t(*time);
  std::tm parts{};
  localtime_r(&seconds, &parts);
  char text[48];
  return std::string(text, std::strftime(text, sizeof text, format, &parts));
}

void print_table(const std::vector<ModelInfo>& models) {
  std::size_t width = 4;
  for (const ModelInfo& model : models) width = std::max(width, model.name.size());
  const int column = static_cast<int>(width);
  std::printf("%-*s  %10s  %-7s %8s  %10s  %s\n", column, "NAME", "SIZE", "TYPE", "CONTEXT",
              "MEMORY", "LAST USED");
  for (const ModelInfo& model : models) {
    std::printf("%-*s  %10s  ", column, model.name.c_str(), bytes_text(model.bytes).c_str());
    if (!model.problem.empty()) {
      std::printf("cannot be used: %s\n", model.problem.c_str());
      continue;
    }
    std::printf("%-7s %8d  %10s  %s\n", model.type.c_str(), model.context,
                bytes_text(model.memory_bytes).c_str(),
                time_text(model.used, "%Y-%m-%d %H:%M").c_str());
  }
}

void print_json(const std::vector<ModelInfo>& models, const std::vector<PartialModel>& partials) {
  std::string out = "{\"models\": [";
  for (const ModelInfo& model : models) {
    out += out.back() == '[' ? "\n  {\"name\": " : ",\n  {\"name\": ";
    append_json_string(out, model.name);
    out += ", \"path\": ";
    append_json_string(out, model.path);
    out += ", \"bytes\": " + std::to_string(model.bytes) + ", \"type\": ";
    append_json_string(out, model.type);
    out += ", \"context\": " + std::to_string(model.context) +
           ", \"memory_bytes\": " + std::to_string(model.memory_bytes) + ", \"last_used\": ";
    if (model.used) {
      append_json_string(out, time_text(model.used, "%Y-%m-%dT%H:%M:%S%z"));
    } else {
      out += "null";
    }
    out += ", \"problem\": ";
    if (model.problem.empty()) {
      out += "null";
    } else {
      append_json_string(out, model.problem);
    }
    out += "}";
  }
  out += "],\n \"unfinished\": [";
  for (const PartialModel& partial : partials) {
    out += out.back() == '[' ? "{\"name\": " : ", {\"name\": ";
    append_json_string(out, partial.name);
    out += ", \"bytes\": " + std::to_string(partial.bytes) + "}";
  }
  std::printf("%s]}\n", out.c_str());
}

int list(const ModelsFlags& flags) {
  const std::string folder = models_folder();
  const auto models = list_models(folder);
  if (!models) return report_error(models.error());
  const auto partials = list_partial_models(folder);
  if (flags.names) {
    for (const ModelInfo& model : *models) std::printf("%s\n", model.name.c_str());
    return kExitOk;
  }
  if (flags.json) {
    print_json(*models, partials);
    return kExitOk;
  }
  if (models->empty()) {
    if (folder.empty()) {
      std::printf("no folder for models is known; set NOTSO_HOME or HOME\n");
      return kExitOk;
    }
    std::printf("no models in %s; 'notso pull' downloads SmolLM3-3B (1.92 GB)\n", folder.c_str());
  } else {
    print_table(*models);
    std::printf("in %s; MEMORY is for the weights and a conversation of %d tokens\n",
                folder.c_str(), kListedContext);
  }
  for (const PartialModel& partial : partials) {
    std::printf(
        "%s is unfinished (%s so far); the 'notso pull' that began it goes on with it, "
        "'notso rm' drops it\n",
        printable(partial.name).c_str(), bytes_text(partial.bytes).c_str());
  }
  return kExitOk;
}

// Removes a folder with its files; the bytes that it had.
std::uint64_t remove_folder(const std::string& path) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    const auto size = entry->file_size(error);
    if (!error) bytes += size;
  }
  std::filesystem::remove_all(path, error);
  return bytes;
}

int remove(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const auto removed = remove_model(models_folder(), cache_folder(), name);
    if (!removed) return report_error(removed.error());
    const std::uint64_t bytes = removed->bytes + remove_folder(prefixes_folder(removed->path));
    std::printf("removed %s, %s are free again\n", name.c_str(), bytes_text(bytes).c_str());
  }
  return kExitOk;
}

}  // namespace

void add_models_commands(CLI::App& app, CommandRunner& runner) {
  const auto flags = std::make_shared<ModelsFlags>();
  CLI::App* const models = app.add_subcommand("models", "List the models on this machine");
  models->add_flag("--json", flags->json, "Write one JSON object instead of text");
  models->add_flag("--names", flags->names, "Write the names only, one a line");
  models->callback([flags, &runner] { runner.run = [flags] { return list(*flags); }; });

  const auto names = std::make_shared<std::vector<std::string>>();
  CLI::App* const rm =
      app.add_subcommand("rm", "Remove models, or what unfinished downloads of them left");
  rm->add_option("NAME", *names, "Names as 'notso models' shows them")
      ->type_name("MODEL")
      ->required();
  rm->callback([names, &runner] { runner.run = [names] { return remove(*names); }; });
}

}  // namespace notso
