// The thread of a store: takes calls from the queue, runs them in shared transactions, answers
// them. Private to the store.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "service/store/sqlite.h"
#include "service/store/sqlite_store.h"
#include "service/store/store_job.h"

namespace notso {

// Starts with the object, ends with it.
class StoreThread {
 public:
  // Waits until the store is open or has failed to.
  explicit StoreThread(SqliteStoreOptions options);
  StoreThread(const StoreThread&) = delete;
  StoreThread& operator=(const StoreThread&) = delete;
  // Runs what waits.
  ~StoreThread();

  // Queues a call, or answers it at once where there is no room.
  void submit(std::unique_ptr<StoreJob> job);
  // Whether the last attempt to open or to write went well.
  [[nodiscard]] Status health() const;

 private:
  using Jobs = std::vector<std::unique_ptr<StoreJob>>;

  void loop();
  Jobs take_jobs();
  Status open();
  Status open_or_set_aside();
  void run(Jobs& jobs);
  void run_alone(const std::unique_ptr<StoreJob>& job);
  Status run_in_transaction(std::span<const std::unique_ptr<StoreJob>> jobs);
  Status run_with_savepoints(std::span<const std::unique_ptr<StoreJob>> jobs);
  std::optional<Error> note_health(bool wrote);
  void set_health(Status health);
  void try_to_recover();
  void log(const std::string& line) const;

  SqliteStoreOptions options_;
  std::unique_ptr<SqliteDatabase> database_;  // of the thread
  std::optional<StoreTables> tables_;         // of the thread, while the database is open

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Jobs queue_;
  std::size_t queue_bytes_ = 0;
  bool stopping_ = false;
  Status health_;
  std::thread thread_;
};

}  // namespace notso
