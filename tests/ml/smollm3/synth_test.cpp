// Synthetic models: the right shape and types, plausible weights, the same bytes for the same seed.
#include "ml/smollm3/synth.h"

#include <cmath>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <set>

#include "ml/core/gguf/gguf.h"
#include "ml/core/gguf/gguf_bytes.h"
#include "ml/core/quant/quantize.h"
#include "ml/smollm3/synth_blocks.h"
#include "ml/smollm3/synth_vocabulary.h"

namespace notso {
namespace {

using ::testing::HasSubstr;

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::shared_ptr<const GgufFile> synthesize(const TempFile& temp, const SynthOptions& options) {
  const Status written = write_synthetic_model(temp.path(), options);
  EXPECT_TRUE(written) << written.error().message;
  const auto file = GgufFile::open(temp.path());
  EXPECT_TRUE(file) << file.error().message;
  return file ? *file : nullptr;
}

TEST(Synth, TheSameSeedGivesTheSameBytesAndAnotherSeedOthers) {
  const TempFile a;
  const TempFile b;
  const TempFile c;
  synthesize(a, {});
  synthesize(b, {});
  SynthOptions other;
  other.seed = 1;
  synthesize(c, other);
  EXPECT_EQ(bytes_of(a.path()), bytes_of(b.path()));
  EXPECT_NE(bytes_of(a.path()), bytes_of(c.path()));
}

TEST(Synth, TinyHasTheKeysAndTensorsOfTheModel) {
  const TempFile temp;
  const auto file = synthesize(temp, {});
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(file->get_string("general.architecture"), "smollm3");
  EXPECT_EQ(file->get_uint("smollm3.block_count"), 8u);
  EXPECT_EQ(file->get_uint("smollm3.attention.head_count_kv"), 2u);
  EXPECT_EQ(file->get_float("smollm3.rope.freq_base"), 5e6);
  EXPECT_EQ(file->tensors().size(), 2u + 8u * 9u);
  const GgufTensor* const gate = file->find_tensor("blk.7.ffn_gate.weight");
  ASSERT_NE(gate, nullptr);
  EXPECT_EQ(gate->columns(), 256u);
  EXPECT_EQ(gate->rows(), 768u);
  const auto vocabulary = file->get_strings("tokenizer.ggml.tokens").value();
  EXPECT_EQ(file->get_uint("smollm3.vocab_size"), vocabulary.size());
  EXPECT_EQ(file->find_tensor("token_embd.weight")->rows(), vocabulary.size());
}

TEST(Synth, EachMixUsesItsTypes) {
  struct Case {
    const char* name;
    DType query;
    DType value;  // of layer 0, which gets more bits
    DType embedding;
  };
  for (const Case& mix : {Case{"Q4_K_M", DType::kQ4_K, DType::kQ6_K, DType::kQ6_K},
                          Case{"Q5_K_M", DType::kQ5_K, DType::kQ6_K, DType::kQ6_K},
                          Case{"Q4_0", DType::kQ4_0, DType::kQ4_0, DType::kQ6_K},
                          Case{"Q8_0", DType::kQ8_0, DType::kQ8_0, DType::kQ8_0},
                          Case{"BF16", DType::kBF16, DType::kBF16, DType::kBF16}}) {
    const TempFile temp;
    SynthOptions options;
    options.mix = synth_mix_from_name(mix.name).value();
    const auto file = synthesize(temp, options);
    ASSERT_NE(file, nullptr);
    EXPECT_EQ(file->find_tensor("blk.0.attn_q.weight")->type, mix.query) << mix.name;
    EXPECT_EQ(file->find_tensor("blk.0.attn_v.weight")->type, mix.value) << mix.name;
    EXPECT_EQ(file->find_tensor("token_embd.weight")->type, mix.embedding) << mix.name;
  }
}

TEST(Synth, YarnAddsItsKeys) {
  const TempFile temp;
  SynthOptions options;
  options.yarn_factor = 2.0;
  const auto file = synthesize(temp, options);
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(file->get_string("smollm3.rope.scaling.type"), "yarn");
  EXPECT_EQ(file->get_float("smollm3.rope.scaling.factor"), 2.0);
  EXPECT_EQ(file->get_uint("smollm3.rope.scaling.original_context_length"), 65536u);
  EXPECT_EQ(file->get_uint("smollm3.context_length"), 131072u);
}

TEST(Synth, DrawnBlocksHaveTheAskedDeviationAndNoMean) {
  for (const DType type :
       {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0, DType::kQ4_1,
        DType::kQ5_0, DType::kQ5_1, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K}) {
    constexpr std::size_t kCount = 256 * 512;
    constexpr float kDeviation = 0.02f;
    std::vector<std::byte> blocks(dtype_bytes(type, kCount));
    draw_blocks(type, 1ull << 40, 0.0f, kDeviation, 0, blocks);
    std::vector<float> values(kCount);
    dequantize(type, blocks, values);
    double sum = 0;
    double squares = 0;
    for (const float x : values) {
      sum += static_cast<double>(x);
      squares += static_cast<double>(x) * static_cast<double>(x);
    }
    EXPECT_NEAR(sum / kCount, 0.0, 0.02 * 0.02) << dtype_info(type).name;
    EXPECT_NEAR(std::sqrt(squares / kCount), 0.02, 0.001) << dtype_info(type).name;
  }
}

TEST(Synth, ABlockDoesNotDependOnWhereTheDrawingStarts) {
  std::vector<std::byte> whole(144 * 10);
  draw_blocks(DType::kQ4_K, 1ull << 40, 0.0f, 1.0f, 0, whole);
  std::vector<std::byte> part(144 * 3);
  draw_blocks(DType::kQ4_K, 1ull << 40, 0.0f, 1.0f, 5, part);
  EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + 144 * 5));
}

// Both parts of every merge and what they make are tokens, and no token is there twice.
void expect_sound(const SynthVocabulary& vocabulary) {
  const std::set<std::string> tokens(vocabulary.tokens.begin(), vocabulary.tokens.end());
  EXPECT_EQ(tokens.size(), vocabulary.tokens.size());
  EXPECT_EQ(vocabulary.kinds.size(), vocabulary.tokens.size());
  int unsound = 0;
  for (const std::string& merge : vocabulary.merges) {
    const std::string left = merge.substr(0, merge.find(' '));
    const std::string right = merge.substr(merge.find(' ') + 1);
    const bool sound =
        tokens.contains(left) && tokens.contains(right) && tokens.contains(left + right);
    unsound += sound ? 0 : 1;
  }
  EXPECT_EQ(unsound, 0);
}

TEST(Synth, TheBuiltInVocabularyIsSoundAndEndsWithTheSpecialTokens) {
  const SynthVocabulary vocabulary = built_in_vocabulary(2048, 32);
  expect_sound(vocabulary);
  EXPECT_EQ(vocabulary.tokens[vocabulary.eos], "<|im_end|>");
  EXPECT_EQ(vocabulary.kinds[vocabulary.eos], 3);
  EXPECT_EQ(vocabulary.tokens[vocabulary.bos + 2], "<think>");
  EXPECT_EQ(vocabulary.kinds[vocabulary.bos + 2], 4);
}

TEST(Synth, TheFullBuiltInVocabularyHasTheModelsSpecialIds) {
  const SynthVocabulary vocabulary = built_in_vocabulary(128256, 256);
  expect_sound(vocabulary);
  const std::map<std::size_t, std::string> specials = {
      {128000, "<|begin_of_text|>"}, {128001, "<|end_of_text|>"},  {128002, "<think>"},
      {128003, "</think>"},          {128011, "<|im_start|>"},     {128012, "<|im_end|>"},
      {128013, "<tool_response>"},   {128014, "</tool_response>"}, {128015, "<tool_call>"},
      {128016, "</tool_call>"},      {128017, "<code>"},           {128018, "</code>"}};
  for (const auto& [id, name] : specials) {
    EXPECT_EQ(vocabulary.tokens[id], name);
    EXPECT_EQ(vocabulary.kinds[id], name.starts_with("<|") ? 3 : 4) << name;
  }
}

TEST(Synth, ATokenizerJsonGivesItsVocabularyAndGetsTheModelsSpecialTokens) {
  const TempFile temp;
  temp.write(R"({"model": {"vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]},
                 "added_tokens": [{"id": 5, "content": "<|begin_of_text|>"}]})");
  const auto vocabulary = vocabulary_from_json(temp.path());
  ASSERT_TRUE(vocabulary) << vocabulary.error().message;
  expect_sound(*vocabulary);
  EXPECT_EQ(vocabulary->tokens[2], "ab");
  EXPECT_EQ(vocabulary->merges[0], "a b");
  EXPECT_EQ(vocabulary->bos, 5u);
  EXPECT_EQ(vocabulary->tokens[5 + 12], "<|im_end|>");
  EXPECT_EQ(vocabulary->kinds[3], 5) << "a gap is an unused token";
}

TEST(Synth, MergesThatArePairsReadTheSame) {
  const TempFile temp;
  temp.write(R"({"model": {"vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}})");
  const auto vocabulary = vocabulary_from_json(temp.path());
  ASSERT_TRUE(vocabulary) << vocabulary.error().message;
  EXPECT_EQ(vocabulary->merges[0], "a b");
  EXPECT_EQ(vocabulary->bos, 3u) << "appended where <|begin_of_text|> is missing";
}

TEST(Synth, AWrongTokenizerJsonIsRefusedByName) {
  const TempFile temp;
  for (const char* text : {"", "{", "[]", "{\"model\": 1}", "{\"model\": {\"vocab\": {}}}",
                           R"({"model": {"vocab": {"a": -1}, "merges": []}})",
                           R"({"model": {"vocab": {"a": 99999999}, "merges": []}})",
                           R"({"model": {"vocab": {"a": 0}, "merges": [1]}})"}) {
    temp.write(text);
    const auto vocabulary = vocabulary_from_json(temp.path());
    ASSERT_FALSE(vocabulary) << text;
    EXPECT_THAT(vocabulary.error().message, HasSubstr(temp.path()));
  }
}

}  // namespace
}  // namespace notso
