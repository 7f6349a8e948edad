// The sampler's rules written as directly as they are stated, with a full sort and double
// arithmetic: what the fast one is compared with.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "service/engine/sampler.h"

namespace notso {

// A token that may be chosen, with its share of the choice.
struct NaiveChoice {
  std::int32_t token;
  double probability;
};

// The logits after mask, biases and penalties; masked tokens are -infinity.
inline std::vector<float> naive_values(std::span<const float> logits, const SamplingParams& params,
                                       std::span<const TokenCount> counts,
                                       std::span<const std::uint64_t> mask) {
  std::vector<float> values(logits.begin(), logits.end());
  for (std::size_t i = 0; i < values.size() && !mask.empty(); ++i) {
    if ((mask[i / 64] >> (i % 64) & 1U) == 0) values[i] = -INFINITY;
  }
  for (const auto& [token, bias] : params.logit_bias) {
    values[static_cast<std::size_t>(token)] += bias;
  }
  for (const TokenCount& count : counts) {
    float& value = values[static_cast<std::size_t>(count.token)];
    if (count.in_window > 0) {
      value = value > 0 ? value / params.repetition_penalty : value * params.repetition_penalty;
    }
    value -= static_cast<float>(count.in_answer) * params.frequency_penalty;
    if (count.in_answer > 0) value -= params.presence_penalty;
  }
  return values;
}

// Every token that may be chosen, by id, with the probability of each.
inline std::vector<NaiveChoice> naive_choices(const std::vector<float>& values,
                                              const SamplingParams& params) {
  std::vector<std::int32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  const auto value = [&](std::int32_t token) { return values[static_cast<std::size_t>(token)]; };
  std::ranges::stable_sort(order, [&](auto a, auto b) { return value(a) > value(b); });
  std::erase_if(order, [&](auto token) { return value(token) == -INFINITY; });
  const float best = value(order.front());
  const auto weight = [&](std::int32_t token, double temperature) {
    return std::exp((double{value(token)} - double{best}) / temperature);
  };
  if (params.top_k > 0 && order.size() > static_cast<std::size_t>(params.top_k)) {
    order.resize(static_cast<std::size_t>(params.top_k));
  }
  if (params.top_p < 1.0F) {
    double total = 0.0;
    for (const auto token : order) total += weight(token, 1.0);
    double passed = 0.0;
    std::size_t kept = 0;
    do {
      passed += weight(order[kept++], 1.0);
    } while (passed < double{params.top_p} * total && kept < order.size());
    order.resize(kept);
  }
  std::erase_if(order, [&](auto token) { return value(token) < best + std::log(params.min_p); });
  std::ranges::sort(order);
  double total = 0.0;
  for (const auto token : order) total += weight(token, double{params.temperature});
  std::vector<NaiveChoice> choices;
  for (const auto token : order) {
    choices.push_back({token, weight(token, double{params.temperature}) / total});
  }
  return choices;
}

}  // namespace notso
