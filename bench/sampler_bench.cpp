// What choosing a token costs the engine's thread, over the full vocabulary: with logits as peaked
// as a trained model's, and flat ones, of which a nucleus takes most (models with random weights).

#include <benchmark/benchmark.h>
#include <random>
#include <vector>

#include "service/engine/sampler.h"

namespace notso {
namespace {

constexpr std::size_t kVocabulary = 128256;

// Normal noise of `spread`; `peaks` tokens stand out by up to 18.
std::vector<float> made_up_logits(float spread, std::size_t peaks) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0.0F, spread);
  std::vector<float> logits(kVocabulary);
  for (float& logit : logits) logit = normal(random);
  for (std::size_t i = 0; i < peaks; ++i) {
    logits[random() % kVocabulary] += 18.0F - 0.5F * static_cast<float>(i);
  }
  return logits;
}

void sample(benchmark::State& state, const SamplingParams& params, float spread,
            std::size_t peaks) {
  const auto logits = made_up_logits(spread, peaks);
  Sampler sampler(kVocabulary);
  std::uint64_t position = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(sampler.sample(logits, params, {}, position++));
  }
}

SamplingParams greedy() {
  SamplingParams params;
  params.temperature = 0;
  return params;
}

SamplingParams best_of(std::int32_t top_k) {
  SamplingParams params;
  params.top_k = top_k;
  return params;
}

BENCHMARK_CAPTURE(sample, peaked, SamplingParams{}, 2.0F, 24);
BENCHMARK_CAPTURE(sample, flat, SamplingParams{}, 1.0F, 0);
BENCHMARK_CAPTURE(sample, half_flat, SamplingParams{}, 2.5F, 0);
BENCHMARK_CAPTURE(sample, peaked_top_40, best_of(40), 2.0F, 24);
BENCHMARK_CAPTURE(sample, flat_top_40, best_of(40), 1.0F, 0);
BENCHMARK_CAPTURE(sample, greedy, greedy(), 2.0F, 24);

}  // namespace
}  // namespace notso

BENCHMARK_MAIN();
