#include "service/engine/token_history.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <map>
#include <random>
#include <tuple>
#include <vector>

namespace notso {

static bool operator==(const TokenCount& a, const TokenCount& b) {
  return std::tie(a.token, a.in_window, a.in_answer) == std::tie(b.token, b.in_window, b.in_answer);
}

namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST(TokenHistory, prompt_tokens_count_in_the_window_only) {
  TokenHistory history(10, 0);
  history.add_prompt(std::vector<std::int32_t>{3, 4, 3});
  EXPECT_THAT(history.counts(), UnorderedElementsAre(TokenCount{3, 2, 0}, TokenCount{4, 1, 0}));
}

TEST(TokenHistory, sampled_tokens_count_in_both) {
  TokenHistory history(10, 0);
  history.add_prompt(std::vector<std::int32_t>{3});
  history.add_sampled(3);
  history.add_sampled(9);
  EXPECT_THAT(history.counts(), UnorderedElementsAre(TokenCount{3, 2, 1}, TokenCount{9, 1, 1}));
}

TEST(TokenHistory, tokens_leave_the_window_but_not_the_answer) {
  TokenHistory history(10, 2);
  history.add_prompt(std::vector<std::int32_t>{1, 2, 3});
  history.add_sampled(4);
  history.add_sampled(5);
  history.add_sampled(6);
  EXPECT_THAT(history.counts(),
              UnorderedElementsAre(TokenCount{4, 0, 1}, TokenCount{5, 1, 1}, TokenCount{6, 1, 1}));
}

TEST(TokenHistory, keeps_nothing_when_made_without_sizes) {
  TokenHistory history;
  history.add_prompt(std::vector<std::int32_t>{1});
  history.add_sampled(2);
  EXPECT_THAT(history.counts(), IsEmpty());
}

TEST(TokenHistory, agrees_with_counting_anew_after_every_token) {
  std::mt19937 random(7);
  for (const std::size_t window : {0U, 1U, 5U, 64U}) {
    TokenHistory history(12, window);
    std::vector<std::int32_t> all;
    for (int step = 0; step < 300; ++step) {
      all.push_back(static_cast<std::int32_t>(random() % 12));
      history.add_sampled(all.back());
      std::map<std::int32_t, TokenCount> expected;
      for (std::size_t i = 0; i < all.size(); ++i) {
        TokenCount& count = expected[all[i]];
        count.token = all[i];
        ++count.in_answer;
        if (window == 0 || all.size() - i <= window) ++count.in_window;
      }
      std::vector<TokenCount> counts(history.counts().begin(), history.counts().end());
      std::ranges::sort(counts, {}, &TokenCount::token);
      ASSERT_EQ(counts.size(), expected.size());
      for (const TokenCount& count : counts) ASSERT_EQ(count, expected[count.token]);
    }
  }
}

}  // namespace
}  // namespace notso
