// The sampler's draws: how they are distributed, on what they depend, and that they equal those of
// the naive sampler.

#include <array>
#include <cmath>
#include <cstdlib>
#include <gtest/gtest.h>
#include <new>
#include <random>
#include <vector>

#include "allocation_count.h"
#include "service/engine/naive_sampler.h"
#include "service/engine/sampler.h"

namespace notso {
namespace {

constexpr std::size_t kFullVocabulary = 128256;

std::vector<float> random_logits(std::size_t count, float spread, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0F, spread);
  std::vector<float> logits(count);
  for (float& logit : logits) logit = normal(random);
  return logits;
}

// Pearson's statistic of `draws` draws at successive positions against the naive probabilities,
// less its mean and over its standard deviation: beyond 4 about once in 10,000 honest tries.
double chi_square_sigmas(const std::vector<float>& logits, const SamplingParams& params,
                         std::uint64_t draws) {
  Sampler sampler(logits.size());
  std::vector<double> seen(logits.size(), 0.0);
  for (std::uint64_t position = 0; position < draws; ++position) {
    seen[static_cast<std::size_t>(sampler.sample(logits, params, {}, position).value())] += 1.0;
  }
  double statistic = 0.0;
  double inside = 0.0;
  const auto choices = naive_choices(logits, params);
  for (const auto& [token, probability] : choices) {
    const double expected = probability * static_cast<double>(draws);
    const double count = seen[static_cast<std::size_t>(token)];
    statistic += (count - expected) * (count - expected) / expected;
    inside += count;
  }
  EXPECT_EQ(inside, static_cast<double>(draws)) << "a token outside the allowed set was chosen";
  const double freedom = static_cast<double>(choices.size()) - 1.0;
  return (statistic - freedom) / std::sqrt(2.0 * freedom);
}

SamplingParams params_of(float temperature, int top_k, float top_p, float min_p) {
  SamplingParams params;
  params.temperature = temperature;
  params.top_k = top_k;
  params.top_p = top_p;
  params.min_p = min_p;
  params.seed = 20;
  return params;
}

TEST(SamplerDraws, follow_the_softmax) {
  const auto logits = random_logits(50, 1.0F, 1);
  EXPECT_LT(chi_square_sigmas(logits, params_of(1.0F, 0, 1.0F, 0.0F), 100'000), 4.0);
}

TEST(SamplerDraws, follow_the_temperature) {
  const auto logits = random_logits(50, 1.0F, 2);
  EXPECT_LT(chi_square_sigmas(logits, params_of(0.7F, 0, 1.0F, 0.0F), 100'000), 4.0);
  EXPECT_LT(chi_square_sigmas(logits, params_of(1.8F, 0, 1.0F, 0.0F), 100'000), 4.0);
}

TEST(SamplerDraws, follow_all_truncations_together) {
  const auto logits = random_logits(200, 2.0F, 3);
  EXPECT_LT(chi_square_sigmas(logits, params_of(0.8F, 40, 0.9F, 0.02F), 100'000), 4.0);
}

TEST(SamplerDraws, the_test_above_sees_a_wrong_temperature) {
  const auto logits = random_logits(50, 1.0F, 2);
  Sampler sampler(logits.size());
  std::vector<double> seen(logits.size(), 0.0);
  for (std::uint64_t position = 0; position < 100'000; ++position) {
    const auto token = sampler.sample(logits, params_of(0.97F, 0, 1.0F, 0.0F), {}, position);
    seen[static_cast<std::size_t>(token.value())] += 1.0;
  }
  double statistic = 0.0;
  for (const auto& [token, p] : naive_choices(logits, params_of(1.0F, 0, 1.0F, 0.0F))) {
    const double difference = seen[static_cast<std::size_t>(token)] - p * 1e5;
    statistic += difference * difference / (p * 1e5);
  }
  EXPECT_GT((statistic - 49.0) / std::sqrt(98.0), 4.0);
}

TEST(SamplerDraws, uniform_numbers_are_uniform_along_positions_and_along_seeds) {
  constexpr int kCells = 256;
  constexpr int kDraws = 256 * 200;
  for (const bool along_seeds : {false, true}) {
    std::vector<double> seen(kCells, 0.0);
    for (std::uint64_t i = 0; i < kDraws; ++i) {
      const double u = along_seeds ? uniform_at(i, 5) : uniform_at(5, i);
      ASSERT_GE(u, 0.0);
      ASSERT_LT(u, 1.0);
      seen[static_cast<std::size_t>(u * kCells)] += 1.0;
    }
    double statistic = 0.0;
    for (const double count : seen) statistic += (count - 200.0) * (count - 200.0) / 200.0;
    EXPECT_LT(std::abs(statistic - 255.0) / std::sqrt(2.0 * 255.0), 4.0);
  }
}

TEST(SamplerDraws, equal_the_naive_samplers_over_random_logits_and_parameters) {
  std::mt19937 random(11);
  const auto pick = [&](auto... options) {
    const std::array values = {options...};
    return values[random() % values.size()];
  };
  for (unsigned round = 0; round < 600; ++round) {
    const std::size_t vocabulary = pick(std::size_t{2}, std::size_t{65}, std::size_t{3000});
    auto logits = random_logits(vocabulary, pick(0.01F, 1.0F, 3.0F, 12.0F), round);
    if (round % 3 == 0) {
      for (float& logit : logits) logit = std::round(logit);  // many ties
    }
    SamplingParams params = params_of(pick(0.3F, 0.6F, 1.0F, 2.0F), pick(0, 1, 20, 1500),
                                      pick(0.0F, 0.3F, 0.95F, 0.999F, 1.0F), pick(0.0F, 0.05F));
    params.repetition_penalty = pick(1.0F, 1.3F);
    params.frequency_penalty = pick(0.0F, 0.4F, -0.4F);
    params.presence_penalty = pick(0.0F, 0.7F);
    params.seed = random();
    TokenHistory history(vocabulary, pick(std::size_t{0}, std::size_t{16}));
    for (int i = 0; i < 40; ++i) {
      history.add_sampled(static_cast<std::int32_t>(random() % vocabulary));
      params.logit_bias.push_back({history.counts().front().token, 0.25F});
    }
    std::vector<std::uint64_t> mask;
    for (std::size_t i = 0; i < vocabulary && round % 2 == 0; i += 64) {
      mask.push_back((std::uint64_t{random()} << 32U | random()) | 1U);
    }
    ASSERT_TRUE(validate(params, vocabulary));
    const auto values = naive_values(logits, params, history.counts(), mask);
    const auto choices = naive_choices(values, params);
    Sampler sampler(vocabulary);
    for (std::uint64_t position = 0; position < 5; ++position) {
      double target = uniform_at(params.seed, position);
      std::size_t expected = 0;
      for (; expected + 1 < choices.size() && target >= choices[expected].probability; ++expected) {
        target -= choices[expected].probability;
      }
      ASSERT_EQ(sampler.sample(logits, params, history, position, mask), choices[expected].token)
          << "round " << round << " position " << position;
    }
  }
}

TEST(SamplerDraws, equal_the_naive_samplers_over_the_full_vocabulary_flat_and_peaked) {
  Sampler sampler(kFullVocabulary);
  for (const float spread : {0.0F, 0.05F, 2.5F}) {
    const auto logits = random_logits(kFullVocabulary, spread, 4);
    for (const auto& params :
         {params_of(1.0F, 0, 0.9F, 0.0F), params_of(1.0F, 50'000, 1.0F, 0.0F)}) {
      const auto choices = naive_choices(logits, params);
      double target = uniform_at(params.seed, 9);
      std::size_t expected = 0;
      while (target >= choices[expected].probability) target -= choices[expected++].probability;
      EXPECT_EQ(sampler.sample(logits, params, {}, 9), choices[expected].token) << spread;
    }
  }
}

TEST(SamplerDraws, a_position_draws_the_same_whatever_was_drawn_before) {
  const auto logits = random_logits(1000, 1.0F, 6);
  const SamplingParams params = params_of(1.0F, 0, 0.95F, 0.0F);
  Sampler forwards(1000);
  std::vector<std::int32_t> tokens;
  for (std::uint64_t position = 0; position < 50; ++position) {
    tokens.push_back(forwards.sample(logits, params, {}, position).value());
  }
  Sampler backwards(1000);
  for (std::uint64_t position = 50; position-- > 0;) {
    EXPECT_EQ(backwards.sample(logits, params, {}, position), tokens[position]);
  }
}

TEST(SamplerDraws, differ_between_seeds) {
  const auto logits = random_logits(1000, 0.1F, 6);
  SamplingParams params = params_of(1.0F, 0, 1.0F, 0.0F);
  Sampler sampler(1000);
  int equal = 0;
  for (params.seed = 0; params.seed < 100; ++params.seed) {
    const auto here = sampler.sample(logits, params, {}, 0).value();
    ++params.seed;
    equal += static_cast<int>(here == sampler.sample(logits, params, {}, 0).value());
  }
  EXPECT_LE(equal, 2);
}

TEST(SamplerDraws, allocate_nothing) {
  Sampler sampler(kFullVocabulary);
  TokenHistory history(kFullVocabulary, 64);
  std::vector<TokenLogprob> top(20);
  const std::vector<std::uint64_t> mask(sampler.mask_words(), 0xFFFFFFFF0FFFFFFFU);
  std::vector<std::vector<float>> logits;
  for (const float spread : {0.0F, 1.0F, 5.0F}) {
    logits.push_back(random_logits(kFullVocabulary, spread, 8));
  }
  SamplingParams params = params_of(0.8F, 0, 0.95F, 0.01F);
  params.repetition_penalty = 1.1F;
  params.logit_bias = {{5, 1.0F}};
  const std::size_t before = allocation_count;
  for (std::uint64_t position = 0; position < 9; ++position) {
    params.top_k = position < 6 ? 0 : 70'000;
    const auto& row = logits[position % 3];
    const auto token = sampler.sample(row, params, history, position, mask);
    history.add_sampled(token.value());
    top.front().logprob += token_logprob(row, token.value(), top);
  }
  EXPECT_EQ(allocation_count - before, 0U);
}

}  // namespace
}  // namespace notso
