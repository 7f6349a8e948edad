// Tokens are charged to whoever asked for them, however their request ends.
#include "service/access/metered_engine.h"

#include <chrono>
#include <gtest/gtest.h>
#include <utility>

namespace notso {
namespace {

// An engine that ends each request at once, with a report of the test's choice.
class EndingEngine : public Engine {
 public:
  explicit EndingEngine(RequestReport report) : report_(std::move(report)) {}
  Result<RequestId> submit(EngineRequest request) override {
    if (request.policy) request.policy->ended(report_);
    return RequestId{7};
  }
  void cancel(RequestId id) override { cancelled_ = id; }
  [[nodiscard]] double expected_wait_s() const override { return 1.5; }
  [[nodiscard]] EngineStats stats() const override { return {}; }
  void drop_caches() override {}

  RequestId cancelled_ = 0;

 private:
  RequestReport report_;
};

// A policy that only notes its end.
class NotingPolicy : public TokenPolicy {
 public:
  explicit NotingPolicy(int& ends) : ends_(ends) {}
  void queued(std::int32_t, double) override {}
  void prompt_progress(std::int32_t, std::int32_t) override {}
  [[nodiscard]] bool is_forced() const override { return false; }
  [[nodiscard]] Result<std::int32_t> next(std::span<const float>, Sampler&) override { return 0; }
  bool accept(std::int32_t) override { return true; }
  void ended(const RequestReport& report) override { ends_ += report.sampled_tokens; }

 private:
  int& ends_;
};

TEST(MeteredEngine, ChargesTheSessionAndPassesAllElseOn) {
  RateLimiter tokens({.per_second = 1, .burst = 100}, 10);
  RequestReport report;
  report.end = RequestEnd::kCancelled;
  report.sampled_tokens = 150;
  auto inner = std::make_unique<EndingEngine>(report);
  EndingEngine* const engine = inner.get();
  MeteredEngine metered(std::move(inner), tokens);
  int ended = 0;
  EngineRequest request;
  request.session = "alice";
  request.policy = std::make_unique<NotingPolicy>(ended);
  EXPECT_EQ(metered.submit(std::move(request)), RequestId{7});
  EXPECT_EQ(ended, 150);
  const auto now = std::chrono::steady_clock::now();
  EXPECT_NEAR(tokens.debt_seconds("alice", now), 50, 1);
  EXPECT_EQ(tokens.debt_seconds("bob", now), 0);
  metered.cancel(9);
  EXPECT_EQ(engine->cancelled_, 9U);
  EXPECT_EQ(metered.expected_wait_s(), 1.5);
}

TEST(MeteredEngine, TakesARequestWithoutAPolicy) {
  RateLimiter tokens({.per_second = 1, .burst = 100}, 10);
  MeteredEngine metered(std::make_unique<EndingEngine>(RequestReport{}), tokens);
  EXPECT_TRUE(metered.submit({}));
}

}  // namespace
}  // namespace notso
