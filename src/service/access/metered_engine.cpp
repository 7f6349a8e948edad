#include "service/access/metered_engine.h"

#include <chrono>
#include <string>
#include <utility>

namespace notso {
namespace {

// A policy that counts what another one lets through.
class MeteredPolicy : public TokenPolicy {
 public:
  MeteredPolicy(std::unique_ptr<TokenPolicy> policy, std::string session, RateLimiter& tokens)
      : policy_(std::move(policy)), session_(std::move(session)), tokens_(tokens) {}

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
  void ended(const RequestReport& report) override {
    tokens_.charge(session_, report.sampled_tokens, std::chrono::steady_clock::now());
    policy_->ended(report);
  }

 private:
  std::unique_ptr<TokenPolicy> policy_;
  std::string session_;
  RateLimiter& tokens_;
};

}  // namespace

MeteredEngine::MeteredEngine(std::unique_ptr<Engine> engine, RateLimiter& tokens)
    : tokens_(tokens), engine_(std::move(engine)) {}

MeteredEngine::~MeteredEngine() = default;

Result<RequestId> MeteredEngine::submit(EngineRequest request) {
  if (request.policy) {
    request.policy =
        std::make_unique<MeteredPolicy>(std::move(request.policy), request.session, tokens_);
  }
  return engine_->submit(std::move(request));
}

}  // namespace notso
