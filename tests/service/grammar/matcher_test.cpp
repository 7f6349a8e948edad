// How matchers go along, and that masks and accept() agree on every token.
#include <gtest/gtest.h>
#include <thread>

#include "service/grammar/cases.h"
#include "service/grammar/sampler.h"
#include "service/grammar/verdict.h"

namespace notso {
namespace {

using Kind = GrammarSource::Kind;

std::int32_t token_of(std::string_view text) {
  const auto& tokens = shared_vocabulary().tokens;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id] == text) return static_cast<std::int32_t>(id);
  }
  return -1;
}

std::vector<std::uint64_t> mask_of(GrammarMatcher& matcher) {
  std::vector<std::uint64_t> mask(shared_vocabulary().vocabulary->mask_words());
  EXPECT_TRUE(matcher.fill_mask(mask));
  return mask;
}

// Compares a mask with what accept() says of every token.
void expect_mask_agrees(const GrammarMatcher& matcher, const std::string& name) {
  GrammarMatcher asked = matcher;
  std::vector<std::uint64_t> mask(shared_vocabulary().vocabulary->mask_words());
  const bool filled = static_cast<bool>(asked.fill_mask(mask));
  std::size_t allowed = 0;
  for (std::size_t id = 0; id < shared_vocabulary().tokens.size(); ++id) {
    GrammarMatcher tried = matcher;
    const bool accepts = tried.accept(static_cast<std::int32_t>(id));
    const bool in_mask = (mask[id / 64] >> (id % 64)) & 1;
    ASSERT_EQ(in_mask, accepts) << name << ": '" << shared_vocabulary().tokens[id] << "'";
    allowed += accepts ? 1 : 0;
  }
  ASSERT_EQ(filled, allowed > 0) << name;
}

TEST(GrammarMatcher, MasksAreExactlyTheTokensThatAcceptTakes) {
  std::vector<GrammarCase> cases = schema_cases(NOTSO_SOURCE_DIR);
  for (auto& one : gbnf_cases(NOTSO_SOURCE_DIR)) cases.push_back(std::move(one));
  for (auto& one : regex_cases(NOTSO_SOURCE_DIR)) cases.push_back(std::move(one));
  std::mt19937 random(3);
  for (const GrammarCase& one : cases) {
    auto grammar = Grammar::compile(one.source, shared_vocabulary().vocabulary);
    ASSERT_TRUE(grammar) << one.name;
    GrammarMatcher matcher(*grammar);
    for (int step = 0; step < 12 && !matcher.is_finished(); ++step) {
      expect_mask_agrees(matcher, one.name);
      const auto allowed = allowed_tokens(mask_of(matcher));
      matcher.accept(allowed[random() % allowed.size()]);
    }
  }
}

TEST(GrammarMatcher, TheSameTextInOtherTokensLeadsToTheSameState) {
  std::mt19937 random(5);
  for (const GrammarCase& one : schema_cases(NOTSO_SOURCE_DIR)) {
    auto grammar = *Grammar::compile(one.source, shared_vocabulary().vocabulary);
    const auto text = sample_answer(grammar, shared_vocabulary(), 20, random);
    ASSERT_TRUE(text) << one.name;
    GrammarMatcher whole(grammar);
    ASSERT_TRUE(whole.accept_bytes(*text));
    GrammarMatcher cut(grammar);
    for (std::size_t at = 0; at < text->size();) {
      const std::size_t length = 1 + random() % 5;
      ASSERT_TRUE(cut.accept_bytes(std::string_view(*text).substr(at, length))) << one.name;
      at += length;
    }
    EXPECT_TRUE(whole.same_state(cut)) << one.name;
    EXPECT_TRUE(whole.is_accepting()) << one.name;
  }
}

TEST(GrammarMatcher, EndTokensAreAllowedExactlyWhereTheAnswerMayEnd) {
  GrammarMatcher matcher(*compiled(Kind::kRegex, "ab?"));
  const TestVocabulary& vocabulary = shared_vocabulary();
  EXPECT_FALSE(matcher.accept(vocabulary.end));
  ASSERT_TRUE(matcher.accept(token_of("a")));
  const auto allowed = allowed_tokens(mask_of(matcher));
  EXPECT_EQ(allowed,
            (std::vector<std::int32_t>{token_of("b"), vocabulary.end, vocabulary.other_end}));
  ASSERT_TRUE(matcher.accept(vocabulary.other_end));
  EXPECT_TRUE(matcher.is_finished());
  EXPECT_FALSE(matcher.accept(token_of("b")));
  ASSERT_TRUE(matcher.rollback(1));
  EXPECT_TRUE(matcher.accept(token_of("b")));
}

TEST(GrammarMatcher, ControlTokensAreNeverAllowedWhateverTheirText) {
  GrammarMatcher matcher(*compiled(Kind::kJsonSchema, R"({"type":"boolean"})"));
  EXPECT_FALSE(matcher.accept(shared_vocabulary().never));
  EXPECT_TRUE(matcher.accept(token_of("true")));
}

TEST(GrammarMatcher, TokensMayEndWithinACharacter) {
  GrammarMatcher matcher(*compiled(Kind::kGbnf, "root ::= [😀-😂] \"é\""));
  ASSERT_TRUE(matcher.accept(token_of("\xF0\x9F")));
  ASSERT_FALSE(matcher.accept(token_of("é")));
  ASSERT_TRUE(matcher.accept(token_of("\x98")));
  EXPECT_TRUE(matcher.accept_bytes("\x80\xC3\xA9"));
  EXPECT_TRUE(matcher.is_accepting());
}

TEST(GrammarMatcher, RollbackTakesBackExactlyTheLastSteps) {
  GrammarMatcher matcher(*compiled(Kind::kJsonObject, ""));
  GrammarMatcher start = matcher;
  ASSERT_TRUE(matcher.accept_bytes("{\"a"));
  const GrammarMatcher clone = matcher;
  ASSERT_TRUE(matcher.accept_bytes("\":"));
  ASSERT_TRUE(matcher.accept_bytes("[[["));
  EXPECT_FALSE(matcher.rollback(4));
  ASSERT_TRUE(matcher.rollback(2));
  EXPECT_TRUE(matcher.same_state(clone));
  ASSERT_TRUE(matcher.rollback(1));
  EXPECT_TRUE(matcher.same_state(start));
}

TEST(GrammarMatcher, ARefusedTokenChangesNothing) {
  GrammarMatcher matcher(*compiled(Kind::kRegex, "abc"));
  const GrammarMatcher before = matcher;
  EXPECT_FALSE(matcher.accept_bytes("abx"));
  EXPECT_TRUE(matcher.same_state(before));
  EXPECT_FALSE(matcher.rollback(1));
}

TEST(GrammarMatcher, ForcedBytesRunUpToTheNextChoice) {
  const std::string schema = R"({"const":{"version":2}})";
  GrammarMatcher matcher(*compiled(Kind::kJsonSchema, schema));
  EXPECT_EQ(matcher.forced_bytes(), "{");
  ASSERT_TRUE(matcher.accept_bytes("{\""));
  EXPECT_EQ(matcher.forced_bytes(), "version\":");
  EXPECT_EQ(matcher.forced_bytes(3), "ver");
  ASSERT_TRUE(matcher.accept_bytes("version\":2}"));
  EXPECT_EQ(matcher.forced_bytes(), "");
}

TEST(GrammarMatcher, APlaceThatTheVocabularyCannotSpellIsReported) {
  const std::vector<std::string_view> tokens{"a", "b", "<end>"};
  const std::int32_t ends[] = {2};
  const auto small =
      std::make_shared<const GrammarVocabulary>(tokens, std::span<std::int32_t>(), ends);
  GrammarMatcher matcher(*Grammar::compile({Kind::kRegex, "ax"}, small));
  std::uint64_t mask = 0;
  ASSERT_TRUE(matcher.fill_mask({&mask, 1}));
  EXPECT_EQ(mask, 1u);
  ASSERT_TRUE(matcher.accept(0));
  const auto stuck = matcher.fill_mask({&mask, 1});
  ASSERT_FALSE(stuck);
  EXPECT_EQ(stuck.error().message, "No token of the vocabulary can continue the grammar here.");
}

TEST(GrammarMatcher, AnAnswerSurvivesThatTheCachesAreStartedAnew) {
  const auto& vocabulary = shared_vocabulary().vocabulary;
  auto grammar = *Grammar::compile({Kind::kRegex, "[a-zA-Z ]{600}[0-9]"}, vocabulary, 64 * 1024);
  GrammarMatcher matcher(grammar);
  const GrammarMatcher start = matcher;
  for (int i = 0; i < 600; ++i) {
    mask_of(matcher);
    ASSERT_TRUE(matcher.accept_bytes("a"));
  }
  GrammarMatcher fresh(grammar);
  EXPECT_FALSE(fresh.same_state(start)) << "the caches were never full";
  EXPECT_FALSE(matcher.accept_bytes("a"));
  ASSERT_TRUE(matcher.rollback(200));
  ASSERT_TRUE(matcher.accept_bytes(std::string(200, 'b')));
  ASSERT_TRUE(matcher.accept_bytes("7"));
  EXPECT_TRUE(matcher.is_accepting());
}

TEST(GrammarCache, GivesTheSameGrammarUntilItIsTheOldest) {
  GrammarCache cache(shared_vocabulary().vocabulary, 2);
  const auto a = cache.get({Kind::kRegex, "a"});
  ASSERT_TRUE(a);
  EXPECT_EQ(*cache.get({Kind::kRegex, "a"}), *a);
  EXPECT_NE(*cache.get({Kind::kGbnf, "root ::= \"a\""}), *a);
  EXPECT_EQ(*cache.get({Kind::kRegex, "a"}), *a);
  ASSERT_TRUE(cache.get({Kind::kRegex, "b"}));
  EXPECT_EQ(*cache.get({Kind::kRegex, "a"}), *a) << "used last, so kept";
  ASSERT_TRUE(cache.get({Kind::kRegex, "c"}));
  ASSERT_TRUE(cache.get({Kind::kRegex, "d"}));
  EXPECT_NE(*cache.get({Kind::kRegex, "a"}), *a);
  EXPECT_FALSE(cache.get({Kind::kRegex, "("}));
}

TEST(GrammarCache, GrammarsUsedLongAgoGiveTheirCachesBackWhenAllHoldTooMuch) {
  GrammarCache cache(shared_vocabulary().vocabulary, 4, 1);
  const auto first = *cache.get({Kind::kJsonObject, ""});
  GrammarMatcher matcher(first);
  mask_of(matcher);
  EXPECT_GT(first->cache_bytes(), 0u);
  ASSERT_TRUE(cache.get({Kind::kRegex, "a"}));
  EXPECT_EQ(first->cache_bytes(), 0u);
  EXPECT_TRUE(matcher.accept_bytes("{"));
  EXPECT_EQ(*cache.get({Kind::kJsonObject, ""}), first);
}

TEST(GrammarCache, ThreadsMayShareAGrammar) {
  GrammarCache cache(shared_vocabulary().vocabulary);
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&cache, seed] {
      std::mt19937 random(seed);
      for (int i = 0; i < 10; ++i) {
        const auto grammar = cache.get({Kind::kJsonObject, ""});
        EXPECT_TRUE(sample_answer(*grammar, shared_vocabulary(), 20, random));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace notso
