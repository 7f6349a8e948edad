// Random schedules: whatever happens around a request, it gets the tokens that it gets alone.
#include <gtest/gtest.h>
#include <random>

#include "service/engine/loop_fixture.h"

namespace notso {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kSchedules = 40;
#else
constexpr int kSchedules = 200;
#endif

// One engine's life: arrivals in bursts, shared prefixes, follow-ups and branches of earlier
// answers, cancels in all phases, with few pages or many.
class Schedule {
 public:
  explicit Schedule(std::uint32_t seed) : random_(seed) {
    EngineOptions options;
    options.clock = model_.clock();
    pages_max_ = pick(0, 2) == 0 ? 200 : static_cast<std::size_t>(pick(9, 24));
    options.kv_bytes_max = pages_max_ * FakeModel::kPageBytes;
    options.running_max = pick(1, 8);
    options.step_rows_max = pick(8, 64);
    options.drafts = pick(0, 3) != 0;
    options.prefix_cache = pick(0, 5) != 0;
    loop_ = std::move(*EngineLoop::make(model_, options));
  }

  void run() {
    const int requests = pick(8, 20);
    while (static_cast<int>(live_.size()) < requests) {
      for (int burst = pick(1, 4); burst > 0; --burst) add();
      for (int steps = pick(0, 30); steps > 0; --steps) step();
      if (pick(0, 3) == 0) cancel();
      if (pick(0, 9) == 0) loop_->drop_caches();
    }
    for (int i = 0; loop_->step(); ++i) ASSERT_LT(i, 100'000) << "no end";
    check();
  }

 private:
  struct Live {
    RequestId id;
    std::vector<std::int32_t> prompt;
    Script script;
    std::shared_ptr<Outcome> outcome;
    bool is_cancelled = false;
  };

  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

  // A prompt: fresh, one of few that begin alike, or an earlier conversation (or a part of it) and
  // more.
  std::vector<std::int32_t> prompt() {
    const auto size = static_cast<std::size_t>(pick(1, 300));
    const int kind = pick(0, 3);
    if (kind == 0) return made_up_prompt(size, random_());
    if (kind > 1 || live_.empty()) return made_up_prompt(size, static_cast<std::uint64_t>(kind));
    const Live& before =
        live_[static_cast<std::size_t>(pick(0, static_cast<int>(live_.size()) - 1))];
    std::vector<std::int32_t> tokens = before.prompt;
    tokens.insert(tokens.end(), before.outcome->tokens.begin(), before.outcome->tokens.end());
    // Another branch of the same conversation, from any point on.
    if (pick(0, 1) == 0)
      tokens.resize(static_cast<std::size_t>(pick(1, static_cast<int>(tokens.size()))));
    const auto more = made_up_prompt(static_cast<std::size_t>(pick(1, 40)), random_());
    tokens.insert(tokens.end(), more.begin(), more.end());
    if (tokens.size() > 330) tokens.resize(330);
    return tokens;
  }

  void add() {
    Live live;
    live.id = ++last_id_;
    live.prompt = prompt();
    live.script.tokens_max = pick(1, 120);
    live.script.temperature = pick(0, 1) == 0 ? 0.0F : 0.9F;
    live.script.repetition_penalty = pick(0, 3) == 0 ? 1.2F : 1.0F;
    live.script.seed = random_();
    live.script.forced_every = pick(0, 2) == 0 ? pick(1, 9) : 0;
    live.outcome = std::make_shared<Outcome>();
    EngineRequest request;
    request.prompt = live.prompt;
    request.policy = std::make_unique<ScriptPolicy>(live.script, live.prompt, live.outcome);
    request.session = std::string(1, static_cast<char>('a' + pick(0, 3)));
    request.cache_scope = pick(0, 4) == 0 ? "other" : "";
    request.priority = pick(0, 3) == 0 ? Priority::kBackground : Priority::kInteractive;
    request.drafts = pick(0, 4) != 0;
    // Requests that wait for long are part of the plan here.
    request.queue_s_max = 1e9;
    request.token_s_max = 1e9;
    request.answer_s_max = 1e9;
    ASSERT_TRUE(loop_->check(request));
    loop_->add(last_id_, std::move(request), model_.clock()());
    live_.push_back(std::move(live));
  }

  void step() {
    loop_->step();
    const EngineStats stats = loop_->stats();
    ASSERT_LE(stats.pages_used + stats.pages_cached, pages_max_);
  }

  void cancel() {
    Live& live = live_[static_cast<std::size_t>(pick(0, static_cast<int>(live_.size()) - 1))];
    if (live.outcome->ends > 0) return;
    loop_->cancel(live.id);
    live.is_cancelled = true;
    EXPECT_EQ(live.outcome->ends, 1);
  }

  void check() {
    for (const Live& live : live_) {
      ASSERT_EQ(live.outcome->ends, 1);
      const auto whole = tokens_alone({}, live.prompt, live.script);
      const auto& tokens = live.outcome->tokens;
      if (live.is_cancelled) {
        EXPECT_EQ(live.outcome->report.end, RequestEnd::kCancelled);
        ASSERT_LE(tokens.size(), whole.size());
        EXPECT_TRUE(std::equal(tokens.begin(), tokens.end(), whole.begin()));
      } else {
        EXPECT_EQ(live.outcome->report.end, RequestEnd::kDone)
            << live.outcome->report.error.message;
        EXPECT_EQ(tokens, whole);
      }
    }
    EXPECT_EQ(loop_->stats().pages_used, 0U);
    loop_->drop_caches();
    EXPECT_EQ(loop_->stats().pages_cached, 0U);
  }

  std::mt19937 random_;
  FakeModel model_;
  std::size_t pages_max_ = 0;
  std::unique_ptr<EngineLoop> loop_;
  RequestId last_id_ = 0;
  std::vector<Live> live_;
};

TEST(EngineSchedules, EveryRequestGetsTheTokensThatItGetsAlone) {
  for (int seed = 0; seed < kSchedules; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Schedule(static_cast<std::uint32_t>(seed)).run();
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace notso
