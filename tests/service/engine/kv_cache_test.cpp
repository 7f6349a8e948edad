// The cache in memory: what is found, what is shared, what is copied and what goes first.
#include "service/engine/kv_cache.h"

#include <gtest/gtest.h>
#include <utility>

#include "service/engine/kv_test_pages.h"

namespace notso {
namespace {

TEST(KvCache, refuses_a_budget_below_one_page) {
  KvCacheOptions options = small_options(1);
  options.bytes_max = options.page_bytes - 1;
  const Result<std::unique_ptr<KvCache>> cache = KvCache::make(options);
  ASSERT_FALSE(cache);
  EXPECT_EQ(cache.error().code, ErrorCode::kInvalidArgument);
}

TEST(KvCache, refuses_a_budget_beyond_the_address_space) {
  KvCacheOptions options = small_options(1);
  options.page_bytes = std::size_t{1} << 40U;
  options.bytes_max = std::size_t{1} << 60U;
  const Result<std::unique_ptr<KvCache>> cache = KvCache::make(options);
  ASSERT_FALSE(cache);
  EXPECT_EQ(cache.error().code, ErrorCode::kResourceExhausted);
}

TEST(KvCache, finds_exactly_the_tokens_that_are_shared) {
  const auto cache = make_cache(small_options(64));
  const TokenList first = tokens_of(1, 300);
  serve(*cache, "", first);
  EXPECT_EQ(found(*cache, "", first), 300);
  for (const std::size_t shared : {0U, 1U, 63U, 64U, 65U, 128U, 200U, 299U}) {
    TokenList other(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(shared));
    other = joined(other, tokens_of(2, 50));
    EXPECT_EQ(found(*cache, "", other), static_cast<std::int32_t>(shared));
  }
}

TEST(KvCache, gives_no_more_than_is_asked_for) {
  const auto cache = make_cache(small_options(64));
  const TokenList tokens = tokens_of(1, 300);
  serve(*cache, "", tokens);
  for (const std::int32_t most : {-1, 0, 1, 64, 65, 255, 256, 299}) {
    const KvSequence sequence = cache->open("", tokens, most);
    EXPECT_EQ(sequence.positions(), std::max(most, 0));
  }
}

TEST(KvCache, never_shares_between_scopes) {
  const auto cache = make_cache(small_options(64));
  const TokenList tokens = tokens_of(1, 300);
  serve(*cache, "alice", tokens);
  EXPECT_EQ(found(*cache, "bob", tokens), 0);
  EXPECT_EQ(found(*cache, "", tokens), 0);
  EXPECT_EQ(found(*cache, "alice", tokens), 300);
}

TEST(KvCache, shares_full_pages_instead_of_copying_them) {
  const auto cache = make_cache(small_options(64));
  const TokenList tokens = tokens_of(1, 128);
  serve(*cache, "", tokens);
  const KvSequence a = cache->open("", tokens, 128);
  const KvSequence b = cache->open("", tokens, 128);
  EXPECT_EQ(cache->stats().pages_used, 2U);
  EXPECT_EQ(a.pages()[0], b.pages()[0]);
  EXPECT_EQ(a.pages()[1], b.pages()[1]);
}

TEST(KvCache, finds_a_published_prompt_while_its_sequence_still_runs) {
  const auto cache = make_cache(small_options(64));
  TokenList tokens = tokens_of(1, 100);
  KvSequence running = cache->open("", tokens, 99);
  ASSERT_TRUE(cache->grow(running, 100));
  compute(running, "", tokens, 0);
  EXPECT_EQ(found(*cache, "", tokens), 0);
  cache->publish(running, tokens);
  EXPECT_EQ(found(*cache, "", tokens), 100);
  // The first one writes on behind what others may have found, in the same page.
  std::byte* const page = running.pages()[1];
  const KvSequence other = cache->open("", tokens, 100);
  tokens = joined(tokens, tokens_of(2, 20));
  ASSERT_TRUE(cache->grow(running, 120));
  EXPECT_EQ(running.pages()[1], page);
  compute(running, "", tokens, 100);
  EXPECT_EQ(right_positions(other, "", tokens), 100U);
  EXPECT_EQ(right_positions(running, "", tokens), 120U);
}

TEST(KvCache, copies_a_published_page_before_an_earlier_position_is_rewritten) {
  const auto cache = make_cache(small_options(64));
  const TokenList first = tokens_of(1, 100);
  KvSequence sequence = cache->open("", first, 99);
  ASSERT_TRUE(cache->grow(sequence, 100));
  compute(sequence, "", first, 0);
  cache->publish(sequence, first);
  cache->truncate(sequence, 70);
  TokenList second(first.begin(), first.begin() + 70);
  second = joined(second, tokens_of(2, 30));
  ASSERT_TRUE(cache->grow(sequence, 100));
  compute(sequence, "", second, 70);
  EXPECT_EQ(right_positions(sequence, "", second), 100U);
  EXPECT_EQ(found(*cache, "", first), 100);
  cache->close(std::move(sequence), second);
  EXPECT_EQ(found(*cache, "", first), 100);
  EXPECT_EQ(found(*cache, "", second), 100);
}

TEST(KvCache, keeps_one_copy_of_what_two_sequences_computed) {
  const auto cache = make_cache(small_options(64));
  const TokenList tokens = tokens_of(1, 192);
  KvSequence a = cache->open("", tokens, 191);
  KvSequence b = cache->open("", tokens, 191);
  for (KvSequence* sequence : {&a, &b}) {
    ASSERT_TRUE(cache->grow(*sequence, 192));
    compute(*sequence, "", tokens, 0);
  }
  EXPECT_EQ(cache->stats().pages_used, 6U);
  cache->publish(a, tokens);
  cache->publish(b, tokens);
  EXPECT_EQ(cache->stats().pages_used, 3U);
  EXPECT_EQ(right_positions(b, "", tokens), 192U);
}

TEST(KvCache, adopts_what_another_sequence_published_meanwhile) {
  const auto cache = make_cache(small_options(64));
  const TokenList tokens = tokens_of(1, 300);
  KvSequence late = cache->open("", tokens, 299);
  ASSERT_TRUE(cache->grow(late, 80));
  compute(late, "", {tokens.begin(), tokens.begin() + 80}, 0);
  serve(*cache, "", tokens);
  EXPECT_EQ(cache->adopt(late, tokens, 299), 219);
  EXPECT_EQ(late.positions(), 299);
  EXPECT_EQ(late.cached_positions(), 219);
  EXPECT_EQ(right_positions(late, "", tokens), 299U);
  EXPECT_EQ(cache->adopt(late, tokens, 299), 0);
}

TEST(KvCache, evicts_what_was_used_longest_ago_from_its_end_on) {
  const auto cache = make_cache(small_options(6));
  const TokenList old = tokens_of(1, 128);
  const TokenList recent = tokens_of(2, 128);
  serve(*cache, "", recent);
  serve(*cache, "", old);
  serve(*cache, "", recent);
  serve(*cache, "", tokens_of(3, 192));  // needs a page more than are free
  EXPECT_EQ(found(*cache, "", recent), 128);
  EXPECT_EQ(found(*cache, "", old), 64);
  EXPECT_EQ(cache->stats().pages_evicted, 1U);
}

TEST(KvCache, evicts_pinned_prefixes_last) {
  const auto cache = make_cache(small_options(8));
  const TokenList system = tokens_of(1, 100);
  serve(*cache, "", system);
  cache->pin("", system);
  for (std::int32_t i = 2; i < 12; ++i) serve(*cache, "", tokens_of(i, 300));
  EXPECT_EQ(found(*cache, "", system), 100);
  serve(*cache, "", tokens_of(20, 512));  // wants all there is
  EXPECT_EQ(found(*cache, "", system), 0);
}

TEST(KvCache, keeps_a_pinned_end_apart_from_what_continues_it) {
  const auto cache = make_cache(small_options(8));
  const TokenList system = tokens_of(1, 100);
  serve(*cache, "", system);
  cache->pin("", system);
  for (std::int32_t i = 2; i < 12; ++i) {
    EXPECT_EQ(serve(*cache, "", joined(system, tokens_of(i, 60))), 100);
  }
}

TEST(KvCache, pins_only_so_many_prefixes) {
  const auto cache = make_cache(small_options(KvCache::kPinnedMax + 2));
  for (std::int32_t i = 0; i <= static_cast<std::int32_t>(KvCache::kPinnedMax); ++i) {
    serve(*cache, "", tokens_of(i + 1, 64));
    cache->pin("", tokens_of(i + 1, 64));
  }
  serve(*cache, "", tokens_of(50, 128));
  EXPECT_EQ(found(*cache, "", tokens_of(1, 64)), 0);
  EXPECT_EQ(found(*cache, "", tokens_of(2, 64)), 64);
}

TEST(KvCache, says_when_all_pages_are_in_use_and_changes_nothing) {
  const auto cache = make_cache(small_options(4));
  const TokenList tokens = tokens_of(1, 100);
  KvSequence a = cache->open("", tokens, 0);
  KvSequence b = cache->open("", tokens, 0);
  ASSERT_TRUE(cache->grow(a, 128));
  ASSERT_TRUE(cache->grow(b, 100));
  compute(b, "", tokens, 0);
  const Status grown = cache->grow(b, 200);
  ASSERT_FALSE(grown);
  EXPECT_EQ(grown.error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(b.positions(), 100);
  EXPECT_EQ(b.pages().size(), 2U);
  EXPECT_EQ(right_positions(b, "", tokens), 100U);
  EXPECT_EQ(cache->available_pages(), 0U);
  cache->truncate(a, 10);
  EXPECT_TRUE(cache->grow(b, 192));
}

TEST(KvCache, refuses_positions_beyond_the_longest_sequence) {
  const auto cache = make_cache(small_options(100));
  KvSequence sequence = cache->open("", {}, 0);
  EXPECT_TRUE(cache->grow(sequence, 4096));
  EXPECT_FALSE(cache->grow(sequence, 4097));
}

TEST(KvCache, leaves_nothing_of_a_sequence_that_is_dropped) {
  const auto cache = make_cache(small_options(8));
  const TokenList tokens = tokens_of(1, 200);
  {
    KvSequence sequence = cache->open("", tokens, 199);
    ASSERT_TRUE(cache->grow(sequence, 200));
    const KvSequence moved = std::move(sequence);
    EXPECT_EQ(cache->stats().pages_used, 4U);
  }
  EXPECT_EQ(cache->stats().pages_used, 0U);
  EXPECT_EQ(cache->stats().pages_cached, 0U);
}

TEST(KvCache, shrinks_by_what_is_asked_and_spares_what_is_in_use) {
  const auto cache = make_cache(small_options(16));
  const TokenList tokens = tokens_of(1, 256);
  serve(*cache, "", tokens);
  serve(*cache, "", tokens_of(2, 256));
  const KvSequence sequence = cache->open("", tokens, 256);
  EXPECT_EQ(cache->shrink(2 * kTestPageBytes), 2 * kTestPageBytes);
  EXPECT_EQ(cache->stats().pages_cached, 2U);
  EXPECT_EQ(cache->shrink(100 * kTestPageBytes), 2 * kTestPageBytes);
  EXPECT_EQ(right_positions(sequence, "", tokens), 256U);
}

TEST(KvCache, forgets_what_is_removed_and_all_that_begins_like_it) {
  const auto cache = make_cache(small_options(64));
  const TokenList bad = tokens_of(1, 300);
  const TokenList shorter(bad.begin(), bad.begin() + 40);
  const TokenList branch = joined({bad.begin(), bad.begin() + 100}, tokens_of(2, 100));
  const TokenList other = tokens_of(3, 300);
  serve(*cache, "", shorter);
  cache->pin("", shorter);
  for (const TokenList& tokens : {bad, branch, other}) serve(*cache, "", tokens);
  serve(*cache, "scope", bad);
  cache->remove("", bad);
  EXPECT_EQ(found(*cache, "", bad), 0);
  EXPECT_EQ(found(*cache, "", branch), 0);
  EXPECT_EQ(found(*cache, "", other), 300);
  EXPECT_EQ(found(*cache, "scope", bad), 300);
  serve(*cache, "", bad);
  EXPECT_EQ(found(*cache, "", bad), 300);
}

TEST(KvCache, takes_nothing_from_sequences_that_were_open_at_a_removal) {
  const auto cache = make_cache(small_options(64));
  const TokenList tokens = tokens_of(1, 300);
  serve(*cache, "", tokens);
  KvSequence sequence = cache->open("", tokens, 200);
  cache->remove("", tokens);
  EXPECT_EQ(right_positions(sequence, "", tokens), 200U);
  EXPECT_EQ(cache->adopt(sequence, tokens, 300), 0);
  cache->close(std::move(sequence), {tokens.data(), 200});
  EXPECT_EQ(found(*cache, "", tokens), 0);
  EXPECT_EQ(cache->stats().pages_used, 0U);
}

TEST(KvCache, forgets_everything_that_nobody_uses) {
  const auto cache = make_cache(small_options(16));
  const TokenList tokens = tokens_of(1, 256);
  serve(*cache, "", tokens);
  cache->pin("", tokens);
  cache->drop_all();
  EXPECT_EQ(cache->stats().pages_cached, 0U);
  EXPECT_EQ(found(*cache, "", tokens), 0);
}

}  // namespace
}  // namespace notso
