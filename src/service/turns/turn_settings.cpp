// The settings of a conversation as JSON.

#include <boost/json.hpp>
#include <cmath>
#include <fmt/format.h>

#include "service/turns/turn_service.h"

namespace notso {
namespace {

namespace json = boost::json;

constexpr double kTemperatureMax = 2;
constexpr std::int64_t kTokensMax = 1 << 24;
constexpr std::size_t kSystemBytesMax = std::size_t{128} << 10U;
constexpr std::size_t kModelBytesMax = 1000;

// Reads members that are there, and remembers the first that is wrong.
class Reader {
 public:
  explicit Reader(const json::object& object) : object_(object) {}

  void read(std::string_view key, float max, float& out) {
    const json::value* value = member(key);
    if (value == nullptr) return;
    boost::system::error_code error;
    const auto number = value->to_number<double>(error);
    if (error || !(number >= 0 && number <= static_cast<double>(max))) {
      wrong(key, fmt::format("a number from 0 to {}", max));
    } else {
      out = static_cast<float>(number);
    }
  }

  void read(std::string_view key, std::int64_t max, std::int32_t& out) {
    const json::value* value = member(key);
    if (value == nullptr) return;
    boost::system::error_code error;
    const auto number = value->to_number<std::int64_t>(error);
    if (error || number < 0 || number > max) {
      wrong(key, fmt::format("a whole number from 0 to {}", max));
    } else {
      out = static_cast<std::int32_t>(number);
    }
  }

  void read(std::string_view key, bool& out) {
    const json::value* value = member(key);
    if (value == nullptr) return;
    if (value->is_bool()) {
      out = value->get_bool();
    } else {
      wrong(key, "true or false");
    }
  }

  void read(std::string_view key, std::size_t bytes_max, std::string& out) {
    const json::value* value = member(key);
    if (value == nullptr) return;
    if (value->is_string() && value->get_string().size() <= bytes_max) {
      out = std::string(value->get_string());
    } else {
      wrong(key, fmt::format("a string of at most {} bytes", bytes_max));
    }
  }

  [[nodiscard]] const Status& status() const { return status_; }

 private:
  [[nodiscard]] const json::value* member(std::string_view key) const {
    const json::value* value = object_.if_contains(key);
    return value == nullptr || value->is_null() ? nullptr : value;
  }

  void wrong(std::string_view key, const std::string& what) {
    if (!status_) return;
    status_ =
        fail(ErrorCode::kInvalidArgument, fmt::format("the setting {} must be {}", key, what));
  }

  const json::object& object_;
  Status status_;
};

// As few digits as say the same float.
double shortest(float value) { return std::stod(fmt::format("{}", value)); }

}  // namespace

Result<TurnSettings> parse_turn_settings(const std::string& text) {
  TurnSettings out;
  if (text.empty()) return out;
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_object()) {
    return fail(ErrorCode::kInvalidArgument, "the settings must be a JSON object");
  }
  Reader reader(value.get_object());
  reader.read("temperature", static_cast<float>(kTemperatureMax), out.temperature);
  reader.read("top_p", 1.0F, out.top_p);
  reader.read("max_tokens", kTokensMax, out.max_tokens);
  reader.read("system", kSystemBytesMax, out.system);
  reader.read("thinking", out.thinking);
  reader.read("tools", out.tools);
  reader.read("model", kModelBytesMax, out.model);
  if (!reader.status()) return tl::unexpected(reader.status().error());
  return out;
}

std::string write_turn_settings(const TurnSettings& settings) {
  return json::serialize(json::object{{"temperature", shortest(settings.temperature)},
                                      {"top_p", shortest(settings.top_p)},
                                      {"max_tokens", settings.max_tokens},
                                      {"system", settings.system},
                                      {"thinking", settings.thinking},
                                      {"tools", settings.tools},
                                      {"model", settings.model}});
}

}  // namespace notso
