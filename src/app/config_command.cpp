// notso config: what holds, and where it comes from.
#include <cstdio>
#include <memory>

#include "app/command.h"
#include "app/setting_flags.h"
#include "base/json_text.h"

namespace notso {
namespace {

struct ConfigArguments {
  SettingFlags flags;
  bool json = false;
  bool defaults = false;
  bool markdown = false;
};

void print_text(const ResolvedSettings& resolved) {
  std::size_t name_width = 0;
  std::size_t value_width = 0;
  for (const SettingInfo& info : setting_table()) {
    name_width = std::max(name_width, std::string_view(info.key).size());
    value_width = std::max(value_width, setting_toml(resolved.settings, info).size());
  }
  value_width = std::min<std::size_t>(value_width, 40);
  for (const SettingInfo& info : setting_table()) {
    std::printf("%-*s = %-*s  # %s\n", static_cast<int>(name_width), info.key,
                static_cast<int>(value_width), setting_toml(resolved.settings, info).c_str(),
                resolved.sources.at(info.key).c_str());
  }
}

void print_json(const ResolvedSettings& resolved) {
  std::string out = "{";
  for (const SettingInfo& info : setting_table()) {
    out += out.size() == 1 ? "\n  " : ",\n  ";
    append_json_string(out, info.key);
    // TOML's values of these types are JSON's.
    out += ": {\"value\": " + setting_toml(resolved.settings, info) + ", \"source\": ";
    append_json_string(out, resolved.sources.at(info.key));
    out += "}";
  }
  std::printf("%s\n}\n", out.c_str());
}

int config(const ConfigArguments& arguments) {
  if (arguments.defaults || arguments.markdown) {
    const std::string text = arguments.defaults ? default_config_toml() : settings_markdown();
    std::fputs(text.c_str(), stdout);
    return kExitOk;
  }
  const auto resolved =
      resolve_settings(arguments.flags.values, process_environment(), arguments.flags.config_path);
  if (!resolved) return report_error(resolved.error());
  for (const std::string& line : mistyped_variables(environ)) {
    std::fprintf(stderr, "notso: %s\n", line.c_str());
  }
  if (arguments.json) {
    print_json(*resolved);
  } else {
    print_text(*resolved);
  }
  return kExitOk;
}

}  // namespace

void add_config_command(CLI::App& app, CommandRunner& runner) {
  const auto arguments = std::make_shared<ConfigArguments>();
  CLI::App* const command =
      app.add_subcommand("config", "Show the settings of `notso serve` and where each comes from");
  command->footer(
      "Takes the flags of `notso serve`, to show what they would do. Example:\n"
      "  mkdir -p ~/.config/notso && notso config --defaults > ~/.config/notso/config.toml");
  CLI::Option* const json = command->add_flag("--json", arguments->json, "As JSON");
  command
      ->add_flag("--defaults", arguments->defaults,
                 "Print a configuration file with every setting, explained")
      ->excludes(json);
  command
      ->add_flag("--markdown", arguments->markdown,
                 "Print the settings as the tables of docs/configuration.md")
      ->excludes(json);
  add_setting_flags(*command, arguments->flags);
  command->callback(
      [arguments, &runner] { runner.run = [arguments] { return config(*arguments); }; });
}

}  // namespace notso
