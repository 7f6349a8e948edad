// Random use of a cache against a model of it: every page that a sequence holds has the contents
// that its scope and tokens say, pages are counted exactly, a lone failure is a true one, and with
// memory for all of it the longest known prefix is always found.
#include <algorithm>
#include <gtest/gtest.h>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "service/engine/kv_cache.h"
#include "service/engine/kv_test_pages.h"

namespace notso {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kSeeds = 3;
#else
constexpr int kSeeds = 12;
#endif
constexpr int kSteps = 1500;
constexpr std::size_t kRunningMax = 6;

struct Running {
  KvSequence sequence;
  std::string scope;
  TokenList tokens;  // as many as the sequence has positions
};

// One cache under random use.
class World {
 public:
  World(unsigned seed, KvCacheOptions options) : random_(seed), options_(std::move(options)) {
    cache_ = make_cache(options_);
  }

  void step() {
    switch (below(14)) {
      case 0:
      case 1:
      case 2:
        return open();
      case 3:
      case 4:
      case 5:
        return advance();
      case 6:
        return truncate();
      case 7:
      case 8:
        return publish();
      case 9:
      case 10:
        return close();
      case 11:
        return adopt();
      case 12:
        return rare();
      default:
        cache_->maintain(now_s_ += 1);
    }
  }

  void check() {
    std::set<const std::byte*> used;
    for (const Running& one : running_) {
      ASSERT_EQ(one.tokens.size(), static_cast<std::size_t>(one.sequence.positions()));
      ASSERT_EQ(right_positions(one.sequence, one.scope, one.tokens), one.tokens.size());
      used.insert(one.sequence.pages().begin(), one.sequence.pages().end());
    }
    const KvCacheStats stats = cache_->stats();
    ASSERT_EQ(stats.pages_used, used.size());
    ASSERT_LE(stats.pages_used + stats.pages_cached, stats.pages_max);
    ASSERT_LE(stats.pages_max * stats.page_bytes, options_.bytes_max);
    ASSERT_LE(stats.disk_bytes, options_.disk_bytes_max);
  }

  // Ends all sequences; nothing may be left but what the tree keeps, and that can all go.
  void finish() {
    running_.clear();
    ASSERT_EQ(cache_->stats().pages_used, 0U);
    cache_->drop_all();
    ASSERT_EQ(cache_->stats().pages_cached, 0U);
  }

 private:
  std::size_t below(std::size_t limit) { return random_() % limit; }

  // Strings that share beginnings of all lengths: a piece of one that is known, and new tokens.
  TokenList some_tokens() {
    TokenList tokens;
    if (!seen_.empty() && below(5) > 0) {
      tokens = seen_[below(seen_.size())];
      if (below(2) == 0) tokens.resize(below(tokens.size() + 1));
    }
    for (std::size_t i = below(150); i > 0; --i) {
      tokens.push_back(static_cast<std::int32_t>(below(2)));
    }
    if (tokens.size() > 700) tokens.resize(700);
    return tokens;
  }

  void open() {
    if (running_.size() == kRunningMax) return;
    const std::string scope = below(4) == 0 ? "other" : "";
    TokenList tokens = some_tokens();
    const std::size_t most = below(8) == 0 ? below(tokens.size() + 1) : tokens.size();
    KvSequence sequence = cache_->open(scope, tokens, static_cast<std::int32_t>(most));
    const auto got = static_cast<std::size_t>(sequence.positions());
    ASSERT_LE(got, most);
    if (is_roomy_) {
      ASSERT_EQ(got, std::min(most, longest_known(scope, tokens)));
    }
    seen_.push_back(tokens);
    if (seen_.size() > 40) seen_.erase(seen_.begin() + static_cast<std::ptrdiff_t>(below(40)));
    tokens.resize(got);
    running_.push_back({std::move(sequence), scope, std::move(tokens)});
  }

  void advance() {
    if (running_.empty()) return;
    Running& one = running_[below(running_.size())];
    const std::size_t before = one.tokens.size();
    TokenList more = one.tokens;
    const TokenList& along = seen_[below(seen_.size())];
    const bool follow =
        along.size() > before && std::equal(one.tokens.begin(), one.tokens.end(), along.begin());
    for (std::size_t i = 1 + below(below(3) == 0 ? 150 : 5); i > 0; --i) {
      more.push_back(follow && more.size() < along.size() ? along[more.size()]
                                                          : static_cast<std::int32_t>(below(2)));
    }
    const std::size_t pages_before = one.sequence.pages().size();
    const Status grown = cache_->grow(one.sequence, static_cast<std::int32_t>(more.size()));
    if (!grown) {
      // A copy of the last page may be wanted beside the pages that are new.
      const std::size_t wanted = (more.size() + 63) / 64 - pages_before + (before % 64 != 0);
      ASSERT_LT(cache_->available_pages(), wanted);
      return;
    }
    one.tokens = std::move(more);
    compute(one.sequence, one.scope, one.tokens, before);
  }

  void truncate() {
    if (running_.empty()) return;
    Running& one = running_[below(running_.size())];
    const std::size_t back = below(3) == 0 ? below(one.tokens.size() + 1) : below(6);
    one.tokens.resize(one.tokens.size() - std::min(back, one.tokens.size()));
    cache_->truncate(one.sequence, static_cast<std::int32_t>(one.tokens.size()));
  }

  void publish() {
    if (running_.empty()) return;
    Running& one = running_[below(running_.size())];
    cache_->publish(one.sequence, one.tokens);
    known_.push_back({one.scope, one.tokens});
  }

  void close() {
    if (running_.empty()) return;
    const std::size_t at = below(running_.size());
    Running& one = running_[at];
    if (below(4) > 0) {
      known_.push_back({one.scope, one.tokens});
      if (below(6) == 0) seen_.push_back(one.tokens);
      cache_->close(std::move(one.sequence), one.tokens);
    }
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(at));
  }

  void adopt() {
    if (running_.empty()) return;
    Running& one = running_[below(running_.size())];
    const TokenList& along = seen_[below(seen_.size())];
    if (along.size() < one.tokens.size() ||
        !std::equal(one.tokens.begin(), one.tokens.end(), along.begin())) {
      return;
    }
    const std::int32_t got =
        cache_->adopt(one.sequence, along, static_cast<std::int32_t>(along.size()));
    ASSERT_GE(got, 0);
    known_.push_back({one.scope, one.tokens});  // its full pages are published by that
    known_.back().second.resize(one.tokens.size() / 64 * 64);
    one.tokens.assign(along.begin(), along.begin() + one.sequence.positions());
  }

  void rare() {
    switch (below(8)) {
      case 0:
        if (!known_.empty()) cache_->pin(known_.back().first, known_.back().second);
        return;
      case 1:
        cache_->shrink(below(8) * kTestPageBytes);
        is_roomy_ = false;
        return;
      case 2:
        if (below(4) > 0) return;
        cache_->drop_all();
        is_roomy_ = false;
        return;
      case 3:
        if (options_.folder.empty()) return;
        EXPECT_TRUE(cache_->flush(kNoHurryS));
        return;
      case 4:
        if (options_.folder.empty()) return;
        running_.clear();
        cache_.reset();
        cache_ = make_cache(options_);
        is_roomy_ = false;
        return;
      case 5:
        if (below(4) > 0 || known_.empty()) return;
        cache_->remove(known_.back().first, known_.back().second);
        is_roomy_ = false;
        return;
      default:
        return;
    }
  }

  std::size_t longest_known(const std::string& scope, const TokenList& tokens) const {
    std::size_t longest = 0;
    for (const auto& [known_scope, known] : known_) {
      if (known_scope != scope) continue;
      const std::size_t size = std::min(known.size(), tokens.size());
      const auto end = known.begin() + static_cast<std::ptrdiff_t>(size);
      longest = std::max(
          longest, static_cast<std::size_t>(
                       std::mismatch(known.begin(), end, tokens.begin()).first - known.begin()));
    }
    return longest;
  }

 public:
  // Until something is evicted, dropped or left on disk.
  bool is_roomy_ = false;

 private:
  std::mt19937 random_;
  KvCacheOptions options_;
  std::unique_ptr<KvCache> cache_;
  std::vector<Running> running_;
  std::vector<TokenList> seen_ = {{0}};
  std::vector<std::pair<std::string, TokenList>> known_;  // published, by scope
  double now_s_ = 0;
};

void run_world(World& world) {
  for (int i = 0; i < kSteps; ++i) {
    world.step();
    if (::testing::Test::HasFatalFailure()) return;
    world.check();
    if (::testing::Test::HasFatalFailure()) return;
  }
  world.finish();
}

TEST(KvCacheProperty, random_use_of_a_tight_budget_never_shows_a_wrong_page) {
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    World world(seed, small_options(seed % 3 == 0 ? 7 : 24));
    run_world(world);
    if (HasFatalFailure()) return;
  }
}

TEST(KvCacheProperty, with_memory_for_everything_the_longest_known_prefix_is_found) {
  for (unsigned seed = 100; seed < 100 + kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    World world(seed, small_options(20000));
    world.is_roomy_ = true;
    run_world(world);
    if (HasFatalFailure()) return;
  }
}

TEST(KvCacheProperty, random_use_with_a_disk_never_shows_a_wrong_page) {
  for (unsigned seed = 200; seed < 200 + kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    const TestFolder folder;
    KvCacheOptions options = small_options(seed % 2 == 0 ? 16 : 200);
    options.folder = folder.path();
    options.disk_bytes_max = (seed % 3 == 0 ? 10 : 100) * (4096 + kTestPageBytes);
    options.restore_bytes_max = (seed % 5 + 1) * kTestPageBytes;
    options.store_idle_s = seed % 4;
    World world(seed, options);
    run_world(world);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace notso
