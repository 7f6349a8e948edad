// An engine whose requests can all be ended at once, each being told why: for a model that has to
// make room for another.
#pragma once

#include <memory>
#include <string>

#include "service/engine/engine.h"

namespace notso {

// Passes everything on to another engine, and knows which answers are under way.
class InterruptibleEngine : public Engine {
 public:
  explicit InterruptibleEngine(std::unique_ptr<Engine> engine);
  ~InterruptibleEngine() override;

  Result<RequestId> submit(EngineRequest request) override;
  void cancel(RequestId id) override;
  [[nodiscard]] double expected_wait_s() const override;
  [[nodiscard]] EngineStats stats() const override;
  void drop_caches() override;

  // Answers that run or wait. Requests without a policy, which nobody waits for, do not count.
  [[nodiscard]] std::size_t busy() const;

  // Takes no more requests (kUnavailable, with `why`) and ends those there are within a step: their
  // policies hear of an error of that kind and text.
  void end_all(const std::string& why);

 private:
  class Policy;
  struct Shared;

  std::shared_ptr<Shared> shared_;
  std::unique_ptr<Engine> engine_;  // the last member: it calls policies until it is gone
};

}  // namespace notso
