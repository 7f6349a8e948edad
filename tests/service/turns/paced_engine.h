// An engine without a model for tests: a thread that answers one request after the other, as fast
// as the test lets it. Its logits are a function of the tokens so far, so that an answer that is
// taken up again must go on as it would have; or they follow a script.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "service/engine/engine.h"

namespace notso {

// What a request should be answered with; none: noise.
using Script = std::optional<std::vector<std::int32_t>>;

class PacedEngine final : public Engine {
 public:
  // `script` is asked once for each request, on the engine's thread.
  PacedEngine(std::size_t vocab_size,
              std::function<Script(const std::vector<std::int32_t>& prompt)> script);
  ~PacedEngine() override;

  [[nodiscard]] Result<RequestId> submit(EngineRequest request) override;
  void cancel(RequestId id) override;
  [[nodiscard]] double expected_wait_s() const override { return 1; }
  [[nodiscard]] EngineStats stats() const override { return {}; }
  void drop_caches() override {}

  // From now on, this many tokens may come; without a number, as many as are wanted.
  void let_through(std::int64_t tokens = std::numeric_limits<std::int64_t>::max());
  // Waits until the tokens that were let through have come.
  void wait_until_held();
  // What the next submit() says.
  void refuse_next(Error error);
  // The prompts of all requests so far.
  [[nodiscard]] std::vector<std::vector<std::int32_t>> prompts() const;
  // The session and the cache scope of the last request.
  [[nodiscard]] std::pair<std::string, std::string> last_asker() const;

 private:
  void run();
  void answer(RequestId id, EngineRequest request);
  bool wait_for_turn(RequestId id);
  void fill_logits(const std::vector<std::int32_t>& tokens);

  std::function<Script(const std::vector<std::int32_t>&)> script_;
  Sampler sampler_;
  std::vector<float> logits_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<RequestId, EngineRequest>> waiting_;
  std::vector<std::vector<std::int32_t>> prompts_;
  std::pair<std::string, std::string> last_asker_;
  std::set<RequestId> cancelled_;
  std::optional<Error> refusal_;
  RequestId last_id_ = 0;
  std::int64_t allowed_ = std::numeric_limits<std::int64_t>::max();
  bool held_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace notso
