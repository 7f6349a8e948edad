// A file layer for SQLite that fails when it is told to, over the system's own.
#pragma once

#include <atomic>
#include <string>

namespace notso {

// What every file of the layer heeds. All may be set from any thread.
struct FaultyVfs {
  FaultyVfs();
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;
  ~FaultyVfs();

  static constexpr const char* kName = "faulty";

  // 0: no failure; else the SQLite code that opening, or the next writes or flushes, give.
  std::atomic<int> open_error{0};
  std::atomic<int> write_error{0};
  std::atomic<int> sync_error{0};
  // How many of them go well before; and how many fail then (-1: all).
  std::atomic<int> good_before{0};
  std::atomic<int> failures_left{-1};

  // Since the start: flushes, failures made, and files with writes that are not flushed.
  std::atomic<int> syncs{0};
  std::atomic<int> failures{0};
  std::atomic<int> dirty_files{0};

  // Everything works again.
  void heal() {
    open_error = write_error = sync_error = 0;
    good_before = 0;
    failures_left = -1;
  }
};

}  // namespace notso
