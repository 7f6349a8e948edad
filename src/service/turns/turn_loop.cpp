#include "service/turns/turn_loop.h"

#include <chrono>
#include <utility>

namespace notso {

void TurnInbox::post(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    work_.push_back(std::move(work));
  }
  changed_.notify_one();
}

std::function<void()> TurnInbox::take(int wait_ms) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::milliseconds(wait_ms),
                    [this] { return closed_ || !work_.empty(); });
  if (work_.empty()) return {};
  std::function<void()> work = std::move(work_.front());
  work_.pop_front();
  return work;
}

void TurnInbox::close() {
  std::deque<std::function<void()>> dropped;  // destroyed without the lock
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(work_);
  }
  changed_.notify_all();
}

bool TurnInbox::is_closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

TurnLoop::TurnLoop(int tick_ms, std::function<void()> idle)
    : thread_([this, tick_ms, idle = std::move(idle)] { run(tick_ms, idle); }) {}

TurnLoop::~TurnLoop() { stop(); }

void TurnLoop::stop() {
  inbox_->close();
  if (thread_.joinable()) thread_.join();
}

void TurnLoop::run(int tick_ms, const std::function<void()>& idle) {
  using Clock = std::chrono::steady_clock;
  auto last = Clock::now();
  while (!inbox_->is_closed()) {
    if (const auto work = inbox_->take(tick_ms)) work();
    if (Clock::now() - last >= std::chrono::milliseconds(tick_ms)) {
      idle();
      last = Clock::now();
    }
  }
}

}  // namespace notso
