// Thousands of requests: the last ones are served as fast as the first, and nothing grows.
#include <algorithm>
#include <gtest/gtest.h>
#include <malloc.h>
#include <random>

#include "service/engine/loop_fixture.h"

namespace notso {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kRequests = 3000;
constexpr bool kCountsHeap = false;
#else
constexpr int kRequests = 10'000;
constexpr bool kCountsHeap = true;
#endif

class EnduranceTest : public LoopTest {
 protected:
  // Short requests that begin with one of a few system prompts, one in five cancelled, arriving on
  // the made-up clock. The 99th percentile of the time to the first token, of each thousand.
  std::vector<double> serve_thousands() {
    std::vector<double> p99_s;
    std::vector<std::shared_ptr<Outcome>> outcomes;
    double next_s = 0;
    for (int i = 0; i < kRequests; ++i) {
      const Ask ask{.prompt_size = 65 + random_() % 30,
                    .seed = random_() % 4,
                    .script = {.tokens_max = static_cast<std::int32_t>(1 + random_() % 8),
                               .temperature = 1,
                               .seed = random_()}};
      outcomes.push_back(add(ask));
      next_s += 0.1 + 0.0004 * static_cast<double>(random_() % 1000);
      while (model_.clock()() < next_s && loop_->step()) {
        if (random_() % 25 == 0) loop_->cancel(last_id_);
      }
      model_.advance_to(next_s);
      if (outcomes.size() < 1000) continue;
      run_to_end();
      p99_s.push_back(p99_of(outcomes));
      heap_bytes_.push_back(mallinfo2().uordblks);
      outcomes.clear();
      next_s = model_.clock()();
    }
    return p99_s;
  }

  static double p99_of(const std::vector<std::shared_ptr<Outcome>>& outcomes) {
    std::vector<double> first_s;
    for (const auto& outcome : outcomes) {
      if (!outcome->tokens.empty()) first_s.push_back(outcome->report.first_token_s);
    }
    std::sort(first_s.begin(), first_s.end());
    return first_s[first_s.size() * 99 / 100];
  }

  std::mt19937 random_{1};
  std::vector<std::size_t> heap_bytes_;
};

TEST_F(EnduranceTest, TheLastThousandIsServedAsFastAsTheFirstInTheSameMemory) {
  const auto p99_s = serve_thousands();
  EXPECT_LE(p99_s.back(), 1.2 * p99_s.front());
  EXPECT_EQ(loop_->stats().pages_used, 0U);
  EXPECT_GT(loop_->stats().cancelled, static_cast<std::uint64_t>(kRequests / 10));
  if (!kCountsHeap) return;
  EXPECT_LT(heap_bytes_.back(), heap_bytes_[heap_bytes_.size() / 2] + 100'000);
}

}  // namespace
}  // namespace notso
