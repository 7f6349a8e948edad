// An engine without a model for tests: each request gets the tokens of a script, as far as its
// policy allows them, in the call that runs it.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "service/engine/engine.h"

namespace notso {

// Runs one request after the other, on the caller's thread.
class ScriptEngine final : public Engine {
 public:
  explicit ScriptEngine(std::size_t vocab_size) : sampler_(vocab_size), logits_(vocab_size) {}

  // Not run before run() is called.
  [[nodiscard]] Result<RequestId> submit(EngineRequest request) override {
    if (refuse) return tl::unexpected<Error>(*refuse);
    waiting.emplace_back(++last_id_, std::move(request));
    return last_id_;
  }

  void cancel(RequestId id) override { cancelled.push_back(id); }
  [[nodiscard]] double expected_wait_s() const override { return 3; }
  [[nodiscard]] EngineStats stats() const override { return {}; }
  void drop_caches() override {}

  // Runs the oldest request: `script` decides the tokens wherever several may come. After it, the
  // request ends as `end` says, if its policy has not ended it before.
  void run(const std::vector<std::int32_t>& script, RequestEnd end = RequestEnd::kLength) {
    EngineRequest request = std::move(waiting.front().second);
    waiting.pop_front();
    prompt = request.prompt;
    RequestReport report;
    report.cached_tokens = 2;
    report.prompt_s = 0.5;
    report.first_token_s = 0.75;
    report.decode_s = 2;
    if (request.policy == nullptr) return;
    TokenPolicy& policy = *request.policy;
    policy.queued(1, 4);
    const auto total = static_cast<std::int32_t>(prompt.size());
    policy.prompt_progress(total, total);
    report.end = end;
    if (end == RequestEnd::kError) report.error = {ErrorCode::kInternal, "the step failed"};
    for (std::size_t at = 0; at < script.size();) {
      const bool forced = policy.is_forced();
      forced_tokens += forced ? 1 : 0;
      std::fill(logits_.begin(), logits_.end(), 0.0F);
      logits_[static_cast<std::size_t>(script[at])] = 9;
      const auto token = policy.next(forced ? std::span<const float>() : logits_, sampler_);
      if (!token) {
        report.end = RequestEnd::kError;
        report.error = token.error();
        break;
      }
      at += *token == script[at] ? 1 : 0;
      if (policy.accept(*token)) {
        report.end = end == RequestEnd::kCancelled ? end : RequestEnd::kDone;
        break;
      }
    }
    policy.ended(report);
  }

  std::optional<Error> refuse;  // what submit() says
  std::deque<std::pair<RequestId, EngineRequest>> waiting;
  std::vector<RequestId> cancelled;
  std::vector<std::int32_t> prompt;  // of the request that ran last
  int forced_tokens = 0;

 private:
  RequestId last_id_ = 0;
  Sampler sampler_;
  std::vector<float> logits_;
};

}  // namespace notso
