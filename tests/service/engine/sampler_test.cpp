#include "service/engine/sampler.h"

#include <cmath>
#include <gmock/gmock.h>
#include <limits>
#include <set>
#include <string>
#include <vector>

namespace notso {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Nothing but the softmax at temperature 1.
SamplingParams plain() {
  SamplingParams params;
  params.temperature = 1.0F;
  params.top_p = 1.0F;
  return params;
}

// The tokens that come up in many draws.
std::set<std::int32_t> chosen(const std::vector<float>& logits, const SamplingParams& params,
                              const TokenHistory& history = {},
                              const std::vector<std::uint64_t>& mask = {}) {
  Sampler sampler(logits.size());
  std::set<std::int32_t> tokens;
  for (std::uint64_t position = 0; position < 2000; ++position) {
    tokens.insert(sampler.sample(logits, params, history, position, mask).value());
  }
  return tokens;
}

// Logits whose softmax is these probabilities.
std::vector<float> logits_of(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

TEST(Sampler, temperature_zero_takes_the_best_and_the_lowest_of_equals) {
  Sampler sampler(5);
  SamplingParams params;
  params.temperature = 0.0F;
  EXPECT_EQ(sampler.sample(std::vector<float>{1, 5, 2, 5, 0}, params, {}, 0), 1);
}

TEST(Sampler, top_k_keeps_the_k_best_and_the_lowest_ids_of_equals) {
  SamplingParams params = plain();
  params.top_k = 3;
  EXPECT_THAT(chosen({1, 2, 3, 2, 2}, params), ElementsAre(1, 2, 3));
}

TEST(Sampler, top_k_larger_than_the_vocabulary_keeps_all) {
  SamplingParams params = plain();
  params.top_k = std::numeric_limits<std::int32_t>::max();
  EXPECT_EQ(chosen({1, 1, 1, 1, 1}, params).size(), 5U);
}

TEST(Sampler, top_p_keeps_the_fewest_tokens_that_have_it) {
  SamplingParams params = plain();
  const auto logits = logits_of({0.1, 0.4, 0.2, 0.3});
  params.top_p = 0.65F;
  EXPECT_THAT(chosen(logits, params), ElementsAre(1, 3));
  params.top_p = 0.75F;
  EXPECT_THAT(chosen(logits, params), ElementsAre(1, 2, 3));
  params.top_p = 0.0F;
  EXPECT_THAT(chosen(logits, params), ElementsAre(1));
}

TEST(Sampler, top_p_is_exact_when_all_logits_are_equal) {
  SamplingParams params = plain();
  params.top_p = 0.5F;
  const auto tokens = chosen(std::vector<float>(100, -3.0F), params);
  EXPECT_EQ(tokens.size(), 50U);
  EXPECT_EQ(*tokens.rbegin(), 49);
}

TEST(Sampler, top_p_counts_within_what_top_k_left) {
  SamplingParams params = plain();
  params.top_k = 2;
  params.top_p = 0.55F;  // of 0.4 + 0.3: the best alone has 0.57 of them
  EXPECT_THAT(chosen(logits_of({0.1, 0.4, 0.2, 0.3}), params), ElementsAre(1));
}

TEST(Sampler, min_p_is_relative_to_the_best) {
  SamplingParams params = plain();
  params.min_p = 0.45F;
  EXPECT_THAT(chosen(logits_of({0.1, 0.4, 0.2, 0.3}), params), ElementsAre(1, 2, 3));
  params.min_p = 1.0F;
  EXPECT_THAT(chosen(logits_of({0.1, 0.4, 0.2, 0.3}), params), ElementsAre(1));
}

TEST(Sampler, truncation_does_not_depend_on_the_temperature) {
  SamplingParams params = plain();
  params.top_p = 0.65F;
  for (const float temperature : {0.5F, 1.0F, 2.0F}) {
    params.temperature = temperature;
    EXPECT_THAT(chosen(logits_of({0.1, 0.4, 0.2, 0.3}), params), ElementsAre(1, 3));
  }
}

TEST(Sampler, a_tiny_temperature_is_as_good_as_greedy) {
  SamplingParams params = plain();
  params.temperature = std::numeric_limits<float>::denorm_min();
  EXPECT_THAT(chosen({1, 1.001F, 1}, params), ElementsAre(1));
}

TEST(Sampler, logit_biases_are_added_and_equal_tokens_add_up) {
  SamplingParams params = plain();
  params.temperature = 0.0F;
  params.logit_bias = {{2, 1.5F}, {2, 1.0F}, {0, -100.0F}};
  EXPECT_THAT(chosen({3, 2, 1}, params), ElementsAre(2));
}

TEST(Sampler, repetition_penalty_divides_positive_and_multiplies_negative_logits) {
  SamplingParams params = plain();
  params.temperature = 0.0F;
  params.repetition_penalty = 2.0F;
  TokenHistory history(3, 64);
  history.add_prompt(std::vector<std::int32_t>{0});
  EXPECT_THAT(chosen({3, 1.6F, 1.4F}, params, history), ElementsAre(1));
  EXPECT_THAT(chosen({3, 1.4F, 1.2F}, params, history), ElementsAre(0));
  EXPECT_THAT(chosen({-1, -1.9F, -2.1F}, params, history), ElementsAre(1));
}

TEST(Sampler, frequency_penalty_grows_with_the_count_and_presence_penalty_does_not) {
  SamplingParams params = plain();
  params.temperature = 0.0F;
  TokenHistory history(2, 64);
  for (int i = 0; i < 3; ++i) history.add_sampled(0);
  params.frequency_penalty = 1.0F;
  EXPECT_THAT(chosen({3.1F, 0}, params, history), ElementsAre(0));
  EXPECT_THAT(chosen({2.9F, 0}, params, history), ElementsAre(1));
  params.frequency_penalty = 0.0F;
  params.presence_penalty = 1.0F;
  EXPECT_THAT(chosen({1.1F, 0}, params, history), ElementsAre(0));
  EXPECT_THAT(chosen({0.9F, 0}, params, history), ElementsAre(1));
}

TEST(Sampler, frequency_and_presence_penalties_leave_the_prompt_alone) {
  SamplingParams params = plain();
  params.temperature = 0.0F;
  params.frequency_penalty = params.presence_penalty = 2.0F;
  TokenHistory history(2, 64);
  history.add_prompt(std::vector<std::int32_t>{0, 0, 0});
  EXPECT_THAT(chosen({1, 0}, params, history), ElementsAre(0));
}

TEST(Sampler, biases_come_before_penalties) {
  SamplingParams params = plain();
  params.temperature = 0.0F;
  params.repetition_penalty = 2.0F;
  params.logit_bias = {{0, 4.0F}};  // (0 + 4) / 2 = 2, while 0 / 2 + 4 = 4
  TokenHistory history(2, 64);
  history.add_prompt(std::vector<std::int32_t>{0});
  EXPECT_THAT(chosen({0, 3}, params, history), ElementsAre(1));
}

TEST(Sampler, only_tokens_of_the_mask_are_chosen_whatever_their_bias) {
  SamplingParams params = plain();
  params.logit_bias = {{0, 100.0F}};
  std::vector<float> logits(130, 0.0F);
  logits[1] = 50.0F;
  const std::vector<std::uint64_t> mask = {0, 1U << 3U, 2};
  EXPECT_THAT(chosen(logits, params, {}, mask), ElementsAre(67, 129));
  params.temperature = 0.0F;
  EXPECT_THAT(chosen(logits, params, {}, mask), ElementsAre(67));
}

TEST(Sampler, truncation_is_relative_to_what_the_mask_allows) {
  SamplingParams params = plain();
  params.top_p = 0.65F;
  params.top_k = 3;
  params.min_p = 0.5F;
  const auto logits = logits_of({0.9, 0.01, 0.04, 0.02, 0.03});
  EXPECT_THAT(chosen(logits, params, {}, {0b11110}), ElementsAre(2, 4));
}

TEST(Sampler, a_mask_that_allows_nothing_is_an_error) {
  Sampler sampler(3);
  const auto result = sampler.sample(std::vector<float>{1, 2, 3}, plain(), {}, 0,
                                     std::vector<std::uint64_t>{0b1000});
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("allows no token"));
}

TEST(Sampler, logits_that_are_not_finite_are_an_error_that_names_the_token) {
  Sampler sampler(3);
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    const auto result = sampler.sample(std::vector<float>{1, 2, bad}, plain(), {}, 0);
    ASSERT_FALSE(result);
    EXPECT_THAT(result.error().message, AllOf(HasSubstr("token 2"), HasSubstr("not finite")));
  }
}

TEST(Sampler, extreme_finite_logits_are_chosen_from) {
  constexpr float kMax = std::numeric_limits<float>::max();
  SamplingParams params = plain();
  params.logit_bias = {{0, 100.0F}};
  params.repetition_penalty = 0.1F;
  TokenHistory history(3, 0);
  history.add_sampled(0);
  EXPECT_THAT(chosen({kMax, -kMax, 0}, params, history), ElementsAre(0));
  EXPECT_THAT(chosen({-kMax, -kMax, -kMax}, plain()), ElementsAre(0, 1, 2));
}

TEST(SamplingParams, defaults_are_valid) { EXPECT_TRUE(validate(SamplingParams{}, 10)); }

// Changes one field of the defaults and gives the message, or "valid".
template <class Change>
std::string message_after(Change change) {
  SamplingParams params;
  change(params);
  const Status status = validate(params, 10);
  return status ? "valid" : status.error().message;
}

TEST(SamplingParams, a_field_out_of_range_is_named_with_its_value_and_the_range) {
  EXPECT_EQ(message_after([](auto& p) { p.temperature = 2.5F; }),
            "temperature is 2.5; it must be from 0 to 2");
  EXPECT_EQ(message_after([](auto& p) { p.top_k = -1; }),
            "top_k is -1; it must be from 0 to 2147483647");
  EXPECT_EQ(message_after([](auto& p) { p.repetition_window = -1; }),
            "repetition_window is -1; it must be from 0 to 1048576");
  EXPECT_EQ(message_after([](auto& p) {
              p.logit_bias = {{10, 0.0F}};
            }),
            "logit_bias token is 10; it must be from 0 to 9");
  EXPECT_EQ(message_after([](auto& p) {
              p.logit_bias = {{9, 101.0F}};
            }),
            "logit_bias value is 101; it must be from -100 to 100");
}

TEST(SamplingParams, every_float_refuses_both_ends_and_nan) {
  struct Field {
    const char* name;
    float SamplingParams::*member;
    float low;
    float high;
  };
  for (const Field& field :
       {Field{"temperature", &SamplingParams::temperature, 0, 2},
        Field{"top_p", &SamplingParams::top_p, 0, 1}, Field{"min_p", &SamplingParams::min_p, 0, 1},
        Field{"repetition_penalty", &SamplingParams::repetition_penalty, 0.1F, 10},
        Field{"frequency_penalty", &SamplingParams::frequency_penalty, -2, 2},
        Field{"presence_penalty", &SamplingParams::presence_penalty, -2, 2}}) {
    const auto with = [&](float value) {
      return message_after([&](auto& params) { params.*field.member = value; });
    };
    EXPECT_EQ(with(field.low), "valid") << field.name;
    EXPECT_EQ(with(field.high), "valid") << field.name;
    for (const float bad : {field.low - 0.01F, field.high + 0.01F, NAN, INFINITY, -INFINITY}) {
      EXPECT_THAT(with(bad), HasSubstr(field.name));
    }
  }
}

TEST(SamplingParams, too_many_logit_biases_are_refused) {
  const std::string message =
      message_after([](auto& p) { p.logit_bias.resize(kLogitBiasesMax + 1); });
  EXPECT_THAT(message, HasSubstr("1025 entries"));
}

TEST(TokenLogprob, is_the_log_softmax_with_the_best_tokens_first) {
  const auto logits = logits_of({0.1, 0.4, 0.2, 0.1, 0.2});
  std::vector<TokenLogprob> top(3);
  EXPECT_NEAR(token_logprob(logits, 3, top), std::log(0.1), 1e-6);
  EXPECT_EQ(top[0].token, 1);
  EXPECT_EQ(top[1].token, 2);
  EXPECT_EQ(top[2].token, 4);
  EXPECT_NEAR(top[0].logprob, std::log(0.4), 1e-6);
  EXPECT_NEAR(top[2].logprob, std::log(0.2), 1e-6);
}

TEST(TokenLogprob, needs_no_list_of_best_tokens) {
  EXPECT_NEAR(token_logprob(logits_of({0.25, 0.75}), 1, {}), std::log(0.75), 1e-6);
}

}  // namespace
}  // namespace notso
