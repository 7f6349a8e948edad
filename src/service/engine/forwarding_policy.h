// What stands between a caller and the engine: a policy before another one.
#pragma once

#include <memory>
#include <span>
#include <utility>

#include "service/engine/engine.h"

namespace notso {

// A policy that passes all that it is asked and told on to another one. What stands between a
// caller and the engine derives from it and adds its own to single calls.
class ForwardingPolicy : public TokenPolicy {
 public:
  explicit ForwardingPolicy(std::unique_ptr<TokenPolicy> policy) : policy_(std::move(policy)) {}

  void queued(std::int32_t position, double wait_s) override { policy_->queued(position, wait_s); }
  void prompt_progress(std::int32_t done, std::int32_t total) override {
    policy_->prompt_progress(done, total);
  }
  [[nodiscard]] bool is_forced() const override { return policy_->is_forced(); }
  [[nodiscard]] Result<std::int32_t> next(std::span<const float> logits,
                                          Sampler& sampler) override {
    return policy_->next(logits, sampler);
  }
  bool accept(std::int32_t token) override { return policy_->accept(token); }
  void ended(const RequestReport& report) override { policy_->ended(report); }

 private:
  std::unique_ptr<TokenPolicy> policy_;
};

}  // namespace notso
