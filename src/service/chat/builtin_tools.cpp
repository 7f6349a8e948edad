#include "service/chat/builtin_tools.h"

#include <array>
#include <boost/json.hpp>
#include <cstdlib>
#include <ctime>
#include <fmt/format.h>
#include <string_view>

#include "base/result.h"
#include "service/chat/calculator.h"

namespace notso {
namespace {

namespace json = boost::json;

constexpr std::size_t kArgumentBytesMax = 8192;
constexpr std::size_t kArgumentDepthMax = 8;

// The string argument `name` of a call; "" where it is missing.
Result<std::string> string_argument(const ToolCall& call, std::string_view name) {
  if (call.arguments.empty()) return std::string();
  json::parse_options options;
  options.max_depth = kArgumentDepthMax;
  boost::system::error_code error;
  const json::value root = call.arguments.size() <= kArgumentBytesMax
                               ? json::parse(call.arguments, error, {}, options)
                               : json::value();
  if (error || !root.is_object()) {
    return fail(ErrorCode::kInvalidArgument, "the arguments must be a JSON object");
  }
  const json::value* value = root.get_object().if_contains(name);
  if (value == nullptr || value->is_null()) return std::string();
  if (value->is_string()) return std::string(value->get_string());
  return fail(ErrorCode::kInvalidArgument, fmt::format("{} must be a string", name));
}

Result<std::string> run_calculator(const ToolCall& call) {
  auto expression = string_argument(call, "expression");
  if (!expression) return expression;
  if (expression->empty()) return fail(ErrorCode::kInvalidArgument, "expression is missing");
  return calculate(*expression);
}

std::int32_t system_offset_s(std::int64_t unix_s) {
  const auto time = static_cast<std::time_t>(unix_s);
  std::tm local{};
  localtime_r(&time, &local);
  return static_cast<std::int32_t>(local.tm_gmtoff);
}

// "+02:00", "-0530" or "+2" as seconds.
std::optional<std::int32_t> parse_offset(std::string_view text) {
  if (text.starts_with("UTC")) text.remove_prefix(3);
  if (text.size() < 2 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  std::string digits;
  for (const char c : text.substr(1)) {
    if (c == ':' && digits.size() == 2) continue;
    if (c < '0' || c > '9' || digits.size() == 4) return std::nullopt;
    digits += c;
  }
  if (digits.size() <= 2) digits.append(2, '0');
  if (digits.size() == 3) digits.insert(0, 1, '0');
  const int hours = std::atoi(digits.substr(0, digits.size() - 2).c_str());
  const int minutes = std::atoi(digits.substr(digits.size() - 2).c_str());
  if (hours > 14 || minutes > 59) return std::nullopt;
  return (text[0] == '-' ? -1 : 1) * (hours * 60 + minutes) * 60;
}

std::string date_and_time(std::int64_t unix_s, std::int32_t offset_s) {
  const auto shifted = static_cast<std::time_t>(unix_s + offset_s);
  std::tm parts{};
  gmtime_r(&shifted, &parts);
  static constexpr std::array<std::string_view, 7> kDays = {
      "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
  const int minutes = std::abs(offset_s) / 60;
  return fmt::format("{}, {:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC{}{:02}:{:02}",
                     kDays.at(static_cast<std::size_t>(parts.tm_wday)), parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     offset_s < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

Result<std::string> run_clock(const ToolCall& call, const ToolClock& clock) {
  auto zone = string_argument(call, "zone");
  if (!zone) return zone;
  const std::int64_t now =
      clock.unix_s ? clock.unix_s() : static_cast<std::int64_t>(std::time(nullptr));
  if (zone->empty() || *zone == "local") {
    return date_and_time(now,
                         clock.local_offset_s ? clock.local_offset_s(now) : system_offset_s(now));
  }
  if (*zone == "UTC" || *zone == "utc" || *zone == "Z") return date_and_time(now, 0);
  const auto offset_s = parse_offset(*zone);
  if (offset_s) return date_and_time(now, *offset_s);
  return fail(ErrorCode::kInvalidArgument,
              "zone must be UTC, local, or an offset from UTC such as +02:00");
}

}  // namespace

std::vector<Tool> builtin_tools() {
  return {{"calculator",
           "Computes the value of an arithmetic expression exactly. It knows + - * / % ^ ( ), the "
           "constants pi and e, and the functions sqrt, abs, round(x, decimals), floor, ceil, min, "
           "max, ln, log (base 10, or log(x, base)), exp, sin and cos (radians).",
           R"({"type": "object", "properties": {"expression": {"type": "string", )"
           R"("description": "What to compute, such as (3 + 4.5) * 2^10"}}, )"
           R"("required": ["expression"], "additionalProperties": false})"},
          {"clock", "Tells the present date, weekday and time.",
           R"({"type": "object", "properties": {"zone": {"type": "string", )"
           R"("description": "UTC, local, or an offset from UTC such as +02:00; local if left )"
           R"(out"}}, "additionalProperties": false})"}};
}

std::optional<std::string> run_builtin_tool(const ToolCall& call, const ToolClock& clock) {
  Result<std::string> result;
  if (call.name == "calculator") {
    result = run_calculator(call);
  } else if (call.name == "clock") {
    result = run_clock(call, clock);
  } else {
    return std::nullopt;
  }
  return result ? *result : "error: " + result.error().message;
}

}  // namespace notso
