// The engine's thread, and the door to it: other threads leave requests and cancels in an inbox,
// the thread takes them in between two steps. It never holds the lock while it works, so policies
// may call the engine.

#include "service/engine/engine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "service/engine/engine_loop.h"

namespace notso {
namespace {

// How often an idle engine looks after its cache's files.
constexpr std::chrono::seconds kIdleLook{1};

// What other threads want of the engine's.
struct Inbox {
  struct Arrival {
    RequestId id;
    EngineRequest request;
    double submitted_s;
  };
  std::vector<Arrival> arrivals;
  std::vector<RequestId> cancels;
  bool drop_caches = false;
  bool stop = false;

  [[nodiscard]] bool is_empty() const {
    return arrivals.empty() && cancels.empty() && !drop_caches && !stop;
  }

  // Adds those that have arrived to those that wait.
  void count_arrivals(EngineStats& stats) const {
    stats.waiting += static_cast<std::int32_t>(arrivals.size());
    stats.background_waiting += static_cast<std::int32_t>(std::count_if(
        arrivals.begin(), arrivals.end(),
        [](const Arrival& arrival) { return arrival.request.priority == Priority::kBackground; }));
  }
};

class ThreadedEngine : public Engine {
 public:
  ThreadedEngine(std::unique_ptr<EngineLoop> loop, const EngineOptions& options)
      : loop_(std::move(loop)), options_(options), stats_(loop_->stats()) {
    // Who hears of an answer's end and asks again at once finds its place free, and it counted.
    loop_->set_counted([this] { show_stats(); });
    thread_ = std::thread([this] { run(); });
  }

  ~ThreadedEngine() override {
    {
      const std::lock_guard lock(mutex_);
      inbox_.stop = true;
      stopped_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  Result<RequestId> submit(EngineRequest request) override {
    const Status fits = loop_->check(request);
    const std::lock_guard lock(mutex_);
    ++stats_.submitted;
    Status accepted = fits ? find_place(request) : fits;
    if (!accepted) {
      ++stats_.refused;
      return pass_on(accepted);
    }
    const RequestId id = ++last_id_;
    inbox_.arrivals.push_back({id, std::move(request), loop_->now_s()});
    wake_.notify_one();
    return id;
  }

  void cancel(RequestId id) override {
    const std::lock_guard lock(mutex_);
    inbox_.cancels.push_back(id);
    wake_.notify_one();
  }

  double expected_wait_s() const override { return wait_s_.load(std::memory_order_relaxed); }

  EngineStats stats() const override {
    const std::lock_guard lock(mutex_);
    EngineStats stats = stats_;
    inbox_.count_arrivals(stats);
    return stats;
  }

  void drop_caches() override {
    const std::lock_guard lock(mutex_);
    inbox_.drop_caches = true;
    wake_.notify_one();
  }

 private:
  // Whether the queue takes one more; the lock is held. What runs in the background takes no place
  // from anybody: neither in the queue nor, as it makes way, among those that run. What is pinned
  // is the server's own.
  Status find_place(const EngineRequest& request) const {
    if (stopped_) return fail(ErrorCode::kUnavailable, "the engine is stopping");
    if (request.pin) return {};
    EngineStats now = stats_;
    inbox_.count_arrivals(now);
    const bool background = request.priority == Priority::kBackground;
    const std::int32_t others = now.waiting - now.background_waiting;
    const std::int32_t waiting = background ? now.background_waiting : others;
    const std::int32_t places =
        options_.running_max - now.running + (background ? -others : now.background_running);
    if (waiting < options_.queue_max + std::max(places, 0)) return {};
    return fail(ErrorCode::kUnavailable, "the queue is full (" + std::to_string(waiting) +
                                             " requests wait); try again later");
  }

  void run() {
    bool goes_on = true;
    while (goes_on) {
      try {
        goes_on = work();
      } catch (const std::exception&) {
        has_work_ = true;  // an allocation failed outside of a step; the next round may do better
      }
    }
    loop_->end_all();
    show_stats();
  }

  // One round of the thread. False when it is to stop.
  bool work() {
    const Inbox inbox = wait_for_work();
    for (const RequestId id : inbox.cancels) loop_->cancel(id);
    if (inbox.drop_caches) loop_->drop_caches();
    if (inbox.stop) return false;
    has_work_ = loop_->step();
    show_stats();
    return true;
  }

  // Takes in what has arrived; waits for it if there is nothing else to do. A cancel that came
  // together with its request finds it.
  Inbox wait_for_work() {
    std::unique_lock lock(mutex_);
    while (!has_work_ && inbox_.is_empty()) {
      if (wake_.wait_for(lock, kIdleLook) == std::cv_status::no_timeout) continue;
      lock.unlock();
      loop_->maintain();
      lock.lock();
    }
    Inbox inbox = std::exchange(inbox_, Inbox{});
    inbox.count_arrivals(stats_);
    lock.unlock();
    for (Inbox::Arrival& arrival : inbox.arrivals) {
      loop_->add(arrival.id, std::move(arrival.request), arrival.submitted_s);
    }
    return inbox;
  }

  // The thread's counts become everybody's.
  void show_stats() {
    EngineStats stats = loop_->stats();
    wait_s_.store(loop_->expected_wait_s(stats.waiting), std::memory_order_relaxed);
    const std::lock_guard lock(mutex_);
    stats.submitted = stats_.submitted;
    stats.refused = stats_.refused;
    stats_ = stats;
  }

  const std::unique_ptr<EngineLoop> loop_;
  const EngineOptions options_;
  bool has_work_ = false;  // the thread's own

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  Inbox inbox_;
  EngineStats stats_;
  RequestId last_id_ = 0;
  bool stopped_ = false;
  std::atomic<double> wait_s_ = 0;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Engine>> Engine::start(StepModel& model, EngineOptions options) {
  auto loop = EngineLoop::make(model, std::move(options));
  if (!loop) return pass_on(loop);
  const EngineOptions& settled = (*loop)->options();
  return std::unique_ptr<Engine>(new ThreadedEngine(std::move(*loop), settled));
}

}  // namespace notso
