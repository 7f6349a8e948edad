// Writes a GGUF file with the shape of SmolLM3 and random weights: for tests, for measuring speed
// and memory, and for comparing engines without the real model. The weights' scales are plausible,
// so activations and logits stay finite; the text that such a model writes is noise.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace notso {

// How large a model: tiny is 8 layers of 256 (4 MB), small 16 layers of 1024 (110 MB), full the
// real shape (1.9 GB as Q4_K_M).
enum class SynthSize { kTiny, kSmall, kFull };

// Which mix of tensor types, named as model files are: a "_M" mix keeps half of attn_v and ffn_down
// in Q6_K; all but the plain float files and Q8_0 keep the embedding in Q6_K.
enum class SynthMix {
  kQ4_K_M,
  kQ5_K_M,
  kQ6_K,
  kQ8_0,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kF16,
  kBF16,
  kF32
};

// What to write.
struct SynthOptions {
  SynthSize size = SynthSize::kTiny;
  SynthMix mix = SynthMix::kQ4_K_M;
  std::uint64_t seed = 0;
  std::string tokenizer_path;  // a Hugging Face tokenizer.json; empty: a built-in vocabulary
  std::string chat_template;   // the template's text; empty: plain ChatML
  double yarn_factor = 1.0;    // context extension; 1 writes no rope.scaling keys
};

// The mix named `name` ("Q4_K_M"), and the size named `name` ("tiny").
[[nodiscard]] std::optional<SynthMix> synth_mix_from_name(std::string_view name);
[[nodiscard]] std::optional<SynthSize> synth_size_from_name(std::string_view name);

// Writes the file. The same options give the same bytes on every machine. `progress` hears of the
// bytes written.
[[nodiscard]] Status write_synthetic_model(
    const std::string& path, const SynthOptions& options,
    const std::function<void(std::uint64_t done, std::uint64_t total)>& progress = {});

}  // namespace notso
