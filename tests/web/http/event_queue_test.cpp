#include "web/http/event_queue.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>
#include <memory>
#include <thread>

namespace notso::http {
namespace {

namespace asio = boost::asio;

using Queue = EventQueue<int>;

// Pops until the end, on an io_context of its own; the events that came.
std::vector<int> drain(const std::shared_ptr<Queue>& queue) {
  std::vector<int> all;
  asio::io_context context;
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        while (auto batch = co_await queue->pop()) {
          all.insert(all.end(), batch->begin(), batch->end());
        }
      },
      asio::detached);
  context.run();
  return all;
}

TEST(EventQueue, EventsOfAnotherThreadArriveInOrder) {
  const auto queue = std::make_shared<Queue>(1 << 20);
  constexpr int kEvents = 2000;
  std::thread producer([&] {
    for (int i = 0; i < kEvents; ++i) {
      EXPECT_TRUE(queue->push(i, 4));
      if (i % 50 == 0) std::this_thread::yield();
    }
    queue->close();
  });
  const std::vector<int> all = drain(queue);
  producer.join();
  ASSERT_EQ(all.size(), static_cast<std::size_t>(kEvents));
  for (int i = 0; i < kEvents; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)], i);
}

TEST(EventQueue, WhatWasPushedBeforeTheEndIsStillGiven) {
  const auto queue = std::make_shared<Queue>(100);
  queue->push(1, 4);
  queue->push(2, 4);
  queue->close();
  EXPECT_FALSE(queue->push(3, 4));
  EXPECT_EQ(drain(queue), (std::vector<int>{1, 2}));
  EXPECT_FALSE(queue->overflowed());
}

TEST(EventQueue, AConsumerThatIsTooSlowLosesTheQueue) {
  const auto queue = std::make_shared<Queue>(10);
  EXPECT_TRUE(queue->push(1, 4));
  EXPECT_TRUE(queue->push(2, 6));
  EXPECT_FALSE(queue->push(3, 1));
  EXPECT_FALSE(queue->push(4, 1));
  EXPECT_TRUE(queue->overflowed());
  EXPECT_TRUE(drain(queue).empty());
}

TEST(EventQueue, TakenEventsMakeRoom) {
  const auto queue = std::make_shared<Queue>(10);
  asio::io_context context;
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        for (int i = 0; i < 5; ++i) {
          EXPECT_TRUE(queue->push(i, 10));
          const auto batch = co_await queue->pop();
          EXPECT_EQ(batch.value_or(std::vector<int>{}), std::vector<int>{i});
        }
      },
      asio::detached);
  context.run();
}

TEST(EventQueue, AnIdleQueueGivesAnEmptyBatchAfterTheTime) {
  const auto queue = std::make_shared<Queue>(10);
  asio::io_context context;
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        queue->push(1, 1);
        EXPECT_EQ((co_await queue->pop(std::chrono::milliseconds(20)))->size(), 1U);
        const auto start = std::chrono::steady_clock::now();
        const auto batch = co_await queue->pop(std::chrono::milliseconds(20));
        EXPECT_TRUE(batch && batch->empty());
        EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(20));
      },
      asio::detached);
  context.run();
}

TEST(EventQueue, AProducerMayGoOnAfterTheConsumersContextIsGone) {
  const auto queue = std::make_shared<Queue>(100);
  {
    asio::io_context context;
    asio::co_spawn(
        context,
        [queue]() -> asio::awaitable<void> {
          while (co_await queue->pop()) {
          }
        },
        asio::detached);
    context.run_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(queue->push(1, 1));
  queue->close();
}

}  // namespace
}  // namespace notso::http
