#include "ml/smollm3/synth.h"

#include <cmath>
#include <memory>
#include <span>
#include <utility>

#include "ml/core/gguf/writer.h"
#include "ml/smollm3/synth_blocks.h"
#include "ml/smollm3/synth_vocabulary.h"

namespace notso {
namespace {

constexpr std::uint32_t kContext = 65'536;

constexpr std::string_view kPlainChatTemplate =
    "{%- for message in messages -%}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}";

// The numbers that make a size.
struct Shape {
  SynthSize size;
  std::string_view name;
  std::string_view label;  // as general.size_label
  std::uint32_t layers;
  std::uint32_t hidden;
  std::uint32_t heads;
  std::uint32_t kv_heads;
  std::uint32_t head_dim;
  std::uint32_t ffn;
  std::uint32_t vocabulary;      // of the built-in vocabulary
  std::uint32_t special_tokens;  // among them
};

constexpr Shape kShapes[] = {
    {SynthSize::kTiny, "tiny", "7M", 8, 256, 4, 2, 64, 768, 2'048, 32},
    {SynthSize::kSmall, "small", "195M", 16, 1'024, 16, 4, 64, 3'072, 2'048, 32},
    {SynthSize::kFull, "full", "3B", 36, 2'048, 16, 4, 128, 11'008, 128'256, 256},
};

// The types that make a mix. `more` is for attn_v and ffn_down of the layers that matter most.
struct Mix {
  SynthMix mix;
  std::string_view name;
  std::uint32_t file_type;  // general.file_type
  DType base;
  DType more;
  DType embedding;
};

constexpr Mix kMixes[] = {
    {SynthMix::kQ4_K_M, "Q4_K_M", 15, DType::kQ4_K, DType::kQ6_K, DType::kQ6_K},
    {SynthMix::kQ5_K_M, "Q5_K_M", 17, DType::kQ5_K, DType::kQ6_K, DType::kQ6_K},
    {SynthMix::kQ6_K, "Q6_K", 18, DType::kQ6_K, DType::kQ6_K, DType::kQ6_K},
    {SynthMix::kQ8_0, "Q8_0", 7, DType::kQ8_0, DType::kQ8_0, DType::kQ8_0},
    {SynthMix::kQ4_0, "Q4_0", 2, DType::kQ4_0, DType::kQ4_0, DType::kQ6_K},
    {SynthMix::kQ4_1, "Q4_1", 3, DType::kQ4_1, DType::kQ4_1, DType::kQ6_K},
    {SynthMix::kQ5_0, "Q5_0", 8, DType::kQ5_0, DType::kQ5_0, DType::kQ6_K},
    {SynthMix::kQ5_1, "Q5_1", 9, DType::kQ5_1, DType::kQ5_1, DType::kQ6_K},
    {SynthMix::kF16, "F16", 1, DType::kF16, DType::kF16, DType::kF16},
    {SynthMix::kBF16, "BF16", 32, DType::kBF16, DType::kBF16, DType::kBF16},
    {SynthMix::kF32, "F32", 0, DType::kF32, DType::kF32, DType::kF32},
};

const Shape& shape_of(SynthSize size) { return kShapes[static_cast<std::size_t>(size)]; }
const Mix& mix_of(SynthMix mix) { return kMixes[static_cast<std::size_t>(mix)]; }

// llama.cpp's rule for the layers that get more bits in a "_M" mix: the first and last eighth and
// every third between them.
bool uses_more_bits(std::uint32_t layer, std::uint32_t layers) {
  return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
}

// Adds tensors with random bytes, each from its own key.
class TensorAdder {
 public:
  TensorAdder(GgufWriter& writer, std::uint64_t seed) : writer_(writer), seed_(seed) {}

  // W[rows, columns], drawn around 0.
  void matrix(const std::string& name, DType type, std::uint32_t columns, std::uint32_t rows,
              float deviation) {
    add(name, type, {columns, rows}, 0.0f, deviation);
  }
  // A norm's factors[count], near 1.
  void norm(const std::string& name, std::uint32_t count) {
    add(name, DType::kF32, {count}, 1.0f, 0.1f);
  }

 private:
  void add(const std::string& name, DType type, std::vector<std::uint64_t> shape, float mean,
           float deviation) {
    // The upper half tells the tensors apart, block numbers change the lower.
    const std::uint64_t key = RandomStream(RandomStream(seed_).next() + ++count_).next() << 32;
    writer_.add_tensor(name, type, std::move(shape),
                       [=](std::uint64_t first_block, std::span<std::byte> out) {
                         draw_blocks(type, key, mean, deviation, first_block, out);
                       });
  }

  GgufWriter& writer_;
  std::uint64_t seed_;
  std::uint64_t count_ = 0;
};

void add_tensors(GgufWriter& writer, const Shape& shape, const Mix& mix,
                 std::uint32_t vocabulary_size, std::uint64_t seed) {
  const std::uint32_t q_rows = shape.heads * shape.head_dim;
  const std::uint32_t kv_rows = shape.kv_heads * shape.head_dim;
  const float from_hidden = 1.0f / std::sqrt(static_cast<float>(shape.hidden));
  // What is added to the residual is kept small, so that 36 layers do not drown the embedding.
  const float from_heads = 1.0f / (3.0f * std::sqrt(static_cast<float>(q_rows)));
  const float from_ffn = 1.0f / (3.0f * std::sqrt(static_cast<float>(shape.ffn)));
  TensorAdder add(writer, seed);
  add.matrix("token_embd.weight", mix.embedding, shape.hidden, vocabulary_size, 0.02f);
  for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
    const DType type = mix.base;
    const DType more = uses_more_bits(layer, shape.layers) ? mix.more : mix.base;
    const std::string block = "blk." + std::to_string(layer) + ".";
    add.norm(block + "attn_norm.weight", shape.hidden);
    add.matrix(block + "attn_q.weight", type, shape.hidden, q_rows, from_hidden);
    add.matrix(block + "attn_k.weight", type, shape.hidden, kv_rows, from_hidden);
    add.matrix(block + "attn_v.weight", more, shape.hidden, kv_rows, from_hidden);
    add.matrix(block + "attn_output.weight", type, q_rows, shape.hidden, from_heads);
    add.norm(block + "ffn_norm.weight", shape.hidden);
    add.matrix(block + "ffn_gate.weight", type, shape.hidden, shape.ffn, from_hidden);
    add.matrix(block + "ffn_up.weight", type, shape.hidden, shape.ffn, from_hidden);
    add.matrix(block + "ffn_down.weight", more, shape.ffn, shape.hidden, from_ffn);
  }
  add.norm("output_norm.weight", shape.hidden);
}

void add_model_keys(GgufWriter& writer, const Shape& shape, const Mix& mix,
                    std::uint32_t vocabulary_size, double yarn_factor) {
  const auto number = [&](std::string_view key, std::uint32_t value) {
    writer.add_number<std::uint32_t>(key, value);
  };
  writer.add_string("general.architecture", "smollm3");
  writer.add_string("general.type", "model");
  writer.add_string("general.name", "synthetic SmolLM3 (" + std::string(shape.name) + ")");
  writer.add_string("general.size_label", shape.label);
  number("smollm3.block_count", shape.layers);
  number("smollm3.context_length", static_cast<std::uint32_t>(kContext * yarn_factor));
  number("smollm3.embedding_length", shape.hidden);
  number("smollm3.feed_forward_length", shape.ffn);
  number("smollm3.attention.head_count", shape.heads);
  number("smollm3.attention.head_count_kv", shape.kv_heads);
  writer.add_number<float>("smollm3.rope.freq_base", 5e6f);
  writer.add_number<float>("smollm3.attention.layer_norm_rms_epsilon", 1e-6f);
  number("general.file_type", mix.file_type);
  number("smollm3.vocab_size", vocabulary_size);
  number("smollm3.rope.dimension_count", shape.head_dim);
  if (yarn_factor > 1.0) {
    writer.add_string("smollm3.rope.scaling.type", "yarn");
    writer.add_number<float>("smollm3.rope.scaling.factor", static_cast<float>(yarn_factor));
    number("smollm3.rope.scaling.original_context_length", kContext);
  }
}

void add_tokenizer_keys(GgufWriter& writer, const SynthVocabulary& vocabulary,
                        std::string_view chat_template) {
  writer.add_string("tokenizer.ggml.model", "gpt2");
  writer.add_string("tokenizer.ggml.pre", "smaug-bpe");
  writer.add_strings("tokenizer.ggml.tokens", vocabulary.tokens);
  writer.add_numbers<std::int32_t>("tokenizer.ggml.token_type", vocabulary.kinds);
  writer.add_strings("tokenizer.ggml.merges", vocabulary.merges);
  writer.add_number<std::uint32_t>("tokenizer.ggml.bos_token_id", vocabulary.bos);
  writer.add_number<std::uint32_t>("tokenizer.ggml.eos_token_id", vocabulary.eos);
  writer.add_number<std::uint32_t>("tokenizer.ggml.padding_token_id", vocabulary.eos);
  writer.add_number<bool>("tokenizer.ggml.add_bos_token", false);
  writer.add_string("tokenizer.chat_template",
                    chat_template.empty() ? kPlainChatTemplate : chat_template);
  writer.add_number<std::uint32_t>("general.quantization_version", 2);
}

}  // namespace

std::optional<SynthMix> synth_mix_from_name(std::string_view name) {
  for (const Mix& mix : kMixes) {
    if (mix.name == name) return mix.mix;
  }
  return std::nullopt;
}

std::optional<SynthSize> synth_size_from_name(std::string_view name) {
  for (const Shape& shape : kShapes) {
    if (shape.name == name) return shape.size;
  }
  return std::nullopt;
}

Status write_synthetic_model(const std::string& path, const SynthOptions& options,
                             const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  if (!(options.yarn_factor >= 1.0 && options.yarn_factor <= 32.0)) {
    return fail(ErrorCode::kInvalidArgument,
                "the YaRN factor must be from 1 to 32; 2 is what SmolLM3 uses for 128k tokens");
  }
  const Shape& shape = shape_of(options.size);
  const Mix& mix = mix_of(options.mix);
  SynthVocabulary vocabulary;
  if (options.tokenizer_path.empty()) {
    vocabulary = built_in_vocabulary(shape.vocabulary, shape.special_tokens);
  } else {
    Result<SynthVocabulary> read = vocabulary_from_json(options.tokenizer_path);
    if (!read) return pass_on(read);
    vocabulary = std::move(*read);
  }
  const auto vocabulary_size = static_cast<std::uint32_t>(vocabulary.tokens.size());
  GgufWriter writer;
  add_model_keys(writer, shape, mix, vocabulary_size, options.yarn_factor);
  add_tokenizer_keys(writer, vocabulary, options.chat_template);
  add_tensors(writer, shape, mix, vocabulary_size, options.seed);
  return writer.write(path, progress);
}

}  // namespace notso
