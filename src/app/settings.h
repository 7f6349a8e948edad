// The settings of a server: one struct that holds them, and one table that says everything else
// about each: its name in a configuration file, its flag, its environment variable, its range and
// its explanation. Flags, `notso config`, the commented file that it writes and the documentation
// all come from that table.
//
// Where several places set one thing, the first of these holds: flag, environment, configuration
// file, default. Every value knows where it came from.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace notso {

// A size in bytes; written with or without K, M, G or T, which are powers of 1024.
struct ByteSize {
  std::uint64_t bytes = 0;
  bool operator==(const ByteSize&) const = default;
};

// All settings; the values here are the defaults.
struct Settings {
  // server
  std::string host = "127.0.0.1";
  std::int64_t port = 3000;
  std::int64_t http_threads = 2;
  std::vector<std::string> allowed_hosts;
  std::vector<std::string> cors_origins;
  bool behind_proxy = false;
  std::vector<std::string> trusted_proxies;
  std::string tls_certificate;
  std::string tls_key;
  std::int64_t connections_max = 4096;
  ByteSize body_max{std::uint64_t{1} << 20U};
  double header_seconds_max = 10;
  double body_seconds_max = 30;
  double idle_seconds_max = 75;
  double write_seconds_max = 20;
  double drain_seconds_max = 30;
  // model
  std::string model_path;
  std::string tokenizer_path;
  std::string model_name;
  std::int64_t context = 0;
  std::int64_t threads = 0;
  std::string kv_type = "f16";
  bool demo = true;
  bool pack_cache = true;
  ByteSize model_memory_max;
  double model_idle_seconds_max = 600;
  bool manage_models = true;
  std::string offered_model = "Q4_K_M";
  // engine
  ByteSize kv_memory;
  std::int64_t streams_max = 64;
  std::int64_t queue_max = 256;
  std::int64_t step_rows_max = 256;
  bool prefix_cache = true;
  bool drafts = true;
  std::int64_t draft_tokens_max = 8;
  bool kv_on_disk = true;
  ByteSize kv_disk{std::uint64_t{4} << 30U};
  double token_seconds_max = 30;
  double answer_seconds_max = 600;
  double queue_seconds_max = 120;
  // access
  std::string keys_file;
  double rate_limit = 10;
  std::int64_t rate_burst = 20;
  std::int64_t tokens_per_minute = 0;
  bool share_prefixes = true;
  // sessions
  std::string sessions_file;
  double idle_days_max = 0;
  double deleted_days_max = 1;
  // log
  std::string log_level = "info";
  std::string log_format = "text";
  bool log_access = true;
  bool log_prompts = false;
};

// Which member of Settings a row of the table is about.
using SettingMember = std::variant<bool Settings::*, std::int64_t Settings::*, double Settings::*,
                                   ByteSize Settings::*, std::string Settings::*,
                                   std::vector<std::string> Settings::*>;

// One row of the table. Texts live for ever.
struct SettingInfo {
  const char* key;                // "server.port": table and name in the configuration file
  const char* flag;               // "--port", or "-m,--model"; a switch that is on by default gets
                                  // "--no-drafts" as well
  const char* environment_alias;  // "PORT" besides NOTSO_PORT; nullptr: none
  SettingMember member;
  const char* value_name;  // of the flag's value: "PORT"; "" for switches
  const char* help;        // a sentence, without a full stop
  double least = 0;        // numbers and sizes must lie between these two
  double most = 0;
  const char* choices = "";     // "f16 q8_0": the only texts there may be; "": any
  const char* when_empty = "";  // what an empty text or a zero stands for
};

// The table, in the order of documentation.
[[nodiscard]] std::span<const SettingInfo> setting_table();

// "NOTSO_PORT" for --port: the long flag in capitals.
[[nodiscard]] std::string environment_name(const SettingInfo& info);

// A value as text, as a flag would take it; and as TOML.
[[nodiscard]] std::string setting_text(const Settings& settings, const SettingInfo& info);
[[nodiscard]] std::string setting_toml(const Settings& settings, const SettingInfo& info);

// "0 to 65535", "f16 or q8_0", "on or off", ...: what a value may be.
[[nodiscard]] std::string setting_range(const SettingInfo& info);

// Sets one value from text. The error says what is wrong with the value, without naming the place.
[[nodiscard]] Status set_setting(Settings& settings, const SettingInfo& info,
                                 std::string_view text);

// The values of the flags that were given, by key; a list has several.
using FlagValues = std::map<std::string, std::vector<std::string>>;

// Looks up an environment variable.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

// The process's environment.
[[nodiscard]] Environment process_environment();

// Of these environment variables ("NAME=value", up to a null pointer: the process's `environ`),
// the ones that begin like this program's and are none of them: a line each, with what was meant.
[[nodiscard]] std::vector<std::string> mistyped_variables(const char* const* variables);

// What holds, and where each value came from.
struct ResolvedSettings {
  Settings settings;
  std::string config_path;                     // the file that was read; "": none
  std::map<std::string, std::string> sources;  // by key: "default", "flag --port", "PORT", "path:3"
};

// The configuration files that are looked for, best first: $NOTSO_HOME/config.toml,
// $XDG_CONFIG_HOME/notso/config.toml (else ~/.config/...), /etc/notso/config.toml.
[[nodiscard]] std::vector<std::string> config_candidates(const Environment& environment);

// Puts everything together. `config_path` is --config's; "": $NOTSO_CONFIG, else the first
// candidate that exists. Errors name the place, the value and the mend.
[[nodiscard]] Result<ResolvedSettings> resolve_settings(const FlagValues& flags,
                                                        const Environment& environment,
                                                        const std::string& config_path);

// A configuration file with every setting at its default, commented out and explained.
[[nodiscard]] std::string default_config_toml();

// The table as the Markdown of docs/configuration.md, between its markers.
[[nodiscard]] std::string settings_markdown();

}  // namespace notso
