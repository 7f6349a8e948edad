// What a SmolLM3 file must say about itself, and the angles that follow from it.
#include "ml/smollm3/config.h"

#include <filesystem>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ml/core/cpu/cpu_backend.h"
#include "ml/core/gguf/gguf_bytes.h"
#include "ml/smollm3/model_file.h"
#include "ml/smollm3/weights.h"

namespace notso::smollm3 {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using Bend = std::function<void(ModelFile&)>;

// Reads the configuration of the default test model after `bend` had its way with the file.
Result<Config> config_of(const Bend& bend) {
  const TempFile temp;
  ModelFile model({});
  bend(model);
  const auto file = GgufFile::open(model.write(temp.path()));
  if (!file) return tl::unexpected<Error>(file.error());
  return read_config(**file);
}

// One line that names the file's path and `part`.
void expect_refusal(const Bend& bend, const std::string& part) {
  const auto config = config_of(bend);
  ASSERT_FALSE(config) << part;
  EXPECT_THAT(config.error().message,
              AllOf(HasSubstr("gguf_test_"), HasSubstr(part), Not(HasSubstr("\n"))));
}

Bend set(const std::string& key, const ModelFile::Value& value) {
  return [=](ModelFile& model) { model.set(key, value); };
}

TEST(Config, ReadsWhatTheFileSays) {
  const auto config = config_of([](ModelFile&) {});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->layers, 5);
  EXPECT_EQ(config->hidden, 256);
  EXPECT_EQ(config->ffn, 512);
  EXPECT_EQ(config->heads, 4);
  EXPECT_EQ(config->kv_heads, 2);
  EXPECT_EQ(config->head_dim, 64);
  EXPECT_EQ(config->vocab, 100);
  EXPECT_EQ(config->context, 4096);
  EXPECT_EQ(config->norm_epsilon, 1e-6F);
  EXPECT_EQ(config->rope_base, 10'000.0);
  EXPECT_FALSE(config->yarn);
}

TEST(Config, AnotherArchitectureIsRefusedByName) {
  expect_refusal(set("general.architecture", "llama"), "its architecture is 'llama'");
  expect_refusal(set("general.architecture", "a\x1b[31m\nb"), R"('a\x1b[31m\x0ab')");
  expect_refusal([](ModelFile& model) { model.drop("general.architecture"); },
                 "general.architecture");
  expect_refusal(set("general.architecture", 3u), "general.architecture");
}

TEST(Config, AMissingKeyIsNamed) {
  for (const char* key : {"smollm3.block_count", "smollm3.context_length",
                          "smollm3.embedding_length", "smollm3.feed_forward_length",
                          "smollm3.attention.head_count", "smollm3.attention.head_count_kv",
                          "smollm3.attention.layer_norm_rms_epsilon", "smollm3.rope.freq_base"}) {
    expect_refusal([&](ModelFile& model) { model.drop(key); }, key);
  }
}

TEST(Config, AKeyOfAnotherTypeIsNamed) {
  expect_refusal(set("smollm3.block_count", "five"), "smollm3.block_count");
  expect_refusal(set("smollm3.rope.freq_base", 10'000u), "smollm3.rope.freq_base");
}

TEST(Config, ANumberThatMakesNoSenseIsNamedWithItsLimits) {
  expect_refusal(set("smollm3.block_count", 0u), "smollm3.block_count is 0; this program takes 1 ");
  expect_refusal(set("smollm3.block_count", 4'000'000'000u), "smollm3.block_count is 4000000000");
  expect_refusal(set("smollm3.embedding_length", 0xffffffffu), "smollm3.embedding_length");
  expect_refusal(set("smollm3.feed_forward_length", 0u), "smollm3.feed_forward_length");
  expect_refusal(set("smollm3.attention.head_count", 0u), "smollm3.attention.head_count");
  expect_refusal(set("smollm3.attention.head_count_kv", 0u), "smollm3.attention.head_count_kv");
  expect_refusal(set("smollm3.context_length", 0u), "smollm3.context_length");
  expect_refusal(set("smollm3.rope.freq_base", 0.0f), "smollm3.rope.freq_base");
  expect_refusal(set("smollm3.rope.freq_base", NAN), "smollm3.rope.freq_base is nan");
  expect_refusal(set("smollm3.attention.layer_norm_rms_epsilon", -1.0f), "rms_epsilon");
  expect_refusal(set("smollm3.attention.key_length", 100'000u), "attention.key_length");
}

TEST(Config, HeadsThatDoNotFitAreRefused) {
  expect_refusal(set("smollm3.attention.head_count_kv", 3u),
                 "4 query heads cannot share 3 key/value heads");
  expect_refusal(set("smollm3.rope.dimension_count", 32u), "rope.dimension_count is 32");
  expect_refusal(
      [](ModelFile& model) {
        model.set("smollm3.attention.key_length", 40u);
        model.set("smollm3.rope.dimension_count", 40u);
      },
      "a head dimension of 40 is not a multiple of 16");
  // A dimension that only follows from the width is held to the same limits as a stated one.
  expect_refusal(
      [](ModelFile& model) {
        model.set("smollm3.embedding_length", 4096u);
        model.set("smollm3.attention.head_count", 2u);
        model.drop("smollm3.rope.dimension_count");
      },
      "a head dimension of 2048 is not a multiple of 16 from 16 to 256");
  expect_refusal(
      [](ModelFile& model) {
        model.set("smollm3.attention.head_count", 512u);
        model.drop("smollm3.rope.dimension_count");
      },
      "a head dimension of 0 is not");
}

TEST(Config, AFileWithoutEmbeddingIsRefused) {
  expect_refusal([](ModelFile& model) { model.drop_tensor("token_embd.weight"); },
                 "token_embd.weight is missing");
}

TEST(Config, OfAFileThatShrinksAfterOpeningOnlyTheWeightsAreLost) {
  const TempFile temp;
  const auto file = GgufFile::open(ModelFile({}).write(temp.path())).value();
  std::filesystem::resize_file(temp.path(), 0);
  const auto config = read_config(*file);
  ASSERT_TRUE(config) << config.error().message;
  CpuOptions cpu;
  cpu.threads = 1;
  const auto backend = make_cpu_backend(cpu).value();
  const auto weights = load_weights(file, *config, *backend, {});
  ASSERT_FALSE(weights);
  EXPECT_EQ(weights.error().code, ErrorCode::kDataLoss);
}

TEST(Config, ScalingOfOtherKindsThanYarnIsRefused) {
  expect_refusal(set("smollm3.rope.scaling.type", "linear"),
                 "smollm3.rope.scaling.type is 'linear'; notso knows 'yarn' and 'none'");
  expect_refusal(set("smollm3.rope.scaling.type", "a\nb"), R"('a\x0ab')");
  expect_refusal(set("smollm3.rope.scaling.type", 1u), "smollm3.rope.scaling.type");
  expect_refusal(set("smollm3.rope.scaling.type", "yarn"), "smollm3.rope.scaling.factor");
  EXPECT_TRUE(config_of(set("smollm3.rope.scaling.type", "none")));
  const auto yarn = [](float factor) {
    return [=](ModelFile& model) {
      model.use_yarn();
      model.set("smollm3.rope.scaling.factor", factor);
    };
  };
  expect_refusal(yarn(0.5F), "smollm3.rope.scaling.factor");
  expect_refusal(yarn(NAN), "smollm3.rope.scaling.factor");
  EXPECT_EQ(config_of(yarn(3.0F))->yarn->factor, 3.0);
}

// The real model's numbers, as far as they decide the angles.
Config real_config() {
  Config config;
  config.head_dim = 128;
  config.context = 65536;
  config.rope_base = 5e6;
  return config;
}

TEST(Rope, FrequenciesFallGeometricallyFromOne) {
  const Rope rope = make_rope(real_config());
  ASSERT_EQ(rope.frequencies.size(), 64U);
  EXPECT_DOUBLE_EQ(rope.frequencies[0], 1.0);
  EXPECT_NEAR(rope.frequencies[32], 1.0 / std::sqrt(5e6), 1e-12);
  EXPECT_NEAR(rope.frequencies[63], 2.5450e-7, 1e-11);
  EXPECT_EQ(rope.magnitude, 1.0);
}

// Computed by hand for factor 2 beyond 65536: pair 24.01 turns 32 times within the original
// context and pair 38.39 once, so the ramp goes from 24 to 39.
TEST(Rope, YarnSlowsThePairsThatTurnRarely) {
  Config config = real_config();
  const Rope plain = make_rope(config);
  config.yarn = Yarn{};
  const Rope rope = make_rope(config);
  const auto ratio = [&](std::size_t i) { return rope.frequencies[i] / plain.frequencies[i]; };
  EXPECT_DOUBLE_EQ(ratio(0), 1.0);
  EXPECT_DOUBLE_EQ(ratio(24), 1.0);
  EXPECT_NEAR(ratio(25), 1.0 - 0.5 / 15, 1e-12);
  EXPECT_NEAR(ratio(30), 1.0 - 0.5 * 6 / 15, 1e-12);
  EXPECT_NEAR(ratio(38), 1.0 - 0.5 * 14 / 15, 1e-12);
  EXPECT_DOUBLE_EQ(ratio(39), 0.5);
  EXPECT_DOUBLE_EQ(ratio(63), 0.5);
  EXPECT_NEAR(rope.magnitude, 1.0693147180559945, 1e-15);
}

TEST(Rope, EveryFourthLayerHasNone) {
  const Config config = real_config();
  for (const std::int32_t layer : {3, 7, 11, 35}) EXPECT_FALSE(config.uses_rope(layer)) << layer;
  for (const std::int32_t layer : {0, 1, 2, 4, 5, 34})
    EXPECT_TRUE(config.uses_rope(layer)) << layer;
}

TEST(ExtendContext, SwitchesYarnOnOnlyWhereItIsNeeded) {
  Config config = real_config();
  ASSERT_TRUE(extend_context(config, 65536));
  EXPECT_FALSE(config.yarn);
  ASSERT_TRUE(extend_context(config, 131072));
  ASSERT_TRUE(config.yarn);
  EXPECT_EQ(config.yarn->factor, 2.0);
  EXPECT_EQ(config.yarn->original_context, 65536);
  EXPECT_EQ(config.context, 131072);
}

TEST(ExtendContext, BeyondTheLongestIsRefusedWithTheLimits) {
  Config config = real_config();
  const auto refused = extend_context(config, 131073);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message,
              AllOf(HasSubstr("131073"), HasSubstr("65536"), HasSubstr("131072")));
}

// Loads the weights of a bent test model; the message if that failed, else "".
std::string weights_error(const Bend& bend, bool untied = false) {
  const TempFile temp;
  ModelShape shape;
  shape.untied = untied;
  ModelFile model(shape);
  bend(model);
  const auto file = GgufFile::open(model.write(temp.path()));
  if (!file) return file.error().message;
  const auto config = read_config(**file);
  if (!config) return config.error().message;
  const auto backend = make_reference_backend(1);
  const auto weights = load_weights(*file, *config, *backend, {});
  return weights ? "" : weights.error().message;
}

TEST(Weights, TiedAndUntiedFilesLoad) {
  EXPECT_EQ(weights_error([](ModelFile&) {}), "");
  EXPECT_EQ(weights_error([](ModelFile&) {}, true), "");
}

TEST(Weights, AMissingTensorIsNamed) {
  for (const char* name : {"blk.0.attn_norm.weight", "blk.4.ffn_down.weight", "blk.2.attn_v.weight",
                           "output_norm.weight"}) {
    EXPECT_THAT(weights_error([&](ModelFile& model) { model.drop_tensor(name); }),
                HasSubstr("tensor " + std::string(name) + " is missing"));
  }
}

TEST(Weights, AWrongShapeIsNamedWithTheRightOne) {
  const auto reshape = [](const std::string& name, std::vector<std::uint64_t> shape) {
    return weights_error([&](ModelFile& model) { model.tensor(name).shape = shape; });
  };
  EXPECT_THAT(reshape("blk.1.attn_k.weight", {256, 256}),
              AllOf(HasSubstr("blk.1.attn_k.weight has the shape [256, 256]"),
                    HasSubstr("needs [256, 128]")));
  EXPECT_THAT(reshape("blk.1.ffn_up.weight", {512, 512}), HasSubstr("needs [256, 512]"));
  EXPECT_THAT(reshape("blk.1.attn_norm.weight", {128}), HasSubstr("needs [256]"));
  EXPECT_THAT(reshape("blk.1.attn_norm.weight", {256, 1}), HasSubstr("needs [256]"));
  EXPECT_THAT(reshape("blk.1.attn_q.weight", {65536}), HasSubstr("needs [256, 256]"));
}

TEST(Weights, ATensorOfAnotherModelIsNamed) {
  EXPECT_THAT(weights_error([](ModelFile& model) {
                model.add_tensor({"blk.0.attn_q.bias", DType::kF32, {256}, 0.0F, 1.0F});
              }),
              HasSubstr("tensor 'blk.0.attn_q.bias' is not part of SmolLM3"));
  EXPECT_THAT(weights_error([](ModelFile& model) { model.set("smollm3.block_count", 4u); }),
              HasSubstr("tensor 'blk.4.attn_norm.weight' is not part of SmolLM3"));
  EXPECT_EQ(weights_error([](ModelFile& model) {
              model.add_tensor({"rope_freqs.weight", DType::kF32, {32}, 1.0F, 0.0F});
            }),
            "");
}

}  // namespace
}  // namespace notso::smollm3
