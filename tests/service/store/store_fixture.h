// A store in a folder of its own, and calls that wait for their answer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <future>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include "service/store/session_store.h"
#include "service/store/sqlite_store.h"

namespace notso {

// Makes the call that `start` describes and waits for its answer.
template <class T, class Start>
Result<T> wait_for(const Start& start) {
  std::promise<Result<T>> promise;
  start([&promise](Result<T> result) { promise.set_value(std::move(result)); });
  return promise.get_future().get();
}

// The calls of a store, one after the other.
class WaitingStore {
 public:
  WaitingStore() = default;
  explicit WaitingStore(SessionStore& store) : store_(&store) {}

  Result<Conversation> create(const std::string& owner, const std::string& title,
                              const std::string& settings = "") {
    return wait_for<Conversation>([&](auto then) { store_->create(owner, title, settings, then); });
  }
  Result<Conversation> get(const std::string& owner, const SessionId& id) {
    return wait_for<Conversation>([&](auto then) { store_->get(owner, id, then); });
  }
  Result<WholeConversation> get_whole(const std::string& owner, const SessionId& id) {
    return wait_for<WholeConversation>([&](auto then) { store_->get_whole(owner, id, then); });
  }
  Result<std::vector<Conversation>> list(const std::string& owner, std::int64_t before_ms = 0,
                                         std::int32_t limit = 100) {
    return wait_for<std::vector<Conversation>>(
        [&](auto then) { store_->list(owner, before_ms, limit, then); });
  }
  Status rename(const std::string& owner, const SessionId& id, const std::string& title) {
    return wait_for<void>([&](auto then) { store_->rename(owner, id, title, true, then); });
  }
  Status set_settings(const std::string& owner, const SessionId& id, const std::string& settings) {
    return wait_for<void>([&](auto then) { store_->set_settings(owner, id, settings, then); });
  }
  Status set_deleted(const std::string& owner, const SessionId& id, bool deleted) {
    return wait_for<void>([&](auto then) { store_->set_deleted(owner, id, deleted, then); });
  }
  Status set_leaf(const std::string& owner, const SessionId& id, std::int64_t message_id) {
    return wait_for<void>([&](auto then) { store_->set_leaf(owner, id, message_id, then); });
  }
  Result<StoredMessage> append(const std::string& owner, const SessionId& id,
                               const StoredMessage& message) {
    return wait_for<StoredMessage>([&](auto then) { store_->append(owner, id, message, then); });
  }
  Status update(const std::string& owner, const SessionId& id, const StoredMessage& message) {
    return wait_for<void>([&](auto then) { store_->update(owner, id, message, then); });
  }
  Result<std::vector<StoredMessage>> path(const std::string& owner, const SessionId& id,
                                          std::int64_t leaf_id = 0) {
    return wait_for<std::vector<StoredMessage>>(
        [&](auto then) { store_->path(owner, id, leaf_id, then); });
  }
  Result<std::vector<StoredMessage>> messages(const std::string& owner, const SessionId& id) {
    auto whole = get_whole(owner, id);
    if (!whole) return pass_on(whole);
    return std::move(whole->messages);
  }
  Result<std::vector<RunningMessage>> running() {
    return wait_for<std::vector<RunningMessage>>([&](auto then) { store_->running(then); });
  }
  Result<std::vector<std::int64_t>> siblings(const std::string& owner, const SessionId& id,
                                             std::int64_t message_id) {
    return wait_for<std::vector<std::int64_t>>(
        [&](auto then) { store_->siblings(owner, id, message_id, then); });
  }
  Result<std::vector<SearchHit>> search(const std::string& owner, const std::string& query,
                                        std::int32_t limit = 100) {
    return wait_for<std::vector<SearchHit>>(
        [&](auto then) { store_->search(owner, query, limit, then); });
  }
  Result<std::string> export_json(const std::string& owner, const SessionId& id) {
    return wait_for<std::string>([&](auto then) { store_->export_json(owner, id, then); });
  }
  Result<Conversation> import_json(const std::string& owner, const std::string& json) {
    return wait_for<Conversation>([&](auto then) { store_->import_json(owner, json, then); });
  }
  Result<std::int64_t> purge(std::int64_t deleted_before_ms, std::int64_t idle_before_ms) {
    return wait_for<std::int64_t>(
        [&](auto then) { store_->purge(deleted_before_ms, idle_before_ms, then); });
  }
  Status put_value(const std::string& owner, const std::string& name, const std::string& value,
                   std::int64_t expires_ms) {
    return wait_for<void>(
        [&](auto then) { store_->put_value(owner, name, value, expires_ms, then); });
  }
  Result<std::string> get_value(const std::string& owner, const std::string& name) {
    return wait_for<std::string>([&](auto then) { store_->get_value(owner, name, then); });
  }
  Status delete_value(const std::string& owner, const std::string& name) {
    return wait_for<void>([&](auto then) { store_->delete_value(owner, name, then); });
  }

 private:
  SessionStore* store_ = nullptr;
};

// A user's message below `parent_id`.
inline StoredMessage user_message(const std::string& text, std::int64_t parent_id = 0) {
  StoredMessage out;
  out.parent_id = parent_id;
  out.message.role = Role::kUser;
  out.message.content = text;
  return out;
}

// The code of a result's error; a value is reported as a failure of the test.
template <class T>
ErrorCode code_of(const Result<T>& result) {
  EXPECT_FALSE(result.has_value());
  return result ? ErrorCode::kInternal : result.error().code;
}

// A store on a disk.
class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    // Memory, where there is such a folder: flushing a disk is slow and no part of what is tested.
    const std::filesystem::path memory = "/dev/shm";
    const auto folder =
        access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path();
    std::string name = (folder / "notso-store-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    options_.path = folder_ / "store.sqlite";
    options_.retry_ms = 20;
    options_.unix_ms = [this] { return now_ms_; };
  }
  ~StoreTest() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  // Opens the store, again if it is open.
  WaitingStore open() {
    store_.reset();
    store_ = open_sqlite_store(options_);
    return WaitingStore(*store_);
  }
  void close() { store_.reset(); }

  std::filesystem::path folder_;
  SqliteStoreOptions options_;
  std::int64_t now_ms_ = 1'700'000'000'000;
  std::unique_ptr<SessionStore> store_;
};

}  // namespace notso
