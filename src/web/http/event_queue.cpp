#include "web/http/event_queue.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdint>

namespace notso::http {

namespace asio = boost::asio;

// The timer lives in the frame of the waiting coroutine, and so does every reference to its
// executor: a queue that outlives the server holds nothing of it.
struct Wakeup::State {
  std::mutex mutex;
  asio::steady_timer* waiting = nullptr;
  std::uint64_t wait_number = 0;
  bool notified = false;

  // Ends `number`'s wait if it is still going on. On its strand.
  void wake(std::uint64_t number) {
    const std::lock_guard lock(mutex);
    if (waiting != nullptr && wait_number == number) waiting->cancel();
  }
};

Wakeup::Wakeup() : state_(std::make_shared<State>()) {}
Wakeup::~Wakeup() = default;

asio::awaitable<void> Wakeup::wait(std::chrono::milliseconds time) {
  // Leaves the state as it is without a wait, also when the frame is destroyed.
  struct Leave {
    State& state;
    ~Leave() {
      const std::lock_guard lock(state.mutex);
      state.waiting = nullptr;
      state.notified = false;
    }
  };
  const std::shared_ptr<State> state = state_;
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  const Leave leave{*state};
  {
    const std::lock_guard lock(state->mutex);
    if (state->notified) co_return;
    state->waiting = &timer;
    ++state->wait_number;
  }
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

void Wakeup::notify() {
  const std::lock_guard lock(state_->mutex);
  if (state_->notified) return;
  state_->notified = true;
  if (state_->waiting == nullptr) return;
  asio::post(state_->waiting->get_executor(),
             [state = state_, number = state_->wait_number] { state->wake(number); });
}

}  // namespace notso::http
