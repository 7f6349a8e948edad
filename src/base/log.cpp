#include "base/log.h"

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <memory>
#include <mutex>
#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/base_sink.h>

#include "base/json_text.h"

namespace notso {
namespace {

constexpr std::size_t kQueueLinesMax = 4096;
constexpr std::size_t kFieldBytesMax = 4096;  // of one value in the log

// Seven digits tell any two durations apart that a person cares about.
void append_number(std::string& out, double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.7g", value);
  out += text;
}

bool is_plain(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 127) return false;
    if (static_cast<unsigned char>(c) >= 128) return false;
  }
  return true;
}

void append_text(std::string& out, std::string_view text, LogFormat format) {
  text = text.substr(0, kFieldBytesMax);
  if (format == LogFormat::kText && is_plain(text)) {
    out += text;
  } else {
    append_json_string(out, text);
  }
}

struct ValueWriter {
  std::string& out;
  LogFormat format;

  void operator()(bool truth) const { out += truth ? "true" : "false"; }
  void operator()(std::int64_t number) const { out += std::to_string(number); }
  void operator()(std::uint64_t number) const { out += std::to_string(number); }
  void operator()(double number) const {
    if (format == LogFormat::kJson && !std::isfinite(number)) {
      out += "null";
    } else {
      append_number(out, number);
    }
  }
  void operator()(std::string_view text) const { append_text(out, text, format); }
};

// "2026-11-21T02:43:56.123Z".
std::string time_text(std::chrono::system_clock::time_point time) {
  using std::chrono::milliseconds;
  const auto since = std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
  const auto seconds = static_cast<std::time_t>(since / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + length, sizeof text - length, ".%03dZ", static_cast<int>(since % 1000));
  return text;
}

constexpr const char* kTextLevels[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
constexpr const char* kJsonLevels[] = {"debug", "info", "warning", "error"};

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      break;
  }
  return spdlog::level::err;
}

// Hands each line to the application's function.
class FunctionSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FunctionSink(std::function<void(std::string_view)> write) : write_(std::move(write)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    write_(std::string_view(message.payload.data(), message.payload.size()));
  }
  void flush_() override {}

 private:
  std::function<void(std::string_view)> write_;
};

// A running log: the queue's thread, and the logger that feeds it.
struct Log {
  LogFormat format = LogFormat::kText;
  std::shared_ptr<spdlog::details::thread_pool> thread;
  std::shared_ptr<spdlog::async_logger> logger;
};

std::mutex log_mutex;
std::shared_ptr<Log> running_log;  // under log_mutex
std::atomic<int> level_min{99};
std::atomic<bool> prompts_allowed{false};
std::atomic<std::uint64_t> dropped_before{0};  // by logs that have ended

std::shared_ptr<Log> current_log() {
  const std::lock_guard lock(log_mutex);
  return running_log;
}

void replace_log(std::shared_ptr<Log> next) {
  {
    const std::lock_guard lock(log_mutex);
    std::swap(running_log, next);
    if (next) dropped_before += next->thread->overrun_counter();
  }
  // The last owner's destructor writes what is still queued.
  next.reset();
}

// The part of a line after time and level.
std::string format_event(LogFormat format, std::string_view event,
                         std::initializer_list<LogField> fields) {
  std::string out;
  if (format == LogFormat::kJson) {
    out += "\"event\":";
    append_json_string(out, event);
  } else {
    out += event;
  }
  for (const LogField& field : fields) {
    if (format == LogFormat::kJson) {
      out += ',';
      append_json_string(out, field.name);
      out += ':';
    } else {
      out += ' ';
      out += field.name;
      out += '=';
    }
    std::visit(ValueWriter{out, format}, field.value);
  }
  return out;
}

}  // namespace

void start_log(LogOptions options) {
  auto next = std::make_shared<Log>();
  next->format = options.format;
  next->thread = std::make_shared<spdlog::details::thread_pool>(kQueueLinesMax, 1);
  next->logger = std::make_shared<spdlog::async_logger>(
      "notso", std::make_shared<FunctionSink>(std::move(options.write)), next->thread,
      spdlog::async_overflow_policy::overrun_oldest);
  next->logger->set_level(to_spdlog(options.level));
  prompts_allowed = options.prompts;
  replace_log(std::move(next));
  level_min = static_cast<int>(options.level);
}

void stop_log() {
  level_min = 99;
  replace_log(nullptr);
}

bool log_enabled(LogLevel level) { return static_cast<int>(level) >= level_min; }

bool log_prompts() { return prompts_allowed; }

std::uint64_t log_lines_dropped() {
  const auto log = current_log();
  return dropped_before + (log ? log->thread->overrun_counter() : 0);
}

void log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (!log_enabled(level)) return;
  const auto log = current_log();
  if (!log) return;
  const auto index = static_cast<std::size_t>(level);
  std::string line;
  if (log->format == LogFormat::kJson) {
    line = "{\"time\":\"" + time_text(std::chrono::system_clock::now()) + "\",\"level\":\"" +
           kJsonLevels[index] + "\"," + format_event(log->format, event, fields) + "}\n";
  } else {
    line = time_text(std::chrono::system_clock::now()) + ' ' + kTextLevels[index] + ' ' +
           format_event(log->format, event, fields) + '\n';
  }
  log->logger->log(to_spdlog(level), spdlog::string_view_t(line));
}

void log_debug(std::string_view event, std::initializer_list<LogField> fields) {
  log(LogLevel::kDebug, event, fields);
}
void log_info(std::string_view event, std::initializer_list<LogField> fields) {
  log(LogLevel::kInfo, event, fields);
}
void log_warning(std::string_view event, std::initializer_list<LogField> fields) {
  log(LogLevel::kWarning, event, fields);
}
void log_error(std::string_view event, std::initializer_list<LogField> fields) {
  log(LogLevel::kError, event, fields);
}

}  // namespace notso
