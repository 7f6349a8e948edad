#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <future>
#include <sqlite3.h>
#include <string>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "faulty_vfs.h"
#include "store_fixture.h"

namespace notso {
namespace {

class Faults : public StoreTest {
 protected:
  Faults() {
    options_.vfs = FaultyVfs::kName;
    options_.log = [this](const std::string& line) { log_ += line + "\n"; };
  }
  ~Faults() override { close(); }

  // Waits until the store says that it works.
  void wait_until_healthy() {
    while (!store_->health()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  std::size_t files_named(const std::string& part) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      count += entry.path().filename().string().find(part) != std::string::npos ? 1U : 0U;
    }
    return count;
  }

  void run_sql(const std::string& sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(options_.path.c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(database);
  }

  // Fails one write (or flush) after the other while messages are added. None that is acknowledged
  // may be missing, none that is refused may be there, and the next must work at once.
  void fail_each(std::atomic<int>& which, int code, ErrorCode expected) {
    WaitingStore store = open();
    const SessionId id = store.create("anna", "Bread")->id;
    std::vector<std::string> acknowledged;
    int refused = 0;
    for (int good = 0;; ++good) {
      const int before = vfs_.failures;
      vfs_.good_before = good;
      vfs_.failures_left = 1;
      which = code;
      const std::string text = "message " + std::to_string(good);
      const auto added = store.append("anna", id, user_message(text));
      const bool failed = vfs_.failures > before;
      vfs_.heal();
      if (added) {
        acknowledged.push_back(text);
      } else {
        ++refused;
        EXPECT_EQ(added.error().code, expected) << added.error().message;
      }
      const auto next = store.append("anna", id, user_message("next"));
      ASSERT_TRUE(next) << next.error().message;
      acknowledged.emplace_back("next");
      if (!failed) break;
    }
    EXPECT_GT(refused, 0);
    store = open();
    EXPECT_TRUE(store_->health());
    std::vector<std::string> found;
    const auto all = store.messages("anna", id);
    for (const auto& stored : *all) found.push_back(stored.message.content);
    EXPECT_EQ(found, acknowledged);
    EXPECT_EQ(files_named("corrupt"), 0U);
  }

  FaultyVfs vfs_;
  std::string log_;
};

TEST_F(Faults, OfAnyWriteForWantOfRoomLoseNothingThatWasAcknowledged) {
  fail_each(vfs_.write_error, SQLITE_FULL, ErrorCode::kResourceExhausted);
}

TEST_F(Faults, OfAnyWriteByTheDiskLoseNothingThatWasAcknowledged) {
  fail_each(vfs_.write_error, SQLITE_IOERR_WRITE, ErrorCode::kUnavailable);
}

TEST_F(Faults, OfAnyFlushLoseNothingThatWasAcknowledged) {
  fail_each(vfs_.sync_error, SQLITE_IOERR_FSYNC, ErrorCode::kUnavailable);
}

TEST_F(Faults, OfAFullDiskAreToldAndEndWithoutARestart) {
  WaitingStore store = open();
  const SessionId id = store.create("anna", "Bread")->id;
  vfs_.write_error = SQLITE_FULL;
  const auto refused = store.append("anna", id, user_message("lost"));
  EXPECT_EQ(code_of(refused), ErrorCode::kResourceExhausted);
  EXPECT_EQ(refused.error().message,
            "no room left for " + options_.path + ": nothing was stored; free some disk space");
  EXPECT_EQ(code_of(store_->health()), ErrorCode::kResourceExhausted);
  EXPECT_TRUE(store.path("anna", id)) << "reading still works";
  vfs_.heal();
  wait_until_healthy();
  EXPECT_TRUE(store.append("anna", id, user_message("kept")));
  EXPECT_EQ(store.messages("anna", id)->size(), 1U);
  close();
  EXPECT_NE(log_.find("the store works again"), std::string::npos) << log_;
}

TEST_F(Faults, OfOpeningAreToldAndEndWithoutARestart) {
  vfs_.open_error = SQLITE_CANTOPEN;
  WaitingStore store = open();
  EXPECT_EQ(code_of(store_->health()), ErrorCode::kUnavailable);
  EXPECT_NE(store_->health().error().message.find(options_.path), std::string::npos);
  EXPECT_EQ(code_of(store.create("anna", "Bread")), ErrorCode::kUnavailable);
  vfs_.heal();
  EXPECT_TRUE(store.create("anna", "Bread"));
  EXPECT_TRUE(store_->health());
}

TEST_F(Faults, OfAFolderThatMayNotBeWrittenAreTold) {
  if (geteuid() == 0) GTEST_SKIP() << "the superuser may write everywhere";
  ASSERT_EQ(chmod(folder_.c_str(), 0500), 0);
  WaitingStore store = open();
  EXPECT_EQ(code_of(store.create("anna", "Bread")), ErrorCode::kUnavailable);
  ASSERT_EQ(chmod(folder_.c_str(), 0700), 0);
  EXPECT_TRUE(store.create("anna", "Bread"));
}

TEST_F(Faults, OfAFolderThatCannotBeMadeAreTold) {
  std::ofstream(folder_ / "file") << "text";
  options_.path = folder_ / "file" / "store.sqlite";
  WaitingStore store = open();
  EXPECT_EQ(code_of(store.create("anna", "Bread")), ErrorCode::kUnavailable);
  std::filesystem::remove(folder_ / "file");
  EXPECT_TRUE(store.create("anna", "Bread"));
}

TEST_F(Faults, MissingFoldersAreMadeForThisUserAlone) {
  options_.path = folder_ / "a" / "b" / "store.sqlite";
  ASSERT_TRUE(open().create("anna", "Bread"));
  struct stat info {};
  ASSERT_EQ(stat((folder_ / "a" / "b").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0077U, 0U);
  ASSERT_EQ(stat(options_.path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0077U, 0U);
}

TEST_F(Faults, AWriteIsAnsweredAfterItsFlush) {
  WaitingStore store = open();
  const SessionId id = store.create("anna", "Bread")->id;
  const int syncs_before = vfs_.syncs;
  std::promise<int> dirty;
  store_->append("anna", id, user_message("hello"),
                 [&](const auto& /*added*/) { dirty.set_value(vfs_.dirty_files); });
  EXPECT_EQ(dirty.get_future().get(), 0);
  EXPECT_GT(vfs_.syncs, syncs_before);
}

// Holds the store's thread in an answer until the object is destroyed. The answer has the future
// for itself: it may begin to wait only when the object is gone.
class HeldThread {
 public:
  explicit HeldThread(SessionStore& store) {
    std::promise<void> begun;
    const auto released = released_.get_future().share();
    store.list("", 0, 1, [released, &begun](const auto& /*list*/) {
      begun.set_value();
      released.wait();
    });
    begun.get_future().wait();
  }
  HeldThread(const HeldThread&) = delete;
  HeldThread& operator=(const HeldThread&) = delete;
  ~HeldThread() { released_.set_value(); }

 private:
  std::promise<void> released_;
};

TEST_F(Faults, WritesThatWaitShareAFlush) {
  WaitingStore store = open();
  const SessionId id = store.create("anna", "Bread")->id;
  std::atomic<int> answers = 0;
  const int syncs_before = vfs_.syncs;
  {
    const HeldThread held(*store_);
    for (int i = 0; i < 20; ++i) {
      store_->append("anna", id, user_message("hello"), [&](const auto& added) {
        if (added) ++answers;
      });
    }
  }
  EXPECT_EQ(store.messages("anna", id)->size(), 20U);
  EXPECT_EQ(answers, 20);
  EXPECT_LE(vfs_.syncs - syncs_before, 2);
}

TEST_F(Faults, OneCallsFaultIsNotTheOthers) {
  WaitingStore store = open();
  const SessionId id = store.create("anna", "Bread")->id;
  std::atomic<int> good = 0;
  std::atomic<int> bad = 0;
  {
    const HeldThread held(*store_);
    for (int i = 0; i < 10; ++i) {
      store_->append("anna", i == 5 ? "none" : id, user_message("hello"),
                     [&](const auto& added) { ++(added ? good : bad); });
    }
    vfs_.failures_left = 1;
    vfs_.write_error = SQLITE_FULL;
  }
  EXPECT_EQ(store.messages("anna", id)->size(), 9U);
  EXPECT_EQ(good, 9);
  EXPECT_EQ(bad, 1);
}

TEST_F(Faults, CallsBeyondTheQueueAreRefusedAtOnce) {
  options_.queue_max = 3;
  WaitingStore store = open();
  const SessionId id = store.create("anna", "Bread")->id;
  std::atomic<int> stored = 0;
  bool refused = false;
  {
    const HeldThread held(*store_);
    for (int i = 0; i < 3; ++i) {
      store_->append("anna", id, user_message("hello"),
                     [&](const auto& added) { stored += added ? 1 : 0; });
    }
    store_->append("anna", id, user_message("hello"),
                   [&](const auto& added) { refused = code_of(added) == ErrorCode::kUnavailable; });
    EXPECT_TRUE(refused);
  }
  close();
  EXPECT_EQ(stored, 3) << "closing answers what waits";
}

TEST_F(Faults, DamagedFilesAreSetAsideAndTheStoreBeginsAnew) {
  ASSERT_TRUE(open().create("anna", "Bread"));
  close();
  {
    std::fstream file(options_.path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(16);
    file << std::string(512, 'x');
  }
  WaitingStore store = open();
  EXPECT_TRUE(store_->health());
  EXPECT_TRUE(store.list("anna")->empty());
  EXPECT_TRUE(store.create("anna", "Cheese"));
  EXPECT_EQ(files_named("store.sqlite.corrupt-1700000000"), 1U);
  EXPECT_NE(log_.find("is damaged"), std::string::npos) << log_;
  EXPECT_NE(log_.find("a new store is begun"), std::string::npos) << log_;
}

TEST_F(Faults, DamageInsideAFileIsFoundWhenItIsOpened) {
  WaitingStore store = open();
  const SessionId id = store.create("anna", "Bread")->id;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(store.append("anna", id, user_message(std::string(1000, 'x'))));
  }
  close();
  {
    std::fstream file(options_.path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(20 * 4096);
    file << std::string(std::size_t{40} * 4096, '\x55');
  }
  store = open();
  EXPECT_TRUE(store_->health());
  EXPECT_TRUE(store.create("anna", "Cheese"));
  EXPECT_EQ(files_named("corrupt"), 1U);
}

TEST_F(Faults, StoresOfANewerVersionAreLeftAlone) {
  ASSERT_TRUE(open().create("anna", "Bread"));
  close();
  run_sql("PRAGMA user_version = 99");
  WaitingStore store = open();
  EXPECT_EQ(code_of(store_->health()), ErrorCode::kUnsupported);
  EXPECT_NE(store_->health().error().message.find("made by a newer notso (its version is 99"),
            std::string::npos);
  EXPECT_EQ(code_of(store.list("anna")), ErrorCode::kUnsupported);
  close();
  run_sql("PRAGMA user_version = 1");
  EXPECT_EQ(open().list("anna")->size(), 1U);
}

TEST_F(Faults, DatabasesOfOtherProgramsAreLeftAlone) {
  run_sql("CREATE TABLE bookmarks(url TEXT)");
  WaitingStore store = open();
  EXPECT_EQ(code_of(store.create("anna", "Bread")), ErrorCode::kUnsupported);
  close();
  run_sql("INSERT INTO bookmarks VALUES ('still here')");
  EXPECT_EQ(files_named("corrupt"), 0U);
}

TEST_F(Faults, FilesThatAreNoDatabasesAreLeftAlone) {
  const std::string text = "%PDF-1.7 " + std::string(10000, 'x');
  std::ofstream(options_.path) << text;
  WaitingStore store = open();
  EXPECT_EQ(code_of(store.create("anna", "Bread")), ErrorCode::kUnsupported);
  close();
  EXPECT_EQ(files_named("corrupt"), 0U);
  std::ifstream file(options_.path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), text);
}

TEST_F(Faults, AnotherStoreOnTheSameFileIsRefusedUntilItIsFree) {
  WaitingStore first = open();
  ASSERT_TRUE(first.create("anna", "Bread"));
  auto second_store = open_sqlite_store(options_);
  WaitingStore second(*second_store);
  EXPECT_EQ(code_of(second.list("anna")), ErrorCode::kUnavailable);
  ASSERT_TRUE(first.create("anna", "Cheese"));
  close();
  EXPECT_EQ(second.list("anna")->size(), 2U);
}

}  // namespace
}  // namespace notso
