// Chooses the next token from the model's logits. sampler.cpp explains the order of the steps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "service/engine/token_history.h"

namespace notso {

// What is added to one token's logit.
struct LogitBias {
  std::int32_t token = 0;
  float bias = 0.0F;  // -100..100
};

// At most this many logit biases in a request.
inline constexpr std::size_t kLogitBiasesMax = 1024;

// How a request wants its tokens chosen. The defaults are those that the makers of SmolLM3
// recommend.
struct SamplingParams {
  float temperature = 0.6F;             // 0..2; 0 is greedy: the most probable token, always
  std::int32_t top_k = 0;               // >= 0; only the k most probable; 0 is off
  float top_p = 0.95F;                  // 0..1; the fewest tokens that together have it; 1 is off
  float min_p = 0.0F;                   // 0..1; at least this part of the best one's probability
  float repetition_penalty = 1.0F;      // 0.1..10; for tokens in the window; 1 is off
  std::int32_t repetition_window = 64;  // 0..1048576 tokens of prompt and answer; 0 is all
  float frequency_penalty = 0.0F;       // -2..2; a time that the answer has used the token
  float presence_penalty = 0.0F;        // -2..2; once if the answer has used the token
  std::vector<LogitBias> logit_bias;    // at most kLogitBiasesMax; equal tokens add up
  std::uint64_t seed = 0;

  // Whether a TokenHistory is needed at all.
  [[nodiscard]] bool has_penalties() const;
};

// Checks every range; the error names the field, its value and what is allowed.
[[nodiscard]] Status validate(const SamplingParams& params, std::size_t vocab_size);

// Whether none of the values is infinite or not a number.
[[nodiscard]] bool all_finite(std::span<const float> values);

// The random number in [0, 1) that decides position `position` of a sequence. It depends on nothing
// else, so a draw is the same whether or not earlier positions were drawn, or drawn twice.
[[nodiscard]] double uniform_at(std::uint64_t seed, std::uint64_t position);

// Buffers for choosing tokens, made once and used for many requests, one at a time.
class Sampler {
 public:
  // Allocates all that later calls need.
  explicit Sampler(std::size_t vocab_size);

  // The token for `position`, by valid `params`. logits[vocab_size] stay as they are. A non-empty
  // `mask` holds a bit for each token, lowest first in each word: only tokens whose bit is set may
  // be chosen. A logit that is not finite, or a mask that allows nothing, is an error. Equal logits
  // rank by id, lowest first.
  [[nodiscard]] Result<std::int32_t> sample(std::span<const float> logits,
                                            const SamplingParams& params,
                                            const TokenHistory& history, std::uint64_t position,
                                            std::span<const std::uint64_t> mask = {});

  // How many words a mask has.
  [[nodiscard]] std::size_t mask_words() const { return (values_.size() + 63) / 64; }

 private:
  // A place in the ranking.
  struct Rank {
    float value;
    float weight;
    std::int32_t token;
  };
  // Tokens in the order of their ids, each with what it counts for in the step at hand (those that
  // are cut off, nothing). Three arrays, so that loops over them become vector code.
  struct Candidates {
    explicit Candidates(std::size_t most) : values(most), weights(most), tokens(most) {}

    std::vector<float> values;
    std::vector<float> weights;
    std::vector<std::int32_t> tokens;
    std::size_t count = 0;
  };
  enum class Weight { kOne, kProbability };

  static bool better(const Rank& a, const Rank& b);
  Status load(std::span<const float> logits, std::span<const std::uint64_t> mask);
  void adjust(const SamplingParams& params, const TokenHistory& history);
  void truncate(const SamplingParams& params);
  void gather(float threshold);
  void gather_enough(double target, Weight weight);
  void drop(const Rank& last);
  void cut(const Rank& last);
  [[nodiscard]] Rank last_within(double target);
  void find_bins();
  void weigh(float temperature);
  [[nodiscard]] std::span<const float> weights() const;
  [[nodiscard]] std::int32_t draw(double uniform) const;

  std::vector<float> values_;        // [vocab_size] logits, adjusted; -infinity where masked
  Candidates candidates_;            // who may be chosen, and some who may not
  Rank last_ = {};                   // the last in the ranking who may
  std::vector<std::uint16_t> bins_;  // [candidates] by value
  std::vector<Rank> ranked_;         // scratch of last_within
  float best_ = 0.0F;                // the largest of values_
};

// A token and the logarithm of its probability.
struct TokenLogprob {
  std::int32_t token = 0;
  float logprob = 0.0F;
};

// The log-probability of `token` under the model itself: the log-softmax of the raw logits, before
// penalties, truncation and temperature. Fills `top` with the most probable tokens, best first
// (equal ones by id; at most as many as there are logits). Allocates nothing.
[[nodiscard]] float token_logprob(std::span<const float> logits, std::int32_t token,
                                  std::span<TokenLogprob> top);

}  // namespace notso
