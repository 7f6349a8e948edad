#include "base/thread_pool.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace notso {
namespace {

// A loop's chunks come every few microseconds while a step runs, so a waiting thread looks for the
// next loop about 20 microseconds long before it gives its core back.
constexpr int kSpins = 2000;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

// The gate tells helpers whether there is a loop to join: its number, whether it is open, and how
// many helpers are inside. The caller opens it for a loop, closes it when no chunk is left, and
// waits only for helpers that are inside: one that the system did not run in time misses the loop
// and delays nobody. Helpers that sleep are counted, so that a caller without sleepers makes no
// system call.
struct ThreadPool::Team {
  static constexpr std::uint64_t kInside = 0xffff;  // mask of the helpers inside
  static constexpr std::uint64_t kOpen = 0x10000;
  static constexpr std::uint64_t kNextLoop = 0x20000;

  // The chunks that one thread takes first, in order; others take from it when theirs are done.
  struct alignas(64) Share {
    std::atomic<std::int64_t> next{0};
    std::int64_t end = 0;
  };

  explicit Team(int size) : shares(static_cast<std::size_t>(size)) {}

  std::atomic<std::uint64_t> gate{0};
  std::atomic<bool> stopping{false};
  std::vector<Share> shares;
  std::int64_t most = 1;  // chunks in a range
  Task task = nullptr;
  void* context = nullptr;

  std::mutex mutex;
  std::condition_variable wake;
  int sleepers = 0;  // guarded by mutex
  std::vector<std::thread> helpers;

  static std::uint64_t loop_of(std::uint64_t value) { return value / kNextLoop; }

  void deal(std::int64_t chunks) {
    const auto threads = static_cast<std::int64_t>(shares.size());
    for (std::int64_t i = 0; i < threads; ++i) {
      Share& share = shares[static_cast<std::size_t>(i)];
      share.next.store(chunks * i / threads, std::memory_order_relaxed);
      share.end = chunks * (i + 1) / threads;
    }
  }

  // Takes the next range of a share; nothing if there is none.
  bool take(Share& share, std::int64_t& first, std::int64_t& count) const {
    first = share.next.load(std::memory_order_relaxed);
    do {
      const std::int64_t left = share.end - first;
      if (left <= 0) return false;
      count = std::clamp<std::int64_t>((left + 1) / 2, 1, most);
    } while (!share.next.compare_exchange_weak(first, first + count, std::memory_order_relaxed));
    return true;
  }

  void take_chunks(int thread) {
    std::int64_t first = 0;
    std::int64_t count = 0;
    for (std::size_t i = 0; i < shares.size(); ++i) {
      Share& share = shares[(static_cast<std::size_t>(thread) + i) % shares.size()];
      while (take(share, first, count)) task(context, first, count, thread);
    }
  }

  void wait_for_loop_after(std::uint64_t seen) {
    for (int i = 0; i < kSpins; ++i) {
      if (loop_of(gate.load(std::memory_order_acquire)) != seen) return;
      relax();
    }
    std::unique_lock lock(mutex);
    ++sleepers;
    wake.wait(lock, [&] { return loop_of(gate.load(std::memory_order_acquire)) != seen; });
    --sleepers;
  }

  void help(int thread) {
    std::uint64_t seen = 0;
    for (;;) {
      wait_for_loop_after(seen);
      std::uint64_t value = gate.load(std::memory_order_acquire);
      // Looked at after the gate: whoever sees the last loop's number also sees that it is the
      // last.
      if (stopping.load(std::memory_order_acquire)) return;
      seen = loop_of(value);
      while ((value & kOpen) != 0 && loop_of(value) == seen) {
        if (!gate.compare_exchange_weak(value, value + 1, std::memory_order_acq_rel)) continue;
        take_chunks(thread);
        gate.fetch_sub(1, std::memory_order_release);
        break;
      }
    }
  }

  // Raises the loop's number, under the mutex, so that a helper about to sleep cannot miss it.
  void open() {
    bool anyone_sleeps = false;
    {
      const std::lock_guard lock(mutex);
      gate.fetch_add(kNextLoop + kOpen, std::memory_order_release);
      anyone_sleeps = sleepers > 0;
    }
    if (anyone_sleeps) wake.notify_all();
  }

  // Lets nobody in any more and waits until all are out.
  void close() {
    gate.fetch_sub(kOpen, std::memory_order_acq_rel);
    for (int i = 0; (gate.load(std::memory_order_acquire) & kInside) != 0; ++i) {
      if (i < kSpins) {
        relax();
      } else {
        std::this_thread::yield();
      }
    }
  }
};

ThreadPool::ThreadPool(int size)
    : size_(size < 1 ? 1 : size), team_(std::make_unique<Team>(size_)) {
  try {
    for (int i = 1; i < size_; ++i) {
      team_->helpers.emplace_back([team = team_.get(), i] { team->help(i); });
    }
  } catch (const std::system_error&) {
    // There are no more threads to be had: those that are there take the others' shares too.
    size_ = 1 + static_cast<int>(team_->helpers.size());
  }
}

ThreadPool::~ThreadPool() {
  team_->stopping.store(true, std::memory_order_release);
  team_->open();
  for (auto& helper : team_->helpers) helper.join();
}

void ThreadPool::run_erased(std::int64_t chunks, std::int64_t most, Task task, void* context) {
  if (chunks <= 0) return;
  if (size_ == 1 || chunks == 1) {
    for (std::int64_t i = 0; i < chunks; i += most) {
      task(context, i, std::min(most, chunks - i), 0);
    }
    return;
  }
  team_->most = most;
  team_->task = task;
  team_->context = context;
  team_->deal(chunks);
  team_->open();
  team_->take_chunks(0);
  team_->close();
}

}  // namespace notso
