#include "app/setting_flags.h"

#include <algorithm>

namespace notso {
namespace {

// "Server" for "server.port": the heading in --help.
std::string group_name(const SettingInfo& info) {
  const std::string_view key = info.key;
  std::string name(key.substr(0, key.find('.')));
  name.front() = static_cast<char>(name.front() - 32);
  return name;
}

// "TYPE:{f16,q8_0}", as the parser shows a choice, or "PORT".
std::string type_name(const SettingInfo& info) {
  std::string name = info.value_name;
  if (*info.choices == '\0') return name;
  name += ":{" + std::string(info.choices) + "}";
  std::replace(name.begin(), name.end(), ' ', ',');
  return name;
}

// What is wrong with a flag's value; "": nothing. The parser takes whatever comes next, so a value
// that was forgotten looks like the flag after it.
std::string problem_of(const SettingInfo& info, const std::string& value) {
  const bool is_flag =
      value.size() > 1 && value[0] == '-' && value[1] != '.' && (value[1] < '0' || value[1] > '9');
  if (is_flag) return "the value is missing, since '" + value + "' is a flag";
  Settings scratch;
  const auto set = set_setting(scratch, info, value);
  return set ? "" : set.error().message;
}

void add_switch(CLI::App& command, SettingFlags& flags, const SettingInfo& info, bool is_on) {
  const std::string name(std::string_view(info.flag).substr(2));
  // Help shows the form that changes the default; the other one undoes a configuration file.
  const auto add = [&](const std::string& flag, const char* value, bool shown) {
    command
        .add_flag_callback(
            flag, [&flags, &info, value] { flags.values[info.key] = {value}; },
            shown ? (is_on ? "Not: " : "") + std::string(info.help) : "")
        ->group(shown ? group_name(info) : "");
  };
  add("--" + name, "on", !is_on);
  add("--no-" + name, "off", is_on);
}

}  // namespace

void add_setting_flags(CLI::App& command, SettingFlags& flags) {
  command.add_option("--config", flags.config_path, "The configuration file")->type_name("FILE");
  const Settings defaults;
  for (const SettingInfo& info : setting_table()) {
    if (const auto* m = std::get_if<bool Settings::*>(&info.member)) {
      add_switch(command, flags, info, defaults.*(*m));
      continue;
    }
    const std::string text = setting_text(defaults, info);
    const bool is_list = std::holds_alternative<std::vector<std::string> Settings::*>(info.member);
    command
        .add_option_function<std::vector<std::string>>(
            info.flag,
            [&flags, &info](const std::vector<std::string>& values) {
              flags.values[info.key] = values;
            },
            std::string(info.help) +
                (text.empty() || text == "0" || is_list ? "" : " [" + text + "]"))
        ->type_name(type_name(info))
        ->type_size(1)
        ->expected(1, is_list ? 64 : 1)
        ->check([&info](const std::string& value) { return problem_of(info, value); })
        ->multi_option_policy(is_list ? CLI::MultiOptionPolicy::TakeAll
                                      : CLI::MultiOptionPolicy::TakeLast)
        ->group(group_name(info));
  }
}

}  // namespace notso
