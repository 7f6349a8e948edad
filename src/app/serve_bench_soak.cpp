// The soak scenario: thousands of short requests, to see whether the last ones are served as fast
// as the first and in the same memory.

#include <algorithm>
#include <deque>
#include <fmt/format.h>
#include <fstream>
#include <random>
#include <unistd.h>
#include <utility>

#include "app/serve_bench.h"
#include "app/serve_bench_client.h"

namespace notso {
namespace {

constexpr std::int32_t kRequests = 10'000;
constexpr std::size_t kAtOnce = 12;
constexpr std::size_t kSystemTokens = 64;

// Resident memory of this process in MiB; 0 where the system does not tell.
double resident_mebibytes() {
  double pages_all = 0;
  double pages = 0;
  std::ifstream("/proc/self/statm") >> pages_all >> pages;
  return pages * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

// Keeps a few requests running, and cancels one in five at some moment.
class Soak {
 public:
  Soak(ServeBench& bench, Engine& engine) : bench_(bench), engine_(engine), random_(1) {}

  Status run() {
    for (std::int32_t i = 0; i < kRequests; ++i) {
      if (auto added = add(); !added) return added;
      if (random_() % 5 == 0) {
        ++cancelled_;
        engine_.cancel(running_[random_() % running_.size()].id);
      }
      while (running_.size() >= kAtOnce) take();
      if ((i + 1) % 1000 == 0) end_thousand(i + 1);
    }
    return {};
  }

  // When the machine stands still for a moment, that hits all who run: more than one in a hundred.
  // So the best of three thousands counts.
  [[nodiscard]] std::vector<ServeBenchFigure> figures() const {
    const double begin_ms = *std::min_element(p99_ms_.begin(), p99_ms_.begin() + 3);
    const double end_ms = *std::min_element(p99_ms_.end() - 3, p99_ms_.end());
    return {{"soak.requests", kRequests, "requests", fmt::format("{} cancels", cancelled_)},
            {"soak.first_token_p99_begin", begin_ms, "ms", "best of the first three thousands"},
            {"soak.first_token_p99_end", end_ms, "ms", "best of the last three thousands"},
            {"soak.ratio", end_ms / begin_ms, "x", "goal: at most 1.2"},
            {"soak.memory_begin", memory_.front(), "MiB", "resident, after the first thousand"},
            {"soak.memory_end", memory_.back(), "MiB", "at the end"}};
  }

 private:
  Status add() {
    const std::size_t vocab = bench_.model.vocab_size();
    auto prompt = bench_text(kSystemTokens, random_() % 4, vocab);
    const auto message = bench_text(10 + random_() % 30, random_(), vocab);
    prompt.insert(prompt.end(), message.begin(), message.end());
    auto request =
        submit_bench(engine_, std::move(prompt), bench_text(1 + random_() % 8, random_(), vocab));
    if (!request) return pass_on(request);
    running_.push_back(std::move(*request));
    return {};
  }

  // Waits for the oldest request.
  void take() {
    const BenchRequest request = std::move(running_.front());
    running_.pop_front();
    request.ended.wait();
    const BenchAnswer& answer = *request.answer;
    if (answer.times_s.empty()) return;
    first_token_ms_.push_back((answer.times_s[0] - answer.submitted_s) * 1e3);
  }

  void end_thousand(std::int32_t requests) {
    p99_ms_.push_back(percentile(std::exchange(first_token_ms_, {}), 0.99));
    memory_.push_back(resident_mebibytes());
    bench_.progress(fmt::format("soak: {} requests of {}: p99 {:.1f} ms, {:.0f} MiB", requests,
                                kRequests, p99_ms_.back(), memory_.back()));
  }

  ServeBench& bench_;
  Engine& engine_;
  std::mt19937_64 random_;
  std::deque<BenchRequest> running_;
  std::vector<double> first_token_ms_;
  std::vector<double> p99_ms_;  // of each thousand
  std::vector<double> memory_;  // after each thousand
  std::int32_t cancelled_ = 0;
};

}  // namespace

Result<std::vector<ServeBenchFigure>> bench_soak(ServeBench& bench) {
  // Few pages unless asked otherwise, so that the cache is full when the first thousand ends.
  constexpr std::size_t kSmallCache = std::size_t{64} << 20U;
  EngineOptions options = bench.engine;
  if (options.kv_bytes_max == 0) options.kv_bytes_max = kSmallCache;
  auto engine = Engine::start(bench.model, options);
  if (!engine) return pass_on(engine);
  Soak soak(bench, **engine);
  if (auto done = soak.run(); !done) return pass_on(done);
  return soak.figures();
}

}  // namespace notso
