// One thread that does what it is given, in order. Private to the turns: all their state belongs to
// it, so nothing there is locked, and the engine and the store never wait for it.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace notso {

// Where the work waits. Others keep it alive as long as they may have something to post.
class TurnInbox {
 public:
  // Adds a piece of work; after close() it is dropped.
  void post(std::function<void()> work);
  // The next piece of work; none after close(), or when `wait_ms` are over.
  std::function<void()> take(int wait_ms);
  // Drops what waits and all that comes.
  void close();
  [[nodiscard]] bool is_closed() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> work_;
  bool closed_ = false;
};

// Runs until it is destroyed.
class TurnLoop {
 public:
  // `idle` is called about every `tick_ms`, and between pieces of work at least as often.
  TurnLoop(int tick_ms, std::function<void()> idle);
  TurnLoop(const TurnLoop&) = delete;
  TurnLoop& operator=(const TurnLoop&) = delete;
  ~TurnLoop();

  // Ends the thread: what waits is dropped.
  void stop();

  [[nodiscard]] const std::shared_ptr<TurnInbox>& inbox() const { return inbox_; }
  // Adds a piece of work.
  void post(std::function<void()> work) { inbox_->post(std::move(work)); }

 private:
  void run(int tick_ms, const std::function<void()>& idle);

  std::shared_ptr<TurnInbox> inbox_ = std::make_shared<TurnInbox>();
  std::thread thread_;
};

}  // namespace notso
