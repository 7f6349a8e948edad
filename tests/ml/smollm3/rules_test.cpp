// The forward pass on every backend against the naive model: each rule of SmolLM3 that is broken
// (the pairs that rotate, the layers that do not, YaRN's ramp and magnitude, which heads share
// keys) moves the logits by far more than these limits.
#include <cmath>
#include <gtest/gtest.h>

#include "ml/core/gguf/gguf_bytes.h"
#include "ml/smollm3/model_file.h"
#include "ml/smollm3/naive_model.h"
#include "ml/smollm3/runner.h"

namespace notso::smollm3 {
namespace {

constexpr std::size_t kTokens = 80;  // more than a page

// The root mean square of the differences, in units of the logits' own.
double relative_error(const Logits& logits, const std::vector<std::vector<double>>& expected) {
  double squares = 0.0;
  double total = 0.0;
  EXPECT_EQ(logits.size(), expected.size());
  for (std::size_t t = 0; t < expected.size(); ++t) {
    EXPECT_EQ(logits[t].size(), expected[t].size());
    for (std::size_t i = 0; i < expected[t].size(); ++i) {
      const double difference = static_cast<double>(logits[t][i]) - expected[t][i];
      squares += difference * difference;
      total += expected[t][i] * expected[t][i];
    }
  }
  return std::sqrt(squares / total);
}

// How far a backend may be from the truth for a file with f32 weights: only the rounding of its
// keys and values, and for the reference not even that.
double limit_of(const std::string& backend, KvType kv_type) {
  if (backend == "reference") return 2e-6;
  return kv_type == KvType::kF16 ? 0.02 : 0.06;
}

void expect_naive_logits(const ModelFile& model) {
  const TempFile temp;
  model.write(temp.path());
  const auto tokens = some_tokens(kTokens, 7);
  const auto expected = NaiveModel(**GgufFile::open(temp.path())).logits(tokens);
  for (const std::string& backend : backend_names()) {
    for (const KvType kv_type : {KvType::kF16, KvType::kQ8_0}) {
      Runner runner(temp.path(), {backend, 2, kv_type});
      Sequence sequence = runner.new_sequence();
      EXPECT_LT(relative_error(runner.feed(sequence, tokens, 33), expected),
                limit_of(backend, kv_type))
          << backend << (kv_type == KvType::kF16 ? ", f16" : ", q8_0") << " keys and values";
    }
  }
}

ModelShape float_shape() {
  ModelShape shape;
  shape.type = DType::kF32;
  shape.value_type = DType::kF32;
  return shape;
}

TEST(Rules, PlainFilesGiveTheNaiveLogits) { expect_naive_logits(ModelFile(float_shape())); }

TEST(Rules, YarnFilesGiveTheNaiveLogits) {
  ModelFile model(float_shape());
  model.use_yarn();
  expect_naive_logits(model);
}

TEST(Rules, UntiedHeadsGiveTheNaiveLogits) {
  ModelShape shape = float_shape();
  shape.untied = true;
  expect_naive_logits(ModelFile(shape));
}

TEST(Rules, ManyQueryHeadsMayShareAKeyHead) {
  ModelShape shape = float_shape();
  shape.heads = 12;
  shape.head_dim = 16;
  expect_naive_logits(ModelFile(shape));
}

TEST(Rules, HeadsAndWidthsNeedNotBePowersOfTwo) {
  ModelShape shape = float_shape();
  shape.hidden = 160;
  shape.heads = 3;
  shape.kv_heads = 3;
  shape.head_dim = 80;
  shape.ffn = 224;
  expect_naive_logits(ModelFile(shape));
}

TEST(Rules, AModelWhoseLastLayerHasNoRopeGivesTheNaiveLogits) {
  ModelShape shape = float_shape();
  shape.layers = 4;
  expect_naive_logits(ModelFile(shape));
}

TEST(Rules, TheReferenceIsExactForQuantisedFiles) {
  const TempFile temp;
  ModelFile({}).write(temp.path());
  const auto tokens = some_tokens(kTokens, 7);
  const auto expected = NaiveModel(**GgufFile::open(temp.path())).logits(tokens);
  Runner runner(temp.path(), {});
  Sequence sequence = runner.new_sequence();
  EXPECT_LT(relative_error(runner.feed(sequence, tokens, kTokens), expected), 2e-6);
}

}  // namespace
}  // namespace notso::smollm3
