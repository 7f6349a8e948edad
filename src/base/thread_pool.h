// A fixed team of threads for short parallel loops: the caller is one of them. Each thread has a
// share of neighbouring chunks, so that memory is read on from where it stopped, and takes from the
// others' when its own are done (the machine's owner may slow any core at any time). Idle threads
// spin briefly, then sleep.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>

namespace notso {

// `size` threads in all, the caller included, or as many as the system lets this process have. One
// thread at a time may call `run`.
class ThreadPool {
 public:
  // Starts up to size - 1 threads; they live as long as the pool.
  explicit ThreadPool(int size);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  [[nodiscard]] int size() const { return size_; }

  // Calls body(chunk, thread) once for every chunk in [0, chunks), on all threads, and returns when
  // all are done. Which thread runs a chunk is not determined. Does not allocate.
  template <class Body>
  void run(std::int64_t chunks, Body&& body) {
    run_ranges(chunks, 1,
               [&](std::int64_t chunk, std::int64_t, int thread) { body(chunk, thread); });
  }

  // The same for work that likes long runs: calls body(first, count, thread) for ranges of chunks
  // that together are [0, chunks). A range is half of what its share still has, at most `most`:
  // long while much is left, short towards the end, when threads must finish together.
  template <class Body>
  void run_ranges(std::int64_t chunks, std::int64_t most, Body&& body) {
    using Plain = std::remove_reference_t<Body>;
    run_erased(
        chunks, most,
        [](void* context, std::int64_t first, std::int64_t count, int thread) {
          (*static_cast<Plain*>(context))(first, count, thread);
        },
        const_cast<void*>(static_cast<const void*>(&body)));
  }

 private:
  using Task = void (*)(void* context, std::int64_t first, std::int64_t count, int thread);
  void run_erased(std::int64_t chunks, std::int64_t most, Task task, void* context);

  struct Team;
  int size_;
  std::unique_ptr<Team> team_;
};

}  // namespace notso
