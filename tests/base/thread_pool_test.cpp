// The thread pool: every chunk once, on every size of team, and no processor time while idle.
#include "base/thread_pool.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <thread>
#include <vector>

namespace notso {
namespace {

using namespace std::chrono_literals;

std::chrono::nanoseconds process_cpu_time() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// Runs a loop whose chunks wait for each other, so that it only ends if every thread takes part.
void meet_all_threads(ThreadPool& pool) {
  std::atomic<int> arrived{0};
  pool.run(pool.size(), [&](std::int64_t, int) {
    ++arrived;
    while (arrived.load() < pool.size()) std::this_thread::yield();
  });
  EXPECT_EQ(arrived.load(), pool.size());
}

TEST(ThreadPool, RunsEveryChunkOnceForAnyTeamAndLoop) {
  for (int size = 1; size <= 6; ++size) {
    ThreadPool pool(size);
    for (const std::int64_t chunks : {0, 1, 2, 3, 5, 64, 1000}) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(chunks));
      pool.run(chunks, [&](std::int64_t chunk, int) { ++runs[static_cast<std::size_t>(chunk)]; });
      for (const auto& count : runs) ASSERT_EQ(count.load(), 1) << size << " threads, " << chunks;
    }
  }
}

TEST(ThreadPool, ThreadNumbersAreDistinctAndInsideTheTeam) {
  ThreadPool pool(4);
  std::vector<std::atomic<int>> users(4);
  std::atomic<int> clashes{0};
  pool.run(2000, [&](std::int64_t, int thread) {
    auto& user = users.at(static_cast<std::size_t>(thread));
    if (user.fetch_add(1) != 0) ++clashes;
    user.fetch_sub(1);
  });
  EXPECT_EQ(clashes.load(), 0);
}

TEST(ThreadPool, WhatHelpersWroteIsSeenAfterTheLoopWithoutAtomics) {
  ThreadPool pool(3);
  std::vector<std::int64_t> values(300);
  for (std::int64_t round = 1; round <= 200; ++round) {
    pool.run(300, [&](std::int64_t i, int) { values[static_cast<std::size_t>(i)] += i * round; });
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(values[i], static_cast<std::int64_t>(i) * 20100);
  }
}

TEST(ThreadPool, ManyShortLoopsLoseNothing) {
  ThreadPool pool(4);
  std::atomic<std::int64_t> total{0};
  for (int round = 0; round < 5000; ++round) {
    pool.run(1 + round % 7, [&](std::int64_t chunk, int) { total += chunk + 1; });
  }
  std::int64_t expected = 0;
  for (int round = 0; round < 5000; ++round) expected += (1 + round % 7) * (2 + round % 7) / 2;
  EXPECT_EQ(total.load(), expected);
}

TEST(ThreadPool, AWorkerMayUseAPoolOfItsOwn) {
  ThreadPool outer(3);
  std::atomic<int> total{0};
  outer.run(6, [&](std::int64_t, int) {
    ThreadPool inner(2);
    inner.run(10, [&](std::int64_t, int) { ++total; });
  });
  EXPECT_EQ(total.load(), 60);
}

TEST(ThreadPool, HelpersThatFellAsleepWakeUp) {
  ThreadPool pool(4);
  for (int round = 0; round < 5; ++round) {
    meet_all_threads(pool);
    std::this_thread::sleep_for(20ms);
  }
  meet_all_threads(pool);
}

TEST(ThreadPool, EndsWhetherItsHelpersSleepOrSpin) {
  for (int round = 0; round < 50; ++round) {
    ThreadPool pool(4);
    if (round % 2 == 0) meet_all_threads(pool);
    if (round % 10 == 0) std::this_thread::sleep_for(5ms);
  }
}

// Helpers that the system runs late have missed the last loop when the pool goes.
TEST(ThreadPool, EndsThoughHelpersHaveNotBegun) {
  for (int round = 0; round < 500; ++round) {
    ThreadPool pool(6);
    pool.run(2, [](std::int64_t, int) {});
  }
}

TEST(ThreadPool, MakesDoWithTheThreadsThatThereAre) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer needs the address space that this test takes away";
#else
  const auto few_threads = [] {
    // Every thread reserves its stack, so this bounds their number.
    constexpr rlim_t kBytes = rlim_t{1} << 28U;
    const rlimit limit = {kBytes, kBytes};
    if (setrlimit(RLIMIT_AS, &limit) != 0) std::_Exit(2);
    ThreadPool pool(400);
    std::atomic<int> runs{0};
    pool.run(1000, [&](std::int64_t, int) { ++runs; });
    std::_Exit(pool.size() < 400 && runs == 1000 ? 0 : 1);
  };
  EXPECT_EXIT(few_threads(), ::testing::ExitedWithCode(0), "");
#endif
}

TEST(ThreadPool, BurnsNoProcessorTimeWhileIdle) {
  ThreadPool pool(4);
  meet_all_threads(pool);
  // Helpers that the system runs late fall asleep late.
  std::this_thread::sleep_for(200ms);
  const auto before = process_cpu_time();
  std::this_thread::sleep_for(200ms);
  // Even one helper that spins would take twice as much.
  EXPECT_LT(process_cpu_time() - before, 100ms);
}

TEST(ThreadPool, ATeamHasAtLeastItsCaller) {
  ThreadPool pool(0);
  EXPECT_EQ(pool.size(), 1);
  meet_all_threads(pool);
}

}  // namespace
}  // namespace notso
