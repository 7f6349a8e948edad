// An engine whose generated tokens are charged to whoever asked for them.
#pragma once

#include <memory>

#include "service/access/rate_limit.h"
#include "service/engine/engine.h"

namespace notso {

// Passes everything on to another engine, and charges each request's tokens to the bucket of its
// session (an API key's name, an address) when it ends, however it ends.
class MeteredEngine : public Engine {
 public:
  // `tokens` must outlive the engine.
  MeteredEngine(std::unique_ptr<Engine> engine, RateLimiter& tokens);
  ~MeteredEngine() override;

  Result<RequestId> submit(EngineRequest request) override;
  void cancel(RequestId id) override { engine_->cancel(id); }
  [[nodiscard]] double expected_wait_s() const override { return engine_->expected_wait_s(); }
  [[nodiscard]] EngineStats stats() const override { return engine_->stats(); }
  void drop_caches() override { engine_->drop_caches(); }

 private:
  RateLimiter& tokens_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace notso
