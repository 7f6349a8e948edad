// Flags over environment over file over defaults.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <toml++/toml.h>

#include "app/settings.h"
#include "base/json_text.h"
#include "base/nearest_name.h"

namespace notso {
namespace {

namespace fs = std::filesystem;

const SettingInfo* find_setting(std::string_view key) {
  for (const SettingInfo& info : setting_table()) {
    if (info.key == key) return &info;
  }
  return nullptr;
}

// ": did you mean 'server.port'?", or how to see all names.
std::string suggestion(std::string_view key) {
  std::vector<std::string_view> names;
  for (const SettingInfo& info : setting_table()) names.emplace_back(info.key);
  if (const auto near = nearest_name(key, names)) {
    return "; did you mean '" + std::string(*near) + "'?";
  }
  return "; `notso config --defaults` lists all names";
}

// Where in a file a value stands.
std::string place(const std::string& path, const toml::source_region& source) {
  return path + ":" + std::to_string(source.begin.line);
}

// A TOML value as the text that set_setting takes; nothing for tables and dates.
std::optional<std::string> toml_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
  if (node.is_integer() || node.is_floating_point()) {
    std::ostringstream out;
    out << toml::node_view(node);
    return out.str();
  }
  const toml::array* list = node.as_array();
  if (list == nullptr) return std::nullopt;
  std::string text;
  for (const toml::node& part : *list) {
    const auto* name = part.as_string();
    if (name == nullptr || name->get().find(',') != std::string::npos) return std::nullopt;
    text += (text.empty() ? "" : ",") + name->get();
  }
  return text;
}

bool is_list(const SettingInfo& info) {
  return std::holds_alternative<std::vector<std::string> Settings::*>(info.member);
}

Status apply_node(ResolvedSettings& resolved, const std::string& key, const toml::node& node) {
  const std::string where = place(resolved.config_path, node.source());
  const SettingInfo* const info = find_setting(key);
  if (info == nullptr) {
    return fail(ErrorCode::kInvalidArgument,
                where + ": there is no setting '" + key + "'" + suggestion(key));
  }
  const auto text = toml_text(node);
  if (!text || is_list(*info) != node.is_array()) {
    return fail(ErrorCode::kInvalidArgument,
                where + ": '" + key + "' must be " + setting_range(*info));
  }
  if (auto set = set_setting(resolved.settings, *info, *text); !set) {
    return fail(ErrorCode::kInvalidArgument, where + ": '" + key + "': " + set.error().message);
  }
  resolved.sources[key] = where;
  return {};
}

// Debian's build of the library throws, so what it throws ends here.
Result<toml::table> parse_file(const std::string& path) {
  try {
    return toml::parse_file(path);
  } catch (const toml::parse_error& error) {
    return fail(ErrorCode::kInvalidArgument, place(path, error.source()) + ": this is not TOML: " +
                                                 std::string(error.description()));
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInvalidArgument, path + ": cannot be read: " + error.what());
  }
}

Status apply_file(ResolvedSettings& resolved) {
  auto file = parse_file(resolved.config_path);
  if (!file) return pass_on(file);
  for (const auto& [section, node] : *file) {
    const toml::table* const table = node.as_table();
    const std::string name(section.str());
    if (table == nullptr) {
      // A setting outside its section; say the whole name.
      if (auto applied = apply_node(resolved, name, node); !applied) return applied;
      continue;
    }
    for (const auto& [key, value] : *table) {
      auto applied = apply_node(resolved, name + "." + std::string(key.str()), value);
      if (!applied) return applied;
    }
  }
  return {};
}

Status apply_environment(ResolvedSettings& resolved, const Environment& environment) {
  for (const SettingInfo& info : setting_table()) {
    std::string name = environment_name(info);
    std::optional<std::string> value = environment(name);
    if (value.value_or("").empty() && info.environment_alias != nullptr) {
      name = info.environment_alias;
      value = environment(name);
    }
    if (!value || value->empty()) continue;
    if (auto set = set_setting(resolved.settings, info, *value); !set) {
      return fail(ErrorCode::kInvalidArgument,
                  "the environment's " + name + ": " + set.error().message);
    }
    resolved.sources[info.key] = "environment " + name;
  }
  return {};
}

Status apply_flags(ResolvedSettings& resolved, const FlagValues& flags) {
  for (const SettingInfo& info : setting_table()) {
    const auto given = flags.find(info.key);
    if (given == flags.end() || given->second.empty()) continue;
    std::string text;
    for (const std::string& part : given->second) text += (text.empty() ? "" : ",") + part;
    if (!is_list(info)) text = given->second.back();
    const std::string_view flag = info.flag;
    const std::string name(flag.substr(flag.find("--")));
    if (auto set = set_setting(resolved.settings, info, text); !set) {
      return fail(ErrorCode::kInvalidArgument, name + ": " + set.error().message);
    }
    resolved.sources[info.key] = "flag " + name;
  }
  return {};
}

// What no single row of the table can say.
Status check_together(const ResolvedSettings& resolved) {
  const Settings& settings = resolved.settings;
  if (settings.host.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                resolved.sources.at("server.host") +
                    ": server.host is empty; give the address to listen on, 127.0.0.1 for this "
                    "machine alone or 0.0.0.0 for every one");
  }
  if (settings.tls_certificate.empty() != settings.tls_key.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "--tls-cert and --tls-key go together: give both, or neither for plain HTTP");
  }
  return {};
}

Result<std::string> choose_file(const Environment& environment, const std::string& config_path) {
  std::string path = config_path;
  if (path.empty()) path = environment("NOTSO_CONFIG").value_or("");
  std::error_code ignored;
  if (!path.empty()) {
    if (fs::is_regular_file(path, ignored)) return path;
    return fail(ErrorCode::kNotFound, "there is no configuration file '" + path +
                                          "'; check the path, or write one with "
                                          "`notso config --defaults`");
  }
  for (const std::string& candidate : config_candidates(environment)) {
    if (fs::is_regular_file(candidate, ignored)) return candidate;
  }
  return "";
}

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* const value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

std::vector<std::string> mistyped_variables(const char* const* variables) {
  std::vector<std::string> known = {"NOTSO_HOME", "NOTSO_CONFIG", "NOTSO_CPU"};
  for (const SettingInfo& info : setting_table()) known.push_back(environment_name(info));
  const std::vector<std::string_view> names(known.begin(), known.end());
  std::vector<std::string> lines;
  for (; *variables != nullptr; ++variables) {
    const std::string_view text = *variables;
    const std::string_view name = text.substr(0, text.find('='));
    if (!name.starts_with("NOTSO_") || std::ranges::find(names, name) != names.end()) continue;
    const auto meant = nearest_name(name, names);
    lines.push_back("the environment's " + printable(name) + " is no setting" +
                    (meant ? "; did you mean " + std::string(*meant) + "?" : ""));
  }
  return lines;
}

std::vector<std::string> config_candidates(const Environment& environment) {
  std::vector<std::string> paths;
  const auto add = [&](const char* variable, const char* rest) {
    const auto folder = environment(variable);
    if (!folder || folder->empty()) return false;
    paths.push_back(*folder + rest);
    return true;
  };
  add("NOTSO_HOME", "/config.toml");
  if (!add("XDG_CONFIG_HOME", "/notso/config.toml")) add("HOME", "/.config/notso/config.toml");
  paths.emplace_back("/etc/notso/config.toml");
  return paths;
}

Result<ResolvedSettings> resolve_settings(const FlagValues& flags, const Environment& environment,
                                          const std::string& config_path) {
  ResolvedSettings resolved;
  for (const SettingInfo& info : setting_table()) resolved.sources[info.key] = "default";
  auto path = choose_file(environment, config_path);
  if (!path) return pass_on(path);
  resolved.config_path = *path;
  if (!path->empty()) {
    if (auto applied = apply_file(resolved); !applied) return pass_on(applied);
  }
  if (auto applied = apply_environment(resolved, environment); !applied) return pass_on(applied);
  if (auto applied = apply_flags(resolved, flags); !applied) return pass_on(applied);
  if (auto checked = check_together(resolved); !checked) return pass_on(checked);
  return resolved;
}

}  // namespace notso
