// All requests of an engine end at once, and are told why.
#include "service/engine/interruptible_engine.h"

#include <gtest/gtest.h>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace notso {
namespace {

// An engine that keeps requests until they are cancelled or ended by the test.
class HoldingEngine : public Engine {
 public:
  Result<RequestId> submit(EngineRequest request) override {
    const std::lock_guard lock(mutex_);
    if (refuse_) return fail(ErrorCode::kUnavailable, "full");
    held_[++last_] = std::move(request.policy);
    return last_;
  }
  void cancel(RequestId id) override { end(id, RequestEnd::kCancelled); }
  void end(RequestId id, RequestEnd how) {
    std::unique_ptr<TokenPolicy> policy;
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = held_.find(id); found != held_.end())
        policy = std::move(found->second);
      held_.erase(id);
    }
    RequestReport report;
    report.end = how;
    if (policy) policy->ended(report);
  }
  [[nodiscard]] double expected_wait_s() const override { return 2.5; }
  [[nodiscard]] EngineStats stats() const override { return {}; }
  void drop_caches() override {}

  bool refuse_ = false;

 private:
  std::mutex mutex_;
  RequestId last_ = 0;
  std::map<RequestId, std::unique_ptr<TokenPolicy>> held_;
};

// A policy that keeps its report.
class KeepingPolicy : public TokenPolicy {
 public:
  explicit KeepingPolicy(RequestReport& report) : report_(report) {}
  void queued(std::int32_t, double) override {}
  void prompt_progress(std::int32_t, std::int32_t) override {}
  [[nodiscard]] bool is_forced() const override { return false; }
  [[nodiscard]] Result<std::int32_t> next(std::span<const float>, Sampler&) override { return 0; }
  bool accept(std::int32_t) override { return true; }
  void ended(const RequestReport& report) override { report_ = report; }

 private:
  RequestReport& report_;
};

EngineRequest request_of(RequestReport& report) {
  EngineRequest request;
  request.policy = std::make_unique<KeepingPolicy>(report);
  return request;
}

class InterruptibleEngineTest : public ::testing::Test {
 protected:
  InterruptibleEngineTest() {
    auto inner = std::make_unique<HoldingEngine>();
    inner_ = inner.get();
    engine_ = std::make_unique<InterruptibleEngine>(std::move(inner));
  }
  HoldingEngine* inner_ = nullptr;
  std::unique_ptr<InterruptibleEngine> engine_;
};

TEST_F(InterruptibleEngineTest, ends_all_with_the_reason_and_takes_no_more) {
  RequestReport first;
  RequestReport second;
  ASSERT_TRUE(engine_->submit(request_of(first)));
  ASSERT_TRUE(engine_->submit(request_of(second)));
  EXPECT_EQ(engine_->busy(), 2U);
  engine_->end_all("another model comes");
  EXPECT_EQ(engine_->busy(), 0U);
  for (const RequestReport& report : {first, second}) {
    EXPECT_EQ(report.end, RequestEnd::kError);
    EXPECT_EQ(report.error.code, ErrorCode::kUnavailable);
    EXPECT_EQ(report.error.message, "another model comes");
  }
  RequestReport late;
  const auto refused = engine_->submit(request_of(late));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "another model comes");
}

TEST_F(InterruptibleEngineTest, a_request_that_ends_by_itself_is_told_what_it_was) {
  RequestReport report;
  const auto id = engine_->submit(request_of(report));
  ASSERT_TRUE(id);
  inner_->end(*id, RequestEnd::kLength);
  EXPECT_EQ(report.end, RequestEnd::kLength);
  EXPECT_EQ(engine_->busy(), 0U);
  const auto other = engine_->submit(request_of(report));
  engine_->cancel(*other);
  EXPECT_EQ(report.end, RequestEnd::kCancelled);
}

TEST_F(InterruptibleEngineTest, neither_refused_requests_nor_reading_ahead_count) {
  EngineRequest reads;
  ASSERT_TRUE(engine_->submit(std::move(reads)));
  EXPECT_EQ(engine_->busy(), 0U);
  inner_->refuse_ = true;
  RequestReport report;
  EXPECT_FALSE(engine_->submit(request_of(report)));
  EXPECT_EQ(engine_->busy(), 0U);
  EXPECT_EQ(engine_->expected_wait_s(), 2.5);
}

TEST_F(InterruptibleEngineTest, none_slips_through_that_comes_at_the_same_time) {
  std::vector<RequestReport> reports(200);
  std::vector<char> taken(reports.size());
  std::thread submits([&] {
    for (std::size_t i = 0; i < reports.size(); ++i) {
      taken[i] = engine_->submit(request_of(reports[i])).has_value();
    }
  });
  engine_->end_all("now");
  submits.join();
  EXPECT_EQ(engine_->busy(), 0U);
  for (std::size_t i = 0; i < reports.size(); ++i) {
    EXPECT_TRUE(!taken[i] || reports[i].end == RequestEnd::kError) << i;
  }
}

}  // namespace
}  // namespace notso
