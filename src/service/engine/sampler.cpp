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
[[gnu::always_inline]] inline float exp_above(float x) {
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

// Loops over the vocabulary go piece by piece, each piece in several loops: the compiler makes
// vector code of each of these but not of all in one.
constexpr std::size_t kPiece = 256;

// The sum, always of the same numbers in the same order.
class LaneSum {
 public:
  void add(std::span<const float> piece) {
    std::size_t i = 0;
    for (; i + kLanes <= piece.size(); i += kLanes) {
      for (std::size_t lane = 0; lane < kLanes; ++lane) sums_[lane] += double{piece[i + lane]};
    }
    for (; i < piece.size(); ++i) sums_[i % kLanes] += double{piece[i]};
  }

  [[nodiscard]] double total() const {
    double total = 0.0;
    for (const double sum : sums_) total += sum;
    return total;
  }

 private:
  static constexpr std::size_t kLanes = 8;
  std::array<double, kLanes> sums_{};
};

double sum_of(std::span<const float> values) {
  LaneSum sum;
  sum.add(values);
  return sum.total();
}

// weights[count] = e^((values[count] - best) / temperature).
[[gnu::always_inline]] inline void exp_loops(const float* values, std::size_t count, float best,
                                             float temperature, float* weights) {
  for (std::size_t begin = 0; begin < count; begin += kPiece) {
    const std::size_t end = begin + kPiece < count ? begin + kPiece : count;
    for (std::size_t i = begin; i < end; ++i) weights[i] = values[i] - best;
    if (temperature != 1.0F) {
      for (std::size_t i = begin; i < end; ++i) weights[i] /= temperature;
    }
    for (std::size_t i = begin; i < end; ++i) {
      weights[i] = weights[i] > kExpFloor ? weights[i] : kExpFloor;
    }
    for (std::size_t i = begin; i < end; ++i) weights[i] = exp_above(weights[i]);
  }
}

#if defined(__x86_64__)
// The same arithmetic in longer vectors.
[[gnu::target("avx2")]] void exp_loops_avx2(const float* values, std::size_t count, float best,
                                            float temperature, float* weights) {
  exp_loops(values, count, best, temperature, weights);
}
#endif

void exp_of(std::span<const float> values, float best, float temperature,
            std::span<float> weights) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") != 0) {
    return exp_loops_avx2(values.data(), values.size(), best, temperature, weights.data());
  }
#endif
  exp_loops(values.data(), values.size(), best, temperature, weights.data());
}

// The sum of e^(value - best).
double sum_exp(std::span<const float> values, float best) {
  std::array<float, kPiece> weights;
  LaneSum sum;
  for (std::size_t begin = 0; begin < values.size(); begin += kPiece) {
    const auto piece = values.subspan(begin, std::min(kPiece, values.size() - begin));
    const auto piece_weights = std::span(weights).first(piece.size());
    exp_of(piece, best, 1.0F, piece_weights);
    sum.add(piece_weights);
  }
  return sum.total();
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

bool all_finite(std::span<const float> values) {
  std::uint32_t bad = 0;
  for (const float value : values) {
    const std::uint32_t magnitude = std::bit_cast<std::uint32_t>(value) & 0x7FFFFFFFU;
    bad |= static_cast<std::uint32_t>(magnitude >= 0x7F800000U);
  }
  return bad == 0;
}

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

Sampler::Sampler(std::size_t vocab_size)
    : values_(vocab_size), candidates_(vocab_size), bins_(vocab_size) {
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
  cut(last_);
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
bool Sampler::better(const Rank& a, const Rank& b) {
  return a.value > b.value || (a.value == b.value && a.token < b.token);
}

// Finds candidates_ and the last_ of those that top_k, top_p and min_p leave.
void Sampler::truncate(const SamplingParams& params) {
  const bool by_mass = params.top_p < 1.0F;
  const float floor = best_ + std::log(params.min_p);  // -infinity when min_p is off
  last_ = {floor, 0.0F, std::numeric_limits<std::int32_t>::max()};
  if (params.top_k > 0) {
    gather_enough(params.top_k, Weight::kOne);
    drop(last_within(params.top_k));
    if (by_mass) {
      weigh(1.0F);
      last_ = std::min(last_, last_within(double{params.top_p} * sum_of(weights())), better);
    }
  } else if (by_mass) {
    const double mass = double{params.top_p} * sum_exp(values_, best_);
    gather_enough(mass, Weight::kProbability);
    last_ = std::min(last_, last_within(mass), better);
  } else {
    gather(floor);
  }
}

// candidates_ = all allowed tokens with a value of at least `threshold`, by id, of weight 1.
// Without a branch: where half of all tokens pass, it would be guessed wrong every other time.
void Sampler::gather(float threshold) {
  const float lowest = std::max(threshold, std::numeric_limits<float>::lowest());
  std::size_t count = 0;
  for (std::size_t i = 0; i < values_.size(); ++i) {
    candidates_.values[count] = values_[i];
    candidates_.tokens[count] = static_cast<std::int32_t>(i);
    count += static_cast<std::size_t>(values_[i] >= lowest);
  }
  candidates_.count = count;
  std::fill_n(candidates_.weights.begin(), count, 1.0F);
}

// candidates_ = those tokens within a margin of the best that together weigh `target`; all tokens
// if that takes all.
void Sampler::gather_enough(double target, Weight weight) {
  for (const float margin : kMargins) {
    gather(best_ - margin);
    if (weight == Weight::kProbability) weigh(1.0F);
    if (sum_of(weights()) >= target) return;
  }
}

// Bins for candidates by their distance from the best value.
constexpr std::size_t kBins = 512;
constexpr float kBinsPerUnit = kBins / kMargins[1];

void Sampler::find_bins() {
  const std::size_t count = candidates_.count;
  for (std::size_t begin = 0; begin < count; begin += kPiece) {
    const std::size_t end = std::min(count, begin + kPiece);
    std::array<float, kPiece> distance;
    for (std::size_t i = begin; i < end; ++i) {
      distance[i - begin] = (best_ - candidates_.values[i]) * kBinsPerUnit;
    }
    for (float& bin : distance) bin = bin < float{kBins - 1} ? bin : float{kBins - 1};
    for (std::size_t i = begin; i < end; ++i) {
      bins_[i] = static_cast<std::uint16_t>(static_cast<std::int32_t>(distance[i - begin]));
    }
  }
}

// The last rank of the shortest prefix of the ranking of candidates_ that weighs `target`. Only the
// candidates of the bin in which it ends have to be ranked.
Sampler::Rank Sampler::last_within(double target) {
  const Candidates& all = candidates_;
  find_bins();
  std::array<double, kBins> weights{};
  for (std::size_t i = 0; i < all.count; ++i) weights[bins_[i]] += double{all.weights[i]};
  std::size_t bin = 0;
  double before = 0.0;  // the weight of the bins, later of the ranks, that are surely in
  while (bin + 1 < kBins && before + weights[bin] < target) before += weights[bin++];
  ranked_.clear();
  for (std::size_t i = 0; i < all.count; ++i) {
    if (bins_[i] == bin) ranked_.push_back({all.values[i], all.weights[i], all.tokens[i]});
  }
  // The target is more than all weigh.
  if (ranked_.empty()) return {kMinusInfinity, 0.0F, 0};
  auto low = ranked_.begin();  // the ranks before it weigh less than the target
  auto high = ranked_.end();   // those before this one weigh as much
  while (high - low > 1) {
    const auto middle = low + (high - low) / 2;
    std::nth_element(low, middle, high, better);
    double half = 0.0;
    std::for_each(low, middle, [&](const Rank& rank) { half += double{rank.weight}; });
    if (before + half >= target) {
      high = middle;
    } else {
      before += half;
      low = middle;
    }
  }
  return *low;
}

// Leaves only the candidates up to `last`, few of many.
void Sampler::drop(const Rank& last) {
  Candidates& all = candidates_;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < all.count; ++i) {
    if (better(last, {all.values[i], 0.0F, all.tokens[i]})) continue;
    all.values[kept] = all.values[i];
    all.tokens[kept++] = all.tokens[i];
  }
  all.count = kept;
}

// Whoever ranks behind `last` counts for nothing any more.
void Sampler::cut(const Rank& last) {
  Candidates& all = candidates_;
  for (std::size_t i = 0; i < all.count; ++i) {
    const bool is_equal = (all.values[i] == last.value) & (all.tokens[i] <= last.token);
    all.weights[i] = (all.values[i] > last.value) | is_equal ? all.weights[i] : 0.0F;
  }
}

// Sets every candidate's weight to its probability at `temperature`, with the best one's as 1.
void Sampler::weigh(float temperature) {
  const std::size_t count = candidates_.count;
  exp_of(std::span(candidates_.values).first(count), best_, temperature,
         std::span(candidates_.weights).first(count));
}

std::span<const float> Sampler::weights() const {
  return std::span(candidates_.weights).first(candidates_.count);
}

// The candidate in whose share of the weights, side by side, `uniform` falls.
std::int32_t Sampler::draw(double uniform) const {
  const std::span<const float> all = weights();
  const double target = uniform * sum_of(all);
  // Pieces that end before the target are passed as a whole.
  double passed = 0.0;
  std::size_t begin = 0;
  while (begin + kPiece < all.size()) {
    const double piece = sum_of(all.subspan(begin, kPiece));
    if (passed + piece > target) break;
    passed += piece;
    begin += kPiece;
  }
  for (std::size_t i = begin; i < all.size(); ++i) {
    passed += double{all[i]};
    if (passed > target && all[i] > 0.0F) return candidates_.tokens[i];
  }
  // Rounding has lost the last one's share.
  std::size_t last = all.size() - 1;
  while (last > 0 && all[last] == 0.0F) --last;
  return candidates_.tokens[last];
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
