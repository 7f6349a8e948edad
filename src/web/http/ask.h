// Waiting in a coroutine for a call that answers through a callback, from whatever thread:
//
//   auto chat = co_await http::ask<Conversation>([&](auto then) { store.get(owner, id, then); });
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <utility>

#include "base/result.h"
#include "web/http/event_queue.h"

namespace notso::http {

// Calls `start` with the callback, and waits on the coroutine's strand for what that is given.
template <class T, class Start>
boost::asio::awaitable<Result<T>> ask(Start start) {
  auto queue = std::make_shared<EventQueue<Result<T>>>(1);
  start([queue](Result<T> result) { queue->push(std::move(result), 1); });
  auto batch = co_await queue->pop();
  if (!batch) co_return fail(ErrorCode::kInternal, "there was no answer");
  co_return std::move(batch->front());
}

}  // namespace notso::http
