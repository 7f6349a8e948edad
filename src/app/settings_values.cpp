// Values of settings as text and back.
#include <charconv>
#include <cmath>
#include <limits>

#include "app/settings.h"
#include "base/json_text.h"

namespace notso {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

constexpr std::string_view kUnits = "KMGT";

// "4G" for a whole number of units, else plain bytes.
std::string size_text(ByteSize size) {
  std::uint64_t value = size.bytes;
  std::size_t unit = 0;
  while (value != 0 && value % 1024 == 0 && unit < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return std::to_string(value) + (unit == 0 ? "" : std::string(1, kUnits[unit - 1]));
}

// The shortest text that reads back as the same number.
std::string number_text(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value);
  return {text, end.ptr};
}

std::string joined(const std::vector<std::string>& parts, const char* between) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : between) + part;
  return text;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(at), text.size());
    const std::string_view part = trimmed(text.substr(0, end));
    if (!part.empty()) parts.emplace_back(part);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

tl::unexpected<Error> wrong(std::string_view text, const SettingInfo& info) {
  std::string quoted;
  append_json_string(quoted, text.substr(0, 100));
  return fail(ErrorCode::kInvalidArgument, quoted + " is not " + setting_range(info));
}

// Also refuses NaN, which no comparison admits.
bool in_range(double value, const SettingInfo& info) {
  return value >= info.least && value <= info.most;
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return value;
}

std::optional<ByteSize> parse_size(std::string_view text) {
  if (text.ends_with("iB"))
    text.remove_suffix(2);
  else if (text.ends_with("B"))
    text.remove_suffix(1);
  std::uint64_t unit = 1;
  if (!text.empty()) {
    const char last = static_cast<char>(text.back() & ~0x20);
    if (const std::size_t index = kUnits.find(last); index != std::string_view::npos) {
      unit = std::uint64_t{1} << (10 * (index + 1));
      text = trimmed(text.substr(0, text.size() - 1));
    }
  }
  const auto value = parse_number<double>(text);
  const double bytes = value.value_or(-1) * static_cast<double>(unit);
  if (!(bytes >= 0 && bytes < 1e18)) return std::nullopt;
  return ByteSize{static_cast<std::uint64_t>(bytes)};
}

std::optional<bool> parse_switch(std::string_view text) {
  if (text == "true" || text == "on" || text == "yes" || text == "1") return true;
  if (text == "false" || text == "off" || text == "no" || text == "0") return false;
  return std::nullopt;
}

bool is_choice(std::string_view text, const SettingInfo& info) {
  for (const std::string& choice : split(info.choices, ' ')) {
    if (choice == text) return true;
  }
  return false;
}

}  // namespace

std::string environment_name(const SettingInfo& info) {
  const std::string_view flag = info.flag;
  std::string name = "NOTSO_";
  for (const char c : flag.substr(flag.find("--") + 2)) {
    name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  }
  return name;
}

std::string setting_text(const Settings& settings, const SettingInfo& info) {
  return std::visit(
      Overloaded{
          [&](bool Settings::*m) { return std::string(settings.*m ? "on" : "off"); },
          [&](std::int64_t Settings::*m) { return std::to_string(settings.*m); },
          [&](double Settings::*m) { return number_text(settings.*m); },
          [&](ByteSize Settings::*m) { return size_text(settings.*m); },
          [&](std::string Settings::*m) { return settings.*m; },
          [&](std::vector<std::string> Settings::*m) { return joined(settings.*m, ","); },
      },
      info.member);
}

std::string setting_toml(const Settings& settings, const SettingInfo& info) {
  const auto quoted = [](std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
  };
  if (const auto* m = std::get_if<bool Settings::*>(&info.member)) {
    return settings.*(*m) ? "true" : "false";
  }
  if (const auto* m = std::get_if<std::vector<std::string> Settings::*>(&info.member)) {
    std::string out = "[";
    for (const std::string& part : settings.*(*m)) {
      if (out.size() > 1) out += ", ";
      out += quoted(part);
    }
    return out += "]";
  }
  const std::string text = setting_text(settings, info);
  const bool is_text = std::holds_alternative<std::string Settings::*>(info.member) ||
                       std::holds_alternative<ByteSize Settings::*>(info.member);
  return is_text ? quoted(text) : text;
}

std::string setting_range(const SettingInfo& info) {
  if (info.choices[0] != '\0') {
    const auto choices = split(info.choices, ' ');
    std::string text;
    for (std::size_t i = 0; i < choices.size(); ++i) {
      text += (i == 0 ? "" : i + 1 == choices.size() ? " or " : ", ") + choices[i];
    }
    return text;
  }
  const auto between = [&](auto write) { return write(info.least) + " to " + write(info.most); };
  return std::visit(
      Overloaded{
          [](bool Settings::*) { return std::string("on or off"); },
          [&](std::int64_t Settings::*) {
            return "a whole number from " + between([](double value) {
                     return std::to_string(static_cast<std::int64_t>(value));
                   });
          },
          [&](double Settings::*) { return "a number from " + between(number_text); },
          [&](ByteSize Settings::*) {
            return "a size from " + between([](double value) {
                     return size_text({static_cast<std::uint64_t>(value)});
                   }) +
                   ", such as 512M or 4G";
          },
          [](std::string Settings::*) { return std::string("a text of one line"); },
          [](std::vector<std::string> Settings::*) { return std::string("a list with commas"); },
      },
      info.member);
}

Status set_setting(Settings& settings, const SettingInfo& info, std::string_view raw) {
  const std::string_view text = trimmed(raw);
  const auto store = [&](auto member, const auto& parsed) -> Status {
    if (!parsed) return wrong(raw, info);
    settings.*member = *parsed;
    return {};
  };
  return std::visit(Overloaded{
                        [&](bool Settings::*m) { return store(m, parse_switch(text)); },
                        [&](std::int64_t Settings::*m) {
                          auto value = parse_number<std::int64_t>(text);
                          if (value && !in_range(static_cast<double>(*value), info)) value.reset();
                          return store(m, value);
                        },
                        [&](double Settings::*m) {
                          auto value = parse_number<double>(text);
                          if (value && !in_range(*value, info)) value.reset();
                          return store(m, value);
                        },
                        [&](ByteSize Settings::*m) {
                          auto value = parse_size(text);
                          if (value && !in_range(static_cast<double>(value->bytes), info))
                            value.reset();
                          return store(m, value);
                        },
                        [&](std::string Settings::*m) {
                          std::optional<std::string> value(text);
                          for (const char c : text) {
                            if (static_cast<unsigned char>(c) < 32) value.reset();
                          }
                          if (info.choices[0] != '\0' && !is_choice(text, info)) value.reset();
                          return store(m, value);
                        },
                        [&](std::vector<std::string> Settings::*m) {
                          return store(m, std::optional(split(text, ',')));
                        },
                    },
                    info.member);
}

}  // namespace notso
