#include "service/engine/interruptible_engine.h"

#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "service/engine/forwarding_policy.h"

namespace notso {

// What the policies, on the engine's thread, and the callers have in common. A request is known by
// a number of its own, since it may be over before the engine has told its id.
struct InterruptibleEngine::Shared {
  std::mutex mutex;
  std::uint64_t last = 0;
  std::map<std::uint64_t, RequestId> under_way;  // 0: the engine has not told yet
  std::string why;                               // "": it runs
};

// Takes a request off the list when it ends, and says why if it was the engine's end.
class InterruptibleEngine::Policy : public ForwardingPolicy {
 public:
  Policy(std::unique_ptr<TokenPolicy> policy, std::shared_ptr<Shared> shared, std::uint64_t number)
      : ForwardingPolicy(std::move(policy)), shared_(std::move(shared)), number_(number) {}

  void ended(const RequestReport& report) override {
    RequestReport told = report;
    {
      const std::lock_guard lock(shared_->mutex);
      shared_->under_way.erase(number_);
      if (report.end == RequestEnd::kCancelled && !shared_->why.empty()) {
        told.end = RequestEnd::kError;
        told.error = {ErrorCode::kUnavailable, shared_->why};
      }
    }
    ForwardingPolicy::ended(told);
  }

 private:
  std::shared_ptr<Shared> shared_;
  std::uint64_t number_;
};

InterruptibleEngine::InterruptibleEngine(std::unique_ptr<Engine> engine)
    : shared_(std::make_shared<Shared>()), engine_(std::move(engine)) {}

InterruptibleEngine::~InterruptibleEngine() = default;

Result<RequestId> InterruptibleEngine::submit(EngineRequest request) {
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(shared_->mutex);
    if (!shared_->why.empty()) return fail(ErrorCode::kUnavailable, shared_->why);
    if (request.policy) {
      number = ++shared_->last;
      shared_->under_way[number] = 0;
      request.policy = std::make_unique<Policy>(std::move(request.policy), shared_, number);
    }
  }
  const auto id = engine_->submit(std::move(request));
  if (number == 0) return id;
  bool too_late = false;
  {
    const std::lock_guard lock(shared_->mutex);
    const auto found = shared_->under_way.find(number);
    if (found == shared_->under_way.end()) return id;
    if (!id) {
      shared_->under_way.erase(found);
    } else {
      found->second = *id;
      too_late = !shared_->why.empty();
    }
  }
  if (too_late) engine_->cancel(*id);
  return id;
}

void InterruptibleEngine::cancel(RequestId id) { engine_->cancel(id); }

double InterruptibleEngine::expected_wait_s() const { return engine_->expected_wait_s(); }

EngineStats InterruptibleEngine::stats() const { return engine_->stats(); }

void InterruptibleEngine::drop_caches() { engine_->drop_caches(); }

std::size_t InterruptibleEngine::busy() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->under_way.size();
}

void InterruptibleEngine::end_all(const std::string& why) {
  std::vector<RequestId> ids;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->why = why;
    for (const auto& [number, id] : shared_->under_way) {
      if (id != 0) ids.push_back(id);
    }
  }
  for (const RequestId id : ids) engine_->cancel(id);
}

}  // namespace notso
