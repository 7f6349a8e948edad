#include "app/serve_bench_client.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>

namespace notso {
namespace {

// Says a given text.
class ForcedTextPolicy : public TokenPolicy {
 public:
  ForcedTextPolicy(std::vector<std::int32_t> text, std::shared_ptr<BenchAnswer> answer)
      : text_(std::move(text)), answer_(std::move(answer)) {
    answer_->times_s.reserve(text_.size());
  }

  [[nodiscard]] std::shared_future<void> ended_future() { return ended_.get_future().share(); }

  void queued(std::int32_t, double) override {}
  void prompt_progress(std::int32_t, std::int32_t) override {}
  [[nodiscard]] bool is_forced() const override { return false; }

  [[nodiscard]] Result<std::int32_t> next(std::span<const float> logits,
                                          Sampler& sampler) override {
    const std::size_t at = answer_->times_s.size();
    const auto drawn = sampler.sample(logits, {}, {}, at);
    if (!drawn) return tl::unexpected<Error>(drawn.error());
    return text_[at];
  }

  bool accept(std::int32_t) override {
    answer_->times_s.push_back(bench_seconds());
    return answer_->times_s.size() == text_.size();
  }

  void ended(const RequestReport& report) override {
    answer_->report = report;
    ended_.set_value();
  }

 private:
  std::vector<std::int32_t> text_;
  std::shared_ptr<BenchAnswer> answer_;
  std::promise<void> ended_;
};

}  // namespace

double bench_seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

Result<BenchRequest> submit_bench(Engine& engine, std::vector<std::int32_t> prompt,
                                  std::vector<std::int32_t> text, bool drafts) {
  BenchRequest submitted;
  submitted.answer = std::make_shared<BenchAnswer>();
  submitted.answer->submitted_s = bench_seconds();
  auto policy = std::make_unique<ForcedTextPolicy>(std::move(text), submitted.answer);
  submitted.ended = policy->ended_future();
  EngineRequest request;
  request.prompt = std::move(prompt);
  request.policy = std::move(policy);
  request.drafts = drafts;
  auto id = engine.submit(std::move(request));
  if (!id) return pass_on(id);
  submitted.id = *id;
  return submitted;
}

std::vector<std::int32_t> bench_text(std::size_t size, std::uint64_t seed, std::size_t vocab) {
  std::mt19937_64 random(seed);
  std::vector<std::int32_t> text;
  for (std::size_t i = 0; i < size; ++i) {
    text.push_back(static_cast<std::int32_t>(random() % vocab));
  }
  return text;
}

double percentile(std::vector<double> values, double part) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto last = static_cast<double>(values.size() - 1);
  return values[static_cast<std::size_t>(part * last + 0.5)];
}

std::vector<double> gaps_between(const std::vector<double>& times_s) {
  std::vector<double> gaps;
  for (std::size_t i = 1; i < times_s.size(); ++i) gaps.push_back(times_s[i] - times_s[i - 1]);
  return gaps;
}

}  // namespace notso
