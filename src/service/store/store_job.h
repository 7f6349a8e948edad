// One call of the store on its way through the queue. Private to the store.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>

#include "base/result.h"
#include "service/store/session_store.h"
#include "service/store/store_tables.h"

namespace notso {

// A call whose result is not known to the queue.
class StoreJob {
 public:
  // `bytes` is about what it takes in memory while it waits.
  StoreJob(bool writes, std::size_t bytes) : writes_(writes), bytes_(bytes) {}
  StoreJob(const StoreJob&) = delete;
  StoreJob& operator=(const StoreJob&) = delete;
  virtual ~StoreJob() = default;

  [[nodiscard]] bool writes() const { return writes_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  // Does the work and keeps its result, which replaces an earlier one; true if it went well.
  virtual bool run(StoreTables& tables) = 0;
  // Makes the result this error.
  virtual void fail_with(const Error& error) = 0;
  // Gives the result to whoever asked.
  virtual void answer() = 0;

 private:
  bool writes_;
  std::size_t bytes_;
};

// A call with a result of type T.
template <class T>
class StoreCall final : public StoreJob {
 public:
  using Work = std::function<Result<T>(StoreTables&)>;

  // `then` may be empty. What `work` gives the last time that it runs is the result.
  StoreCall(bool writes, std::size_t bytes, Work work, SessionStore::Then<T> then)
      : StoreJob(writes, bytes), work_(std::move(work)), then_(std::move(then)) {}

  bool run(StoreTables& tables) override {
    result_ = work_(tables);
    return result_.has_value();
  }
  void fail_with(const Error& error) override { result_ = tl::unexpected<Error>(error); }
  void answer() override {
    if (then_) then_(std::move(result_));
  }

 private:
  Work work_;
  SessionStore::Then<T> then_;
  Result<T> result_ = tl::unexpected<Error>(Error{ErrorCode::kInternal, "not run"});
};

}  // namespace notso
