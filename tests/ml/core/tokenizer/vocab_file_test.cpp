// What the two readers of vocabularies accept and how they refuse the rest.
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "ml/core/gguf/gguf_bytes.h"
#include "ml/core/tokenizer/small_vocab.h"
#include "ml/core/tokenizer/vocab_source.h"

namespace notso {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

SmallVocab vocab() { return {.merges = prefix_merges({"hello", " world"})}; }

// `text` with the first `from` in it replaced; the test is wrong if there is none.
std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

std::string json_error(std::string_view from, std::string_view to) {
  const auto tokenizer = load_json(replaced(vocab().to_json(), from, to));
  return tokenizer ? "loaded" : tokenizer.error().message;
}

std::string gguf_error(const std::string& contents) {
  const auto tokenizer = load_gguf(contents);
  return tokenizer ? "loaded" : tokenizer.error().message;
}

TEST(VocabFileTest, ReadsTheSameVocabularyFromBothFormats) {
  const auto json = load_json(vocab().to_json()).value();
  const auto gguf = load_gguf(vocab().to_gguf()).value();
  ASSERT_EQ(json->vocab_size(), gguf->vocab_size());
  for (TokenId id = 0; id < json->vocab_size(); ++id) {
    EXPECT_EQ(json->token_bytes(id), gguf->token_bytes(id));
    EXPECT_EQ(json->kind(id), gguf->kind(id));
  }
  EXPECT_EQ(json->encode("hello world, hell"), gguf->encode("hello world, hell"));
}

TEST(VocabFileTest, ReadsMergesWrittenAsPairs) {
  const std::string json = replaced(vocab().to_json(), "\"h e\"", "[\"h\",\"e\"]");
  EXPECT_EQ(load_json(json).value()->encode("hello").size(), 1u);
}

TEST(VocabFileTest, TakesBeginningAndEndFromGgufMetadata) {
  const auto gguf = load_gguf(vocab().to_gguf()).value();
  EXPECT_EQ(gguf->bos(), gguf->find("<|im_start|>"));
  EXPECT_EQ(gguf->eos(), gguf->find("<|im_end|>"));
  EXPECT_FALSE(gguf->add_bos());
}

TEST(VocabFileTest, AGgufThatShrinksAfterOpeningIsReadAsItWas) {
  const TempFile temp;
  const auto file = GgufFile::open(temp.write(vocab().to_gguf())).value();
  std::filesystem::resize_file(temp.path(), 0);
  const auto tokenizer = Tokenizer::from_gguf(*file);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ((*tokenizer)->encode("hello"), load_gguf(vocab().to_gguf()).value()->encode("hello"));
}

TEST(VocabFileTest, PrependsABosByDefaultWhereLlamaCppDoes) {
  EXPECT_TRUE(load_gguf(vocab().to_gguf("llama-bpe")).value()->add_bos());
}

TEST(VocabFileTest, TakesTheBosOfAJsonFromItsTemplate) {
  constexpr std::string_view kProcessor =
      R"("post_processor":{"type":"Sequence","processors":[{"type":"ByteLevel"},)"
      R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<|im_start|>"}}]}]})";
  const auto json = load_json(replaced(vocab().to_json(), "\"normalizer\":null", kProcessor));
  ASSERT_TRUE(json) << json.error().message;
  EXPECT_EQ((*json)->bos(), (*json)->find("<|im_start|>"));
  EXPECT_TRUE((*json)->add_bos());
}

TEST(VocabFileTest, RefusesAnotherModelOfAGguf) {
  EXPECT_THAT(gguf_error(vocab().to_gguf("default", "llama")),
              HasSubstr("tokenizer.ggml.model is 'llama'"));
}

TEST(VocabFileTest, RefusesAnotherPreTokeniserOfAGguf) {
  EXPECT_THAT(gguf_error(vocab().to_gguf("qwen2")), HasSubstr("the pre-tokeniser 'qwen2'"));
}

TEST(VocabFileTest, RefusesAGgufWithoutMerges) {
  EXPECT_THAT(gguf_error(replaced(vocab().to_gguf(), "ggml.merges", "ggml.morges")),
              HasSubstr("tokenizer.ggml.merges"));
}

TEST(VocabFileTest, RefusesAMergeWithoutASpace) {
  EXPECT_THAT(gguf_error(replaced(vocab().to_gguf(), "hel l", "hello")), HasSubstr("entry 2"));
}

TEST(VocabFileTest, RefusesAMergeOfUnknownTokens) {
  EXPECT_THAT(gguf_error(replaced(vocab().to_gguf(), "hel l", "hex l")),
              HasSubstr("merge 2 ('hex' and 'l')"));
}

TEST(VocabFileTest, RefusesAVocabularyWithoutSomeByte) {
  EXPECT_THAT(gguf_error(replaced(vocab().to_gguf(), std::string("\0\0\0\0Z", 5),
                                  std::string("\0\0\0\0Y", 5))),
              HasSubstr("no token for byte 0x5A"));
}

TEST(VocabFileTest, TakesByteTokensWhereABytesOwnTokenIsMissing) {
  const auto json = load_json(replaced(replaced(vocab().to_json(), "\"Z\":", "\"<0x5A>\":"),
                                       "\"dropout\":null", "\"byte_fallback\":true"));
  ASSERT_TRUE(json) << json.error().message;
  EXPECT_THAT((*json)->encode("Z"), ElementsAre('Z'));
  EXPECT_EQ((*json)->token_bytes('Z'), "Z");
}

TEST(VocabFileTest, RefusesAnIdOutsideTheVocabulary) {
  std::string contents = vocab().to_gguf();
  const std::string key = "eos_token_id";
  contents[contents.find(key) + key.size() + 4 + 2] = 1;
  EXPECT_THAT(gguf_error(contents), HasSubstr("tokenizer.ggml.eos_token_id is"));
}

TEST(VocabFileTest, RefusesAnUnknownTokenType) {
  std::string contents = vocab().to_gguf();
  const std::string key = "token_type";
  contents[contents.find(key) + key.size() + 4 + 4 + 8] = 9;
  EXPECT_THAT(gguf_error(contents), HasSubstr("token 0 the unknown type 9"));
}

TEST(VocabFileTest, RefusesOtherKindsOfJsonByName) {
  EXPECT_THAT(json_error("\"BPE\"", "\"Unigram\""), HasSubstr("the model type 'Unigram'"));
  EXPECT_THAT(json_error("\"normalizer\":null", R"("normalizer":{"type":"NFC"})"),
              HasSubstr("the normalizer 'NFC'"));
  EXPECT_THAT(json_error("\"Split\"", "\"Digits\""), HasSubstr("'Digits' then 'ByteLevel'"));
  EXPECT_THAT(json_error("{1,3}", "+"), HasSubstr("by another pattern"));
  EXPECT_THAT(json_error("\"use_regex\":false", "\"use_regex\":true"), HasSubstr("ByteLevel"));
  EXPECT_THAT(json_error("\"lstrip\":false", "\"lstrip\":true"), HasSubstr("\"lstrip\""));
  EXPECT_THAT(json_error("\"dropout\":null", "\"dropout\":0.1"), HasSubstr("model.dropout"));
}

TEST(VocabFileTest, RefusesMalformedJson) {
  EXPECT_THAT(load_json("{\"model\":").error().message, HasSubstr("no readable JSON"));
  EXPECT_THAT(load_json(std::string(100'000, '[')).error().message, HasSubstr("no readable JSON"));
  EXPECT_THAT(load_json("[]").error().message, HasSubstr("no \"model\" object"));
  EXPECT_THAT(json_error("\"A\":65", "\"A\":1e9"), HasSubstr("token 'A'"));
  EXPECT_THAT(json_error("\"A\":65", "\"A\":2000000000"), HasSubstr("token 'A'"));
  EXPECT_THAT(json_error("\"A\":65", "\"A\":66"), HasSubstr("have the same id 66"));
  EXPECT_THAT(json_error("\"h e\"", "\"he\""), HasSubstr("entry 0 of model.merges"));
}

TEST(VocabFileTest, RefusesSpecialTokensOfAbsurdLength) {
  SmallVocab small = vocab();
  small.control.push_back(std::string(513, 'x'));
  EXPECT_THAT(gguf_error(small.to_gguf()), HasSubstr("has 513 bytes, more than the 512"));
}

TEST(VocabFileTest, NamesAMissingFile) {
  EXPECT_THAT(Tokenizer::from_json_file("/no/such/tokenizer.json").error().message,
              HasSubstr("/no/such/tokenizer.json"));
}

TEST(VocabFileTest, ShowsOddNamesOnOneLine) {
  EXPECT_EQ(quote_token("a\n\x80é"), "'a\\x0a\\x80é'");
  EXPECT_EQ(quote_token(std::string(100, 'x')).size(), 65u);
}

}  // namespace
}  // namespace notso
