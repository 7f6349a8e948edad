// The table of settings as documents: a configuration file, and Markdown.
#include "app/settings.h"

namespace notso {
namespace {

std::string section_of(const SettingInfo& info) {
  const std::string_view key = info.key;
  return std::string(key.substr(0, key.find('.')));
}

std::string name_of(const SettingInfo& info) {
  const std::string_view key = info.key;
  return std::string(key.substr(key.find('.') + 1));
}

// "0 to 65535" and what an empty value means; empty where there is nothing to say.
std::string remarks(const SettingInfo& info) {
  const bool is_free_text =
      std::holds_alternative<std::string Settings::*>(info.member) && info.choices[0] == '\0';
  const bool is_plain = std::holds_alternative<bool Settings::*>(info.member) ||
                        std::holds_alternative<std::vector<std::string> Settings::*>(info.member);
  std::string text = is_free_text || is_plain ? "" : setting_range(info);
  if (info.when_empty[0] != '\0') {
    const bool is_text = std::holds_alternative<std::string Settings::*>(info.member);
    text +=
        (text.empty() ? "" : "; ") + std::string(is_text ? "empty" : "0") + ": " + info.when_empty;
  }
  return text;
}

// Appends `text` as comment lines of at most 100 columns.
void append_comment(std::string& out, std::string_view text) {
  constexpr std::size_t kColumns = 98;
  while (!text.empty()) {
    std::size_t end = text.size();
    if (end > kColumns) {
      end = text.rfind(' ', kColumns);
      if (end == std::string_view::npos) end = kColumns;
    }
    out += "# " + std::string(text.substr(0, end)) + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// The flag as the documentation shows it: "`--no-drafts`", "`-m`, `--model FILE.gguf`".
std::string flag_markdown(const SettingInfo& info) {
  const std::string_view flag = info.flag;
  std::string text = "`";
  if (const std::size_t comma = flag.find(','); comma != std::string_view::npos) {
    text += flag.substr(0, comma);
    text += "`, `";
  }
  const std::string_view name = flag.substr(flag.find("--"));
  if (const auto* m = std::get_if<bool Settings::*>(&info.member)) {
    const bool is_on = Settings().*(*m);
    text += is_on ? "--no-" : "--";
    text += name.substr(2);
  } else {
    text += name;
    text += ' ';
    text += info.value_name;
  }
  return text += '`';
}

}  // namespace

std::string default_config_toml() {
  std::string out;
  append_comment(out,
                 "Settings of notso, all at their defaults. Take the # away in front of what "
                 "you change.");
  append_comment(out,
                 "Flags and environment variables go before this file; `notso config` prints "
                 "what holds and why.");
  const Settings defaults;
  std::string section;
  for (const SettingInfo& info : setting_table()) {
    if (section_of(info) != section) {
      section = section_of(info);
      out += "\n[";
      out += section + "]\n";
    }
    const std::string more = remarks(info);
    append_comment(out, std::string(info.help) + (more.empty() ? "." : " (" + more + ")."));
    out += '#';
    out += name_of(info) + " = " + setting_toml(defaults, info) + "\n";
  }
  return out;
}

std::string settings_markdown() {
  std::string out;
  const Settings defaults;
  std::string section;
  for (const SettingInfo& info : setting_table()) {
    if (section_of(info) != section) {
      section = section_of(info);
      out += "\n### [" + section +
             "]\n\n| name | flag | environment | default | |\n"
             "|---|---|---|---|---|\n";
    }
    const std::string more = remarks(info);
    const std::string alias =
        info.environment_alias == nullptr ? "" : std::string(", `") + info.environment_alias + "`";
    out += "| `" + name_of(info) + "` | " + flag_markdown(info) + " | `" + environment_name(info) +
           "`" + alias + " | `" + setting_toml(defaults, info) + "` | " + info.help +
           (more.empty() ? "" : " (" + more + ")") + " |\n";
  }
  return out;
}

}  // namespace notso
