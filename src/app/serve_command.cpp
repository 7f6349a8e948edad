// notso serve: the server, from its first line to its last.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <thread>
#include <unistd.h>

#include "app/command.h"
#include "app/model_setup.h"
#include "app/progress.h"
#include "app/server_app.h"
#include "app/service_manager.h"
#include "app/setting_flags.h"
#include "base/log.h"
#include "service/models/catalogue.h"
#include "service/models/choose_model.h"
#include "service/models/model_folder.h"

namespace notso {
namespace {

// Writes a whole line to stderr; a log that cannot be written is no reason to stop.
void write_stderr(std::string_view line) {
  while (!line.empty()) {
    const ssize_t count = write(STDERR_FILENO, line.data(), line.size());
    if (count <= 0) return;
    line.remove_prefix(static_cast<std::size_t>(count));
  }
}

LogOptions log_options(const Settings& settings) {
  LogOptions options;
  options.level = settings.log_level == "debug"     ? LogLevel::kDebug
                  : settings.log_level == "warning" ? LogLevel::kWarning
                  : settings.log_level == "error"   ? LogLevel::kError
                                                    : LogLevel::kInfo;
  options.format = settings.log_format == "json" ? LogFormat::kJson : LogFormat::kText;
  options.prompts = settings.log_prompts;
  options.write = write_stderr;
  return options;
}

// Writes out what the log holds, however the command ends.
struct RunningLog {
  explicit RunningLog(const Settings& settings) { start_log(log_options(settings)); }
  RunningLog(const RunningLog&) = delete;
  RunningLog& operator=(const RunningLog&) = delete;
  ~RunningLog() { stop_log(); }
};

// The signals that the server takes, blocked for all threads that begin later and read from a
// descriptor.
class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set_, number);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    fd_ = signalfd(-1, &set_, SFD_CLOEXEC);
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals() { close(fd_); }

  [[nodiscard]] int fd() const { return fd_; }
  // The next signal, waiting for it.
  [[nodiscard]] int next() const {
    signalfd_siginfo info{};
    return read(fd_, &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
  }

 private:
  sigset_t set_{};
  int fd_ = -1;
};

// Room for every connection, some files and the store. Where the system grants less, there are
// fewer connections: one too many is then told so, and the store and the models keep their files.
void make_room_for_connections(Settings& settings) {
  constexpr std::int64_t kOtherFiles = 256;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const auto wanted = static_cast<rlim_t>(settings.connections_max + kOtherFiles);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= wanted) return;
  const auto files = static_cast<std::int64_t>(limit.rlim_cur);
  settings.connections_max = std::max(files - std::min(kOtherFiles, files / 2), std::int64_t{1});
  log_warning("fewer files may be open than were asked for, so there are fewer connections",
              {{"files", files}, {"connections", settings.connections_max}});
}

Result<int> inherited_socket() {
  auto sockets = take_inherited_sockets();
  if (!sockets) return pass_on(sockets);
  if (sockets->size() > 1) {
    return fail(ErrorCode::kInvalidArgument,
                "the service manager handed over " + std::to_string(sockets->size()) +
                    " sockets, but notso serves one; keep one ListenStream= in the .socket unit");
  }
  return sockets->empty() ? -1 : sockets->front();
}

// What the loading thread tells the main one: a byte in a pipe that is waited for beside signals.
class LoadResult {
 public:
  LoadResult() {
    if (pipe2(pipe_, O_CLOEXEC) != 0) pipe_[0] = pipe_[1] = -1;
  }
  LoadResult(const LoadResult&) = delete;
  LoadResult& operator=(const LoadResult&) = delete;
  ~LoadResult() {
    close(pipe_[0]);
    close(pipe_[1]);
  }

  [[nodiscard]] int fd() const { return pipe_[0]; }
  // Leaves the result; from the loading thread.
  void set(Status status) {
    status_ = std::move(status);
    (void)!write(pipe_[1], "x", 1);
  }
  // Takes it, once the descriptor can be read.
  [[nodiscard]] const Status& take() {
    char byte = 0;
    (void)!read(pipe_[0], &byte, 1);
    return status_;
  }

 private:
  int pipe_[2] = {-1, -1};
  Status status_;
};

void announce(const ServerApp& app) {
  const std::string model = app.model_line();
  log_info("ready", {{"url", app.url()}, {"model", model.empty() ? "none" : model}});
  // A server goes on and ends well without anybody who reads this, so not by stdio, which main
  // asks.
  const std::string line = "notso is ready: " + app.url() + "\n";
  static_cast<void>(write(STDOUT_FILENO, line.data(), line.size()) < 0);
  notify_service_manager("READY=1\nSTATUS=serving at " + app.url());
}

// Ends the process at once when a second signal comes, as long as it lives.
class SecondSignal {
 public:
  explicit SecondSignal(const Signals& signals) : done_(eventfd(0, EFD_CLOEXEC)) {
    thread_ = std::thread([this, &signals] {
      pollfd waiting[2] = {{signals.fd(), POLLIN, 0}, {done_, POLLIN, 0}};
      while (poll(waiting, 2, -1) >= 0 && (waiting[1].revents & POLLIN) == 0) {
        if ((waiting[0].revents & POLLIN) != 0 && signals.next() != SIGHUP) _exit(kExitFailure);
      }
    });
  }
  SecondSignal(const SecondSignal&) = delete;
  SecondSignal& operator=(const SecondSignal&) = delete;
  ~SecondSignal() {
    eventfd_write(done_, 1);
    thread_.join();
    close(done_);
  }

 private:
  int done_;
  std::thread thread_;
};

// Drains.
void stop(ServerApp& app, const Signals& signals, int number) {
  log_info("stopping: running answers may end", {{"signal", strsignal(number)}});
  notify_service_manager("STOPPING=1");
  const SecondSignal at_once(signals);
  app.stop();
}

// Waits for signals and for the model until it is time to leave.
Status run(ServerApp& app, const Signals& signals, LoadResult& load) {
  pollfd waiting[2] = {{signals.fd(), POLLIN, 0}, {load.fd(), POLLIN, 0}};
  bool announced = false;
  while (true) {
    if (poll(waiting, 2, -1) < 0 && errno != EINTR) {
      return fail(ErrorCode::kInternal, "cannot wait for signals");
    }
    if ((waiting[1].revents & POLLIN) != 0) {
      // Why a model could not be loaded is in the log; the page says it too, and offers others.
      (void)load.take();
      announce(app);
      announced = true;
    }
    if ((waiting[0].revents & POLLIN) == 0) continue;
    const int number = signals.next();
    if (number == SIGHUP) {
      // A service manager takes the end of a reload for being ready.
      if (announced) notify_service_manager("RELOADING=1");
      app.reload();
      if (announced) notify_service_manager("READY=1");
      continue;
    }
    stop(app, signals, number);
    return {};
  }
}

// Puts the path of the model to begin with into the settings; none, if there is none on this
// machine and none is named. What somebody names must do.
Status find_first_model(Settings& settings, std::vector<std::string>& passed_over) {
  if (!settings.model_path.empty()) {
    auto path = choose_model_path(settings.model_path);
    if (!path) return pass_on(path);
    settings.model_path = std::move(*path);
    return check_model_file(settings);
  }
  auto choice = choose_model({"", "", models_folder()});
  if (!choice) return pass_on(choice);
  settings.model_path = std::move(choice->path);
  passed_over = std::move(choice->notes);
  return {};
}

// What the page would offer must be there to download.
Status check_offer(const Settings& settings) {
  const std::string& name = settings.offered_model;
  const auto is_named = [&](const CatalogueEntry& entry) { return entry.name == name; };
  if (name.empty() || std::ranges::any_of(catalogue(), is_named)) return {};
  return fail(ErrorCode::kInvalidArgument, "model.offer: there is no '" + name +
                                               "' to download; 'notso pull --list' has the names");
}

Status serve(const SettingFlags& flags) {
  const auto resolved = resolve_settings(flags.values, process_environment(), flags.config_path);
  if (!resolved) return tl::unexpected(resolved.error());
  Settings settings = resolved->settings;
  if (auto offered = check_offer(settings); !offered) return offered;
  std::vector<std::string> passed_over;
  if (auto found = find_first_model(settings, passed_over); !found) return found;
  const auto socket = inherited_socket();
  if (!socket) return tl::unexpected(socket.error());
  // Before any thread begins, the log's included.
  const Signals signals;
  const RunningLog log(settings);
  make_room_for_connections(settings);
  LoadResult load;
  ProgressBar bar("packing weights", "B");
  ServerApp app(settings);
  Status started =
      app.start(*socket, {[&](std::uint64_t done, std::uint64_t total) { bar.update(done, total); },
                          [&](Status loaded) { load.set(std::move(loaded)); }});
  if (!started) return started;
  for (const std::string& line : mistyped_variables(environ)) log_warning(line);
  for (const std::string& note : passed_over) log_warning("passed over", {{"why", note}});
  log_info("listening",
           {{"url", app.url()}, {"config", resolved->config_path}, {"model", settings.model_path}});
  if (!settings.model_path.empty()) notify_service_manager("STATUS=loading the model");
  return run(app, signals, load);
}

}  // namespace

void add_serve_command(CLI::App& app, CommandRunner& runner) {
  const auto flags = std::make_shared<SettingFlags>();
  CLI::App* const command =
      app.add_subcommand("serve", "Serve the chat page and OpenAI's API over HTTP");
  command->footer(
      "Every setting can also come from the environment or a file: see `notso config`.\n"
      "SIGTERM and Ctrl-C let running answers end, a second one ends at once; SIGHUP reads API\n"
      "keys and certificates again. Examples:\n  notso serve -m model.gguf\n"
      "  notso serve -m model.gguf --host 0.0.0.0 --port 8080 --api-keys keys");
  add_setting_flags(*command, *flags);
  command->callback([flags, &runner] {
    runner.run = [flags] {
      const Status done = serve(*flags);
      return done ? kExitOk : report_error(done.error());
    };
  });
}

}  // namespace notso
