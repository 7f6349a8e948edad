// A bounded queue from any thread to a coroutine on a strand: the engine pushes, a handler pops
//
//   while (auto batch = co_await queue->pop()) { ... }
//
// A consumer that is too slow makes the queue overflow; it is then closed and forgets what is in
// it, so that memory stays bounded and the producer never waits. Producer and consumer share it
// by shared_ptr; either may outlive the other, and the server.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace notso::http {

// Wakes one waiting coroutine from any thread.
class Wakeup {
 public:
  Wakeup();
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;
  ~Wakeup();

  // Waits until notify() is called, or was called since the last wait ended, or for `time`.
  boost::asio::awaitable<void> wait(std::chrono::milliseconds time);
  // Ends the wait. From any thread.
  void notify();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// See the top of the file. One consumer.
template <class Event>
class EventQueue {
 public:
  // Holds events of at most `bytes_max` bytes together.
  explicit EventQueue(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // Adds an event that counts as `bytes`. False, from any thread, once nobody wants events any
  // more: the queue was closed or has overflowed.
  bool push(Event event, std::size_t bytes) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return false;
      if (bytes > bytes_max_ - bytes_) {
        overflowed_ = true;
        closed_ = true;
        events_.clear();
      } else {
        bytes_ += bytes;
        events_.push_back(std::move(event));
      }
    }
    wakeup_.notify();
    return !overflowed();
  }

  // No more events: pop() gives what is left, then nothing. From any thread.
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    wakeup_.notify();
  }

  // Whether events were lost.
  [[nodiscard]] bool overflowed() const {
    const std::lock_guard lock(mutex_);
    return overflowed_;
  }

  // Waits for events and takes all that are there; nothing once the queue has ended.
  boost::asio::awaitable<std::optional<std::vector<Event>>> pop() {
    while (true) {
      auto batch = co_await pop(std::chrono::hours(1));
      if (!batch || !batch->empty()) co_return batch;
    }
  }

  // The same, but gives an empty batch when none came for `time`.
  boost::asio::awaitable<std::optional<std::vector<Event>>> pop(std::chrono::milliseconds time) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point end = Clock::now() + time;
    auto batch = take();
    while (batch && batch->empty() && Clock::now() < end) {
      co_await wakeup_.wait(std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()));
      batch = take();
    }
    co_return batch;
  }

 private:
  std::optional<std::vector<Event>> take() {
    const std::lock_guard lock(mutex_);
    if (events_.empty() && closed_) return std::nullopt;
    bytes_ = 0;
    return std::exchange(events_, {});
  }

  mutable std::mutex mutex_;
  std::vector<Event> events_;
  std::size_t bytes_ = 0;
  std::size_t bytes_max_;
  bool closed_ = false;
  bool overflowed_ = false;
  Wakeup wakeup_;
};

}  // namespace notso::http
