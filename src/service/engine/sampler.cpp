// The steps, in this order, which is llama.cpp's:
//
//   mask -> logit bias -> repetition, frequency and presence penalties -> top_k -> top_p -> min_p
//   -> temperature -> draw
//
// The truncations see probabilities at temperature 1, so a high temperature spreads the choice
// among the plausible tokens but lets no implausible one in. (Programs that scale first, as vLLM
// does, keep more tokens at temperatures above 1 and fewer below.) top_p counts the probabilities
// within what top_k left; min_p is relative to the most probable token. The mask comes first, so
// all of it is relative to what the grammar allows. At least one token is always left.
//
// All three truncations keep a prefix of one ranking: by logit, equal ones by id. Nothing sorts the
// vocabulary to find it. Only tokens within a margin of the best are looked at, more if they turn
// out too few. Bins by value tell roughly where the prefix ends, and the last bin is cut exactly by
// halving: nth_element splits it, the weight of the better half says in which half the cut lies.
// That is linear even when the nucleus is large or all logits are equal.
//
// What is left is walked in the order of ids until the weights exceed uniform_at(seed, position) of
// their sum, so the result depends on the logits and the parameters and on nothing else.

#include "service/engine/sampler.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include "base/check.h"

namespace notso {

namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// How far below the best logit the candidates are sought first. At 8 a token has at most 1/2981 of
// the best one's probability.
constexpr std::array<float, 3> kMargins = {8.0F, 16.0F, std::numeric_limits<float>::infinity()};

// Where e^x counts as 0; x must not be less for exp_above.
constexpr float kExpFloor = -88.0F;

// e^x for kExpFloor <= x <= 0 to about one unit in the last place. Free of branches and calls, so
// that loops over it become vector code: x = n * ln 2 + r, e^x = 2^n * e^r, and e^r is a Taylor
// polynomial for |r| <= ln 2 / 2. At the floor n is -127, which as an exponent's bits means 0.
inline float exp_above(float x) {
  constexpr float kRounder = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = x * 1.44269504F + kRounder;
  const float n = shifted - kRounder;
  const float r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  float p = 1.0F / 5040.0F;
  p = p * r + 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(shifted) + 127U;
  return p * std::bit_cast<float>(bits << 23U);
}

// The sum of e^(value - best). In pieces of three loops, since the compiler makes vector code of
// each of them but not of all in one.
double sum_exp(std::span<const float> values, float best) {
  constexpr std::size_t kPiece = 256;
  constexpr std::size_t kLanes = 8;
  std::array<float, kPiece> weights;
  std::array<double, kLanes> sums{};
  for (std::size_t begin = 0; begin < values.size(); begin += kPiece) {
    const auto piece = values.subspan(begin, std::min(kPiece, values.size() - begin));
    weights.fill(kExpFloor);
    for (std::size_t i = 0; i < piece.size(); ++i) {
      weights[i] = std::max(kExpFloor, piece[i] - best);
    }
    for (float& weight : weights) weight = exp_above(weight);
    for (std::size_t i = 0; i < kPiece; i += kLanes) {
      for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += double{weights[i + lane]};
    }
  }
  double sum = 0.0;
  for (const double lane : sums) sum += lane;
  return sum;
}

float largest(std::span<const float> values) {
  constexpr std::size_t kLanes = 16;
  std::array<float, kLanes> lanes;
  lanes.fill(kMinusInfinity);
  std::size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] = values[i + lane] > lanes[lane] ? values[i + lane] : lanes[lane];
    }
  }
  float best = *std::max_element(lanes.begin(), lanes.end());
  for (; i < values.size(); ++i) best = std::max(best, values[i]);
  return best;
}

bool all_finite(std::span<const float> values) {
  std::uint32_t bad = 0;
  for (const float value : values) {
    const std::uint32_t magnitude = std::bit_cast<std::uint32_t>(value) & 0x7FFFFFFFU;
    bad |= static_cast<std::uint32_t>(magnitude >= 0x7F800000U);
  }
  return bad == 0;
}

// The bijection of SplitMix64: every output bit depends on every input bit.
std::uint64_t scramble(std::uint64_t x) {
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

// Written so that a NaN is out of every range.
template <class T>
Status check_range(const char* field, T value, T low, T high) {
  if (low <= value && value <= high) return {};
  const auto text = [](T number) {
    std::string digits = std::to_string(number);
    if (digits.find('.') == std::string::npos) return digits;
    digits.erase(digits.find_last_not_of('0') + 1);
    if (digits.back() == '.') digits.pop_back();
    return digits;
  };
  return fail(ErrorCode::kInvalidArgument, std::string(field) + " is " + text(value) +
                                               "; it must be from " + text(low) + " to " +
                                               text(high));
}

Status check_biases(std::span<const LogitBias> biases, std::size_t vocab_size) {
  if (biases.size() > kLogitBiasesMax) {
    return fail(ErrorCode::kInvalidArgument, "logit_bias has " + std::to_string(biases.size()) +
                                                 " entries; at most " +
                                                 std::to_string(kLogitBiasesMax) + " are allowed");
  }
  const auto last = static_cast<std::int64_t>(vocab_size) - 1;
  for (const LogitBias& entry : biases) {
    Status status = check_range("logit_bias token", std::int64_t{entry.token}, {0}, last);
    if (status) status = check_range("logit_bias value", entry.bias, -100.0F, 100.0F);
    if (!status) return status;
  }
  return {};
}

}  // namespace

bool SamplingParams::has_penalties() const {
  return repetition_penalty != 1.0F || frequency_penalty != 0.0F || presence_penalty != 0.0F;
}

Status validate(const SamplingParams& params, std::size_t vocab_size) {
  constexpr std::int32_t kIntMax = std::numeric_limits<std::int32_t>::max();
  const std::array<Status, 8> checks = {
      check_range("temperature", params.temperature, 0.0F, 2.0F),
      check_range("top_k", params.top_k, 0, kIntMax),
      check_range("top_p", params.top_p, 0.0F, 1.0F),
      check_range("min_p", params.min_p, 0.0F, 1.0F),
      check_range("repetition_penalty", params.repetition_penalty, 0.1F, 10.0F),
      check_range("repetition_window", params.repetition_window, 0, 1 << 20),
      check_range("frequency_penalty", params.frequency_penalty, -2.0F, 2.0F),
      check_range("presence_penalty", params.presence_penalty, -2.0F, 2.0F),
  };
  for (const Status& check : checks) {
    if (!check) return check;
  }
  return check_biases(params.logit_bias, vocab_size);
}

// SplitMix64 from a state that is the scrambled seed: its state at step n is start + n * gamma, so
// any step can be had at once.
double uniform_at(std::uint64_t seed, std::uint64_t position) {
  constexpr std::uint64_t kGamma = 0x9E3779B97F4A7C15U;
  const std::uint64_t bits = scramble(scramble(seed + kGamma) + (position + 1) * kGamma);
  return static_cast<double>(bits >> 11U) * 0x1.0p-53;
}

Sampler::Sampler(std::size_t vocab_size) : values_(vocab_size) {
  candidates_.reserve(vocab_size);
  ranked_.reserve(vocab_size);
}

Result<std::int32_t> Sampler::sample(std::span<const float> logits, const SamplingParams& params,
                                     const TokenHistory& history, std::uint64_t position,
                                     std::span<const std::uint64_t> mask) {
  if (Status status = load(logits, mask); !status) return pass_on(status);
  adjust(params, history);
  best_ = largest(values_);
  if (best_ == kMinusInfinity) {
    return fail(ErrorCode::kInvalidArgument, "the grammar allows no token here");
  }
  if (params.temperature == 0.0F) {
    return static_cast<std::int32_t>(std::ranges::find(values_, best_) - values_.begin());
  }
  truncate(params);
  weigh(params.temperature);
  return draw(uniform_at(params.seed, position));
}

// Copies the logits into values_ with -infinity for what the mask forbids.
Status Sampler::load(std::span<const float> logits, std::span<const std::uint64_t> mask) {
  NOTSO_CHECK(logits.size() == values_.size());
  NOTSO_CHECK(mask.empty() || mask.size() == mask_words());
  if (!all_finite(logits)) {
    const auto bad = std::ranges::find_if(logits, [](float x) { return !std::isfinite(x); });
    return fail(ErrorCode::kInternal, "the model gave token " +
                                          std::to_string(bad - logits.begin()) +
                                          " a logit that is not finite; the answer ends here");
  }
  std::ranges::copy(logits, values_.begin());
  for (std::size_t word = 0; word < mask.size(); ++word) {
    if (mask[word] == ~std::uint64_t{0}) continue;
    const std::size_t end = std::min(values_.size(), word * 64 + 64);
    for (std::size_t i = word * 64; i < end; ++i) {
      if (((mask[word] >> (i % 64)) & 1U) == 0) values_[i] = kMinusInfinity;
    }
  }
  return {};
}

// Logit biases and penalties. A masked token stays at -infinity whatever is done to it; the clamp
// keeps an absurdly large logit finite.
void Sampler::adjust(const SamplingParams& params, const TokenHistory& history) {
  constexpr float kMax = std::numeric_limits<float>::max();
  for (const LogitBias& entry : params.logit_bias) {
    float& value = values_[static_cast<std::size_t>(entry.token)];
    value = std::min(value + entry.bias, kMax);
  }
  if (!params.has_penalties()) return;
  for (const TokenCount& count : history.counts()) {
    float& value = values_[static_cast<std::size_t>(count.token)];
    if (count.in_window > 0) {
      const float penalty = params.repetition_penalty;
      value = value > 0.0F ? value / penalty : value * penalty;
    }
    if (count.in_answer > 0) {
      value -= static_cast<float>(count.in_answer) * params.frequency_penalty;
      value -= params.presence_penalty;
    }
    value = std::min(value, kMax);
  }
}

// The ranking: larger logits first, equal ones by id.
bool Sampler::better(const Candidate& a, const Candidate& b) {
  return a.value > b.value || (a.value == b.value && a.token < b.token);
}

// candidates_ = the tokens that top_k, top_p and min_p leave, by id.
void Sampler::truncate(const SamplingParams& params) {
  const bool by_mass = params.top_p < 1.0F;
  const float floor = best_ + std::log(params.min_p);  // -infinity when min_p is off
  if (params.top_k > 0) {
    gather_enough(params.top_k, Weight::kOne);
    keep_best(params.top_k);
    if (by_mass) {
      weigh(1.0F);
      keep_best(double{params.top_p} * total_weight());
    }
  } else if (by_mass) {
    const double mass = double{params.top_p} * sum_exp(values_, best_);
    gather_enough(mass, Weight::kProbability);
    keep_best(mass);
  } else {
    gather(floor);
  }
  std::erase_if(candidates_, [&](const Candidate& c) { return c.value < floor; });
}

// candidates_ = all allowed tokens with a value of at least `threshold`, by id, of weight 1.
void Sampler::gather(float threshold) {
  const float lowest = std::max(threshold, std::numeric_limits<float>::lowest());
  candidates_.clear();
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (values_[i] < lowest) continue;
    candidates_.push_back({values_[i], 1.0F, static_cast<std::int32_t>(i)});
  }
}

// candidates_ = those tokens within a margin of the best that together weigh `target`; all tokens
// if that takes all.
void Sampler::gather_enough(double target, Weight weight) {
  for (const float margin : kMargins) {
    gather(best_ - margin);
    if (weight == Weight::kProbability) weigh(1.0F);
    if (total_weight() >= target) return;
  }
}

// Leaves the shortest prefix of the ranking of candidates_ that weighs `target`, still by id. The
// candidates are first put into bins by value, so that only those of the bin in which the prefix
// ends have to be ranked.
void Sampler::keep_best(double target) {
  constexpr std::size_t kBins = 512;
  constexpr float kBinsPerUnit = kBins / kMargins[1];
  const auto bin_of = [&](const Candidate& c) {
    const float bin = (best_ - c.value) * kBinsPerUnit;
    return bin < float{kBins - 1} ? static_cast<std::size_t>(bin) : kBins - 1;
  };
  std::array<double, kBins> weights{};
  for (const Candidate& candidate : candidates_) {
    weights[bin_of(candidate)] += double{candidate.weight};
  }
  std::size_t bin = 0;
  double before = 0.0;  // the weight of the bins, later of the ranks, that are surely in
  while (bin + 1 < kBins && before + weights[bin] < target) before += weights[bin++];
  ranked_.clear();
  for (const Candidate& candidate : candidates_) {
    if (bin_of(candidate) == bin) ranked_.push_back(candidate);
  }
  if (ranked_.empty()) return;  // the target is more than all weigh
  auto low = ranked_.begin();   // the ranks before it weigh less than the target
  auto high = ranked_.end();    // those before this one weigh as much
  while (high - low > 1) {
    const auto middle = low + (high - low) / 2;
    std::nth_element(low, middle, high, better);
    double half = 0.0;
    std::for_each(low, middle, [&](const Candidate& c) { half += double{c.weight}; });
    if (before + half >= target) {
      high = middle;
    } else {
      before += half;
      low = middle;
    }
  }
  std::erase_if(candidates_, [&](const Candidate& c) { return better(*low, c); });
}

// Sets every candidate's weight to its probability at `temperature`, with the best one's as 1.
void Sampler::weigh(float temperature) {
  for (Candidate& candidate : candidates_) {
    candidate.weight = exp_above(std::max(kExpFloor, (candidate.value - best_) / temperature));
  }
}

double Sampler::total_weight() const {
  double sum = 0.0;
  for (const Candidate& candidate : candidates_) sum += double{candidate.weight};
  return sum;
}

// The candidate in whose share of the weights, side by side, `uniform` falls.
std::int32_t Sampler::draw(double uniform) const {
  const double target = uniform * total_weight();
  double passed = 0.0;
  std::int32_t token = candidates_.front().token;
  for (const Candidate& candidate : candidates_) {
    if (candidate.weight > 0.0F) token = candidate.token;
    passed += double{candidate.weight};
    if (passed > target) break;
  }
  return token;
}

float token_logprob(std::span<const float> logits, std::int32_t token,
                    std::span<TokenLogprob> top) {
  const float best = largest(logits);
  const double log_sum = std::log(sum_exp(logits, best));
  const auto logprob = [&](float logit) {
    return static_cast<float>(double{logit} - double{best} - log_sum);
  };
  // `top` holds raw logits while it is filled, as a heap with the worst in front, so that asking
  // for the whole vocabulary costs no more than sorting it.
  const auto better = [](const TokenLogprob& x, const TokenLogprob& y) {
    return x.logprob > y.logprob || (x.logprob == y.logprob && x.token < y.token);
  };
  std::size_t filled = 0;
  for (std::size_t i = 0; i < logits.size() && !top.empty(); ++i) {
    const TokenLogprob entry{static_cast<std::int32_t>(i), logits[i]};
    if (filled == top.size()) {
      if (!better(entry, top.front())) continue;
      std::pop_heap(top.begin(), top.end(), better);
      --filled;
    }
    top[filled++] = entry;
    std::push_heap(top.begin(), top.begin() + static_cast<std::ptrdiff_t>(filled), better);
  }
  std::sort_heap(top.begin(), top.begin() + static_cast<std::ptrdiff_t>(filled), better);
  for (TokenLogprob& entry : top.first(filled)) entry.logprob = logprob(entry.logprob);
  return logprob(logits[static_cast<std::size_t>(token)]);
}

}  // namespace notso
