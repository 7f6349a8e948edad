// Several models in one server: which of them run, which one answers where nobody names one, and
// who goes when memory is wanted.
//
// One model is chosen: it answers where no name is given, and stays. Others are loaded when they
// are asked for, beside it if memory allows, and go again when nobody has used them for a while or
// another one needs their place. A choice of another model holds up nobody: the one before answers
// until the new one runs, and brings to an end what it has begun. Only where both do not fit in
// memory does it take no more, gets some time for what is under way, and ends the rest, which is
// told why.
//
// Loading and letting go happen on one thread, one after the other; so a model's destructor, which
// waits for its engine, never runs on a thread that others wait for.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"

namespace notso {

// A model that runs, as its host sees it. Who holds the pointer may use the model, also after the
// host has let go of it.
class HostedModel {
 public:
  virtual ~HostedModel() = default;
  // What it takes in all: weights, keys and values.
  [[nodiscard]] virtual std::uint64_t memory_bytes() const = 0;
  // Answers that it is giving, those that wait included.
  [[nodiscard]] virtual std::size_t busy() const = 0;
  // Ends them all; each is told `why`. It takes no more.
  virtual void end_all(const std::string& why) = 0;
};

// What a host needs to know. The functions must be safe to call from the host's thread.
struct ModelHostOptions {
  // Bytes that are packed.
  using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;
  // Loads the model at `path`.
  std::function<Result<std::shared_ptr<HostedModel>>(const std::string& path, const Progress&)>
      load;
  // The least memory that the model at `path` needs to run.
  std::function<std::uint64_t(const std::string& path)> needed_bytes;
  // The memory that could be had now.
  std::function<std::uint64_t()> available_bytes;
  // A model's name for people.
  std::function<std::string(const std::string& path)> name;
  // Takes a line about what happened; `bad`: somebody should look. May be empty.
  std::function<void(const std::string& line, bool bad)> log;
  // A choice has come to run; before those who wait for it hear of it. May be empty.
  std::function<void()> chose;
  // What runs where nothing else does; none: nothing.
  std::optional<std::string> fallback;
  std::uint64_t memory_bytes_max = 0;  // of all models together; 0: as the machine has
  double idle_s_max = 600;             // of a model that is not chosen; 0: it stays
  double drain_s_max = 30;             // for answers of a model that must go
};

// One model of the host.
struct HostedState {
  std::string path;
  bool chosen = false;
  bool running = false;
  bool loading = false;
  int percent = 0;  // of loading
  std::uint64_t memory_bytes = 0;
  std::size_t busy = 0;
};

// All of it.
struct HostView {
  std::vector<HostedState> models;      // those that run or are being loaded, the chosen one first
  std::optional<std::string> chosen;    // that answers, or will; none: no model at all
  std::optional<std::string> becoming;  // chosen as soon as it runs
  std::string trouble;                  // why the last choice is not what runs; "": it is
  bool draining = false;                // those that run take no more: they make room for it
};

// Safe to use from many threads.
class ModelHost {
 public:
  using Model = std::shared_ptr<HostedModel>;
  // Called once, from the host's thread or before the call returns.
  using Then = std::function<void(Result<Model>)>;

  // Without a model yet.
  explicit ModelHost(ModelHostOptions options);
  ModelHost(const ModelHost&) = delete;
  ModelHost& operator=(const ModelHost&) = delete;
  // As stop().
  ~ModelHost();

  // Makes the model at `path` the one that answers, as soon as it runs. An error leaves the one
  // before, or puts the fallback in its place.
  void choose(const std::string& path, Then then = {});

  // The model that answers now. kUnavailable: there is none, with the reason; one that went to make
  // room is loaded again.
  [[nodiscard]] Result<Model> chosen();

  // The model that answers now, if it runs; only to look at it, which is no use of it.
  [[nodiscard]] Model peek() const;

  // The model at `path`: now if it runs, otherwise as soon as it does.
  void use(const std::string& path, Then then);

  // How it stands.
  [[nodiscard]] HostView view() const;

  // Takes no more and lets go of all models, once nobody holds them any more.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;
  struct Running {
    Model model;
    Clock::time_point used;
  };
  struct Wish {
    std::string path;
    std::vector<Then> thens;
  };

  void run();
  void serve(std::unique_lock<std::mutex>& lock, Wish wish);
  void load(std::unique_lock<std::mutex>& lock, Wish& wish);
  void serve_running(std::unique_lock<std::mutex>& lock, Wish& wish, const Model& model);
  void failed(std::unique_lock<std::mutex>& lock, Wish& wish, const Error& error);
  [[nodiscard]] bool fits(const std::string& path) const;
  Status make_room(std::unique_lock<std::mutex>& lock, const Wish& wish);
  [[nodiscard]] std::optional<std::string> longest_idle() const;
  void end_and_retire_all(const std::string& why);
  void retire(const std::string& path);
  void let_go(std::unique_lock<std::mutex>& lock);
  void retire_idle();
  void answer(std::unique_lock<std::mutex>& lock, Wish& wish, const Result<Model>& result);
  void add_wish(const std::string& path, Then then);
  void say(std::unique_lock<std::mutex>& lock, const std::string& line, bool bad = false);
  [[nodiscard]] Error not_ready() const;

  const ModelHostOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // All under the mutex.
  std::map<std::string, Running> running_;
  std::vector<std::pair<std::string, Model>> retired_;  // that somebody may still hold
  std::deque<Wish> wishes_;
  std::optional<std::string> loading_;
  int percent_ = 0;
  std::optional<std::string> chosen_;
  std::optional<std::string> becoming_;
  bool is_draining_ = false;  // the models that run take no more: they have to make room
  std::string trouble_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace notso
