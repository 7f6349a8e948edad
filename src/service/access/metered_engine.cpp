#include "service/access/metered_engine.h"

#include <chrono>
#include <string>
#include <utility>

#include "service/engine/forwarding_policy.h"

namespace notso {
namespace {

// A policy that counts what another one lets through.
class MeteredPolicy : public ForwardingPolicy {
 public:
  MeteredPolicy(std::unique_ptr<TokenPolicy> policy, std::string session, RateLimiter& tokens)
      : ForwardingPolicy(std::move(policy)), session_(std::move(session)), tokens_(tokens) {}

  void ended(const RequestReport& report) override {
    tokens_.charge(session_, report.sampled_tokens, std::chrono::steady_clock::now());
    ForwardingPolicy::ended(report);
  }

 private:
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
