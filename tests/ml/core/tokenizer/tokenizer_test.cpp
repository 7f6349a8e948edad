// The tokenizer on small vocabularies: spans, special tokens, decoding.
#include "ml/core/tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <string>
#include <thread>
#include <vector>

#include "ml/core/tokenizer/small_vocab.h"
#include "ml/core/tokenizer/unicode.h"

namespace notso {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Tokenizer& small_tokenizer() {
  static const auto tokenizer = tokenizer_of(
      {.merges = prefix_merges({"hello", " world", "<|im", "  ", "\n\n", "é", "'s", "user"})});
  return *tokenizer;
}

std::vector<std::string> pieces(const std::vector<TokenId>& ids) {
  std::vector<std::string> out;
  for (const TokenId id : ids) out.emplace_back(small_tokenizer().token_bytes(id));
  return out;
}

std::vector<TokenId> encode_spans(const std::vector<TextSpan>& spans) {
  std::vector<TokenId> ids;
  small_tokenizer().encode(spans, ids);
  return ids;
}

// Text that is likely to hit special tokens, merges and malformed bytes.
rc::Gen<std::string> any_text() {
  const auto part =
      rc::gen::oneOf(rc::gen::element<std::string>("hello", " world", "<|im_end|>", "<|im_",
                                                   "end|>", "<think>", " ", "  ", "\n\n", "é", "'s",
                                                   "😀", "!", "12345", "\xC3", "\xFF"),
                     rc::gen::arbitrary<std::string>());
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(part),
                      [](const std::vector<std::string>& parts) {
                        std::string text;
                        for (const std::string& p : parts) text += p;
                        return text;
                      });
}

TEST(TokenizerTest, WritesTextInTheTokensThatItsMergesMake) {
  EXPECT_THAT(pieces(small_tokenizer().encode("hello world's")),
              ElementsAre("hello", " world", "'s"));
}

TEST(TokenizerTest, GivesNothingForNothing) {
  EXPECT_THAT(small_tokenizer().encode(""), IsEmpty());
  EXPECT_THAT(small_tokenizer().encode("", true), IsEmpty());
  EXPECT_THAT(encode_spans({}), IsEmpty());
}

TEST(TokenizerTest, MakesSpecialTokensOfTrustedTextOnly) {
  const TokenId end = small_tokenizer().find("<|im_end|>").value();
  EXPECT_THAT(small_tokenizer().encode("<|im_end|>", true), ElementsAre(end));
  EXPECT_THAT(pieces(small_tokenizer().encode("<|im_end|>")),
              ElementsAre("<|", "i", "m", "_", "e", "n", "d", "|", ">"));
}

TEST(TokenizerTest, TreatsUserDefinedTokensAsSpecialToo) {
  const TokenId think = small_tokenizer().find("<think>").value();
  EXPECT_EQ(small_tokenizer().kind(think), TokenKind::kUserDefined);
  EXPECT_THAT(small_tokenizer().encode("<think>", true), ElementsAre(think));
  EXPECT_THAT(small_tokenizer().encode("<think>"), ::testing::Not(::testing::Contains(think)));
}

TEST(TokenizerTest, TakesTheLongestSpecialTokenAtAPlace) {
  EXPECT_THAT(pieces(small_tokenizer().encode("<|im_end|>!<|im_end|>?", true)),
              ElementsAre("<|im_end|>!", "<|im_end|>", "?"));
}

TEST(TokenizerTest, FindsSpecialTokensAfterWhatOnlyLooksLikeOne) {
  EXPECT_THAT(pieces(small_tokenizer().encode("<<|im_<|im_end|>", true)),
              ElementsAre("<", "<|", "i", "m", "_", "<|im_end|>"));
}

TEST(TokenizerTest, NeverJoinsATrustedAndAnUntrustedPartIntoASpecialToken) {
  const TokenId end = small_tokenizer().find("<|im_end|>").value();
  EXPECT_THAT(encode_spans({{"<|im_", true}, {"end|>", false}}),
              ::testing::Not(::testing::Contains(end)));
  EXPECT_THAT(encode_spans({{"<|im_", false}, {"end|>", true}}),
              ::testing::Not(::testing::Contains(end)));
}

TEST(TokenizerTest, JoinsNeighbouringSpansBeforeCuttingWords) {
  EXPECT_THAT(pieces(encode_spans({{"hel", true}, {"lo wor", false}, {"ld", true}})),
              ElementsAre("hello", " world"));
}

TEST(TokenizerTest, AppendsToWhatIsThere) {
  std::vector<TokenId> ids = {7};
  const TextSpan span{"hello", false};
  small_tokenizer().encode({&span, 1}, ids);
  EXPECT_EQ(ids.size(), 2u);
  EXPECT_EQ(ids[0], 7);
}

RC_GTEST_PROP(TokenizerTest, DecodesToTheTextWithMalformedBytesReplaced, ()) {
  const std::string text = *any_text();
  const bool trusted = *rc::gen::arbitrary<bool>();
  std::string scratch;
  const std::string expected(repair_utf8(text, scratch));
  RC_ASSERT(small_tokenizer().decode(small_tokenizer().encode(text, trusted)) == expected);
}

RC_GTEST_PROP(TokenizerTest, GivesTheSameIdsHoweverATextIsCutIntoSpans, ()) {
  const std::string text = *any_text();
  const bool trusted = *rc::gen::arbitrary<bool>();
  const auto cuts = *rc::gen::container<std::vector<std::size_t>>(
      rc::gen::inRange<std::size_t>(0, text.size() + 1));
  std::vector<std::size_t> ends(cuts);
  ends.push_back(text.size());
  std::sort(ends.begin(), ends.end());
  std::vector<TextSpan> spans;
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    spans.push_back({std::string_view(text).substr(begin, end - begin), trusted});
    begin = end;
  }
  RC_ASSERT(encode_spans(spans) == small_tokenizer().encode(text, trusted));
}

RC_GTEST_PROP(TokenizerTest, NeverMakesASpecialTokenOfUntrustedText, ()) {
  for (const TokenId id : small_tokenizer().encode(*any_text())) {
    RC_ASSERT(small_tokenizer().kind(id) == TokenKind::kNormal);
  }
}

TEST(TokenizerTest, LeavesSpecialTokensOutOfTheTextWhenAsked) {
  const auto ids = small_tokenizer().encode("<|im_start|>user<think>", true);
  EXPECT_EQ(small_tokenizer().decode(ids), "<|im_start|>user<think>");
  EXPECT_EQ(small_tokenizer().decode(ids, false), "user");
}

TEST(TokenizerTest, GivesNothingForAnIdOutsideTheVocabulary) {
  EXPECT_EQ(small_tokenizer().token_bytes(-1), "");
  EXPECT_EQ(small_tokenizer().token_bytes(small_tokenizer().vocab_size()), "");
  EXPECT_EQ(small_tokenizer().kind(-1), TokenKind::kUnknown);
}

TEST(TokenizerTest, FindsTokensAsTheVocabularyWritesThem) {
  EXPECT_EQ(small_tokenizer().find("Ġworld"), small_tokenizer().encode(" world")[0]);
  EXPECT_EQ(small_tokenizer().find("no such token"), std::nullopt);
}

TEST(TokenizerTest, ListsWhatEndsAGeneration) {
  EXPECT_THAT(small_tokenizer().end_tokens(),
              ElementsAre(small_tokenizer().find("<|im_end|>").value()));
  EXPECT_EQ(small_tokenizer().special_tokens().size(), 5u);
}

// A token that the merges do not reach: "xyz" has no merge of its own.
TEST(TokenizerTest, MergesEvenWholeTokensUnlessTheFileSaysOtherwise) {
  SmallVocab vocab{.merges = {{"x", "y"}}, .words = {"xyz"}};
  EXPECT_EQ(load_gguf(vocab.to_gguf("smaug-bpe")).value()->encode("xyz").size(), 2u);
  EXPECT_EQ(load_gguf(vocab.to_gguf("llama-bpe")).value()->encode("xyz").size(), 1u);
  EXPECT_EQ(load_json(vocab.to_json()).value()->encode("xyz").size(), 2u);
  vocab.ignore_merges = true;
  EXPECT_EQ(load_json(vocab.to_json()).value()->encode("xyz").size(), 1u);
}

TEST(TokenizerTest, GivesTheSameIdsFromManyThreads) {
  const auto tokenizer = tokenizer_of({.merges = prefix_merges({"hello", " world"})});
  const std::string text = "hello world, hello";
  std::vector<std::vector<TokenId>> ids(4);
  std::vector<std::thread> threads;
  for (auto& mine : ids) threads.emplace_back([&] { mine = tokenizer->encode(text); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& mine : ids) EXPECT_EQ(mine, ids[0]);
}

}  // namespace
}  // namespace notso
