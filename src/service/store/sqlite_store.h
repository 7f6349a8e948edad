// The default store: one SQLite file, one connection, one thread.
//
// Calls wait in a bounded queue. The thread takes all that wait, runs them in one transaction, and
// answers them after its commit, so that they share one flush of the disk. Where that transaction
// fails, each of them is tried on its own, so that one's fault is not the others'.
//
// A store that cannot be opened or written (no room, a folder without permission, another process)
// answers with the reason and tries again by itself: nothing needs a restart. A file that is
// damaged is renamed to FILE.corrupt-TIME, never deleted, and a new one begun. A file that is no
// database is left alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "service/store/session_store.h"
#include "service/store/store_limits.h"

namespace notso {

// How to keep it. A test may choose the file layer and the clock.
struct SqliteStoreOptions {
  std::string path;  // its folder is made where it is missing, for this user alone
  StoreLimits limits = {};
  std::size_t queue_max = 1024;                           // calls that wait
  std::size_t queue_bytes_max = std::size_t{64} << 20U;   // texts of those
  std::size_t batch_max = 64;                             // calls in one transaction
  std::size_t check_bytes_max = std::size_t{64} << 20U;   // larger files open unchecked
  std::int32_t retry_ms = 1000;                           // between attempts to recover
  std::string vfs;                                        // SQLite's file layer; "": its own
  std::function<std::int64_t()> unix_ms = {};             // the clock; unset: the system's
  std::function<void(const std::string& line)> log = {};  // what an operator should know
};

// Opens the store and waits until it is open or has failed to: health() says which. Destroying it
// answers all calls that wait.
[[nodiscard]] std::unique_ptr<SessionStore> open_sqlite_store(SqliteStoreOptions options);

}  // namespace notso
