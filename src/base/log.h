// The log: one line an event. Libraries write to it and never print; the application says where
// the lines go. Until it does, nothing is written.
//
// A line is an event in plain words and fields by name:
//
//   2026-11-21T02:43:56.123Z INFO  model loaded path=model.gguf seconds=1.52
//   {"time":"2026-11-21T02:43:56.123Z","level":"info","event":"model loaded","path":...}
//
// Values come from outside: control characters are escaped, so a line stays one line and no
// terminal obeys it. What people write to the model is never a field, unless log_prompts() allows.
//
// Writing never waits for the sink: lines go through a bounded queue to a thread of its own, and
// the oldest are dropped (and counted) where a sink cannot keep up.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace notso {

// How much an event matters.
enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };

// How a line looks.
enum class LogFormat : std::uint8_t { kText, kJson };

// One named value of an event. It refers to its text, which must live as long as the call.
struct LogField {
  using Value = std::variant<bool, std::int64_t, std::uint64_t, double, std::string_view>;

  std::string_view name;
  Value value;

  // Text, numbers and truth values, each as itself.
  template <std::convertible_to<std::string_view> T>
  LogField(std::string_view field, const T& text) : name(field), value(std::string_view(text)) {}
  template <std::signed_integral T>
  LogField(std::string_view field, T number) : name(field), value(std::int64_t{number}) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) LogField(std::string_view field, T number)
      : name(field), value(std::uint64_t{number}) {}
  template <std::same_as<bool> T>
  LogField(std::string_view field, T truth) : name(field), value(truth) {}
  LogField(std::string_view field, double number) : name(field), value(number) {}
};

// Where lines go and which.
struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kText;
  bool prompts = false;  // whether texts of conversations may be fields
  // Takes one line with its newline; called from one thread at a time.
  std::function<void(std::string_view line)> write = {};
};

// Starts writing, or changes where to. stop_log() writes what is queued and ends it; call it before
// main returns.
void start_log(LogOptions options);
void stop_log();

// Whether an event of this level would be written, and whether texts of conversations may be.
[[nodiscard]] bool log_enabled(LogLevel level);
[[nodiscard]] bool log_prompts();

// Lines that were dropped because the sink could not keep up.
[[nodiscard]] std::uint64_t log_lines_dropped();

// Writes one event.
void log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

// The same by level.
void log_debug(std::string_view event, std::initializer_list<LogField> fields = {});
void log_info(std::string_view event, std::initializer_list<LogField> fields = {});
void log_warning(std::string_view event, std::initializer_list<LogField> fields = {});
void log_error(std::string_view event, std::initializer_list<LogField> fields = {});

}  // namespace notso
