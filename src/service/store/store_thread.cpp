#include "service/store/store_thread.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <iterator>
#include <utility>

#include "service/store/schema.h"
#include "service/store/store_file.h"

namespace notso {
namespace {

std::int64_t system_unix_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

}  // namespace

StoreThread::StoreThread(SqliteStoreOptions options) : options_(std::move(options)) {
  if (!options_.unix_ms) options_.unix_ms = system_unix_ms;
  bool opened = false;
  thread_ = std::thread([this, &opened] {
    static_cast<void>(open());
    {
      const std::lock_guard lock(mutex_);
      opened = true;
      changed_.notify_all();
    }
    loop();
  });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return opened; });
}

StoreThread::~StoreThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void StoreThread::submit(std::unique_ptr<StoreJob> job) {
  {
    const std::lock_guard lock(mutex_);
    const bool is_full =
        queue_.size() >= options_.queue_max ||
        (queue_bytes_ > 0 && queue_bytes_ + job->bytes() > options_.queue_bytes_max);
    if (stopping_) {
      job->fail_with({ErrorCode::kUnavailable, "the store is closing"});
    } else if (is_full) {
      job->fail_with(
          {ErrorCode::kUnavailable, "too many requests wait for the store: try again in a moment"});
    } else {
      queue_bytes_ += job->bytes();
      queue_.push_back(std::move(job));
      changed_.notify_all();
      return;
    }
  }
  job->answer();
}

Status StoreThread::health() const {
  const std::lock_guard lock(mutex_);
  return health_;
}

void StoreThread::set_health(Status health) {
  bool news = false;
  {
    const std::lock_guard lock(mutex_);
    news = health.has_value() != health_.has_value() ||
           (!health && health.error().message != health_.error().message);
    health_ = health;
  }
  if (news) log(health ? "the store works again" : health.error().message);
}

void StoreThread::log(const std::string& line) const {
  if (options_.log) options_.log(line);
}

void StoreThread::loop() {
  while (true) {
    Jobs jobs = take_jobs();
    if (!jobs.empty()) {
      run(jobs);
      for (const auto& job : jobs) job->answer();
      continue;
    }
    {
      const std::lock_guard lock(mutex_);
      if (stopping_ && queue_.empty()) break;
    }
    try_to_recover();
  }
  tables_.reset();
  database_.reset();
}

// Waits for calls; none at the end, or when it is time to try to recover.
StoreThread::Jobs StoreThread::take_jobs() {
  std::unique_lock lock(mutex_);
  const auto ready = [&] { return stopping_ || !queue_.empty(); };
  if (health_) {
    changed_.wait(lock, ready);
  } else {
    changed_.wait_for(lock, std::chrono::milliseconds(options_.retry_ms), ready);
  }
  Jobs jobs;
  const std::size_t count = std::min(queue_.size(), options_.batch_max);
  const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(count);
  std::move(queue_.begin(), end, std::back_inserter(jobs));
  queue_.erase(queue_.begin(), end);
  for (const auto& job : jobs) queue_bytes_ -= job->bytes();
  return jobs;
}

Status StoreThread::open() {
  if (database_) return {};
  Status opened = open_or_set_aside();
  set_health(opened);
  return opened;
}

Status StoreThread::open_or_set_aside() {
  const auto attempt = [&] {
    return open_store_file(options_.path, options_.vfs, options_.check_bytes_max);
  };
  auto database = attempt();
  if (!database && database.error().code == ErrorCode::kDataLoss) {
    auto name = set_aside(options_.path, options_.unix_ms());
    if (!name) return pass_on(name);
    log(fmt::format("{}; it is kept as {}, and a new store is begun", database.error().message,
                    *name));
    database = attempt();
  }
  if (!database) return pass_on(database);
  database_ = std::move(*database);
  static_cast<void>(database_->take_failure());
  tables_.emplace(StoreTables{*database_, options_.limits, options_.unix_ms});
  return {};
}

void StoreThread::run(Jobs& jobs) {
  const bool writes =
      std::any_of(jobs.begin(), jobs.end(), [](const auto& job) { return job->writes(); });
  if (writes && jobs.size() > 1 && open() && run_in_transaction(jobs)) return;
  for (const auto& job : jobs) run_alone(job);
}

void StoreThread::run_alone(const std::unique_ptr<StoreJob>& job) {
  Status done = open();
  if (done && job->writes()) {
    done = run_in_transaction({&job, 1});
  } else if (done) {
    job->run(*tables_);
    note_health(false);
  }
  if (!done) job->fail_with(done.error());
}

Status StoreThread::run_in_transaction(std::span<const std::unique_ptr<StoreJob>> jobs) {
  Status done = database_->run("BEGIN IMMEDIATE");
  if (done) done = run_with_savepoints(jobs);
  if (done) done = database_->run("COMMIT");
  // Some failures have ended the transaction already.
  if (database_->in_transaction()) static_cast<void>(database_->run("ROLLBACK"));
  const auto failure = note_health(true);
  if (!done && failure) return tl::unexpected<Error>(*failure);
  return done;
}

// A call that fails leaves nothing behind, and the others' work stays.
Status StoreThread::run_with_savepoints(std::span<const std::unique_ptr<StoreJob>> jobs) {
  for (const auto& job : jobs) {
    if (auto marked = database_->run("SAVEPOINT call"); !marked) return marked;
    const bool ok = job->run(*tables_);
    if (!database_->in_transaction()) {
      return fail(ErrorCode::kInternal, "the database gave up the transaction");
    }
    if (!ok) {
      if (auto undone = database_->run("ROLLBACK TO call"); !undone) return undone;
    }
    if (auto released = database_->run("RELEASE call"); !released) return released;
  }
  return {};
}

// What SQLite has had to say since the last time decides; it is returned. A damaged file is closed,
// so that the next call opens it again, checks it, and sets it aside if it is.
std::optional<Error> StoreThread::note_health(bool wrote) {
  auto failure = database_->take_failure();
  if (failure) {
    set_health(tl::unexpected<Error>(*failure));
    if (failure->code == ErrorCode::kDataLoss) {
      tables_.reset();
      database_.reset();
    }
  } else if (wrote) {
    set_health({});
  }
  return failure;
}

// Opens the file again, or writes what is there already.
void StoreThread::try_to_recover() {
  if (health() || !open()) return;
  const std::unique_ptr<StoreJob> probe = std::make_unique<StoreCall<void>>(
      true, 0, [](StoreTables& tables) { return write_probe(tables.database); },
      SessionStore::Then<void>());
  static_cast<void>(run_in_transaction({&probe, 1}));
}

}  // namespace notso
