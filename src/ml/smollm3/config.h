// SmolLM3's hyperparameters, read from a GGUF file's metadata and checked.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "ml/core/backend.h"
#include "ml/core/gguf/gguf.h"

namespace notso::smollm3 {

// YaRN: how positions beyond the trained context are squeezed into it.
struct Yarn {
  double factor = 2.0;
  std::int32_t original_context = 65536;
  double beta_fast = 32.0;
  double beta_slow = 1.0;
};

// The longest context that this program serves, with YaRN.
inline constexpr std::int32_t kMaxContext = 131072;

// The model's shape.
struct Config {
  std::int32_t layers = 0;
  std::int32_t hidden = 0;
  std::int32_t ffn = 0;
  std::int32_t heads = 0;
  std::int32_t kv_heads = 0;
  std::int32_t head_dim = 0;
  std::int32_t vocab = 0;
  std::int32_t context = 0;  // positions that the model was trained for, YaRN of the file included
  float norm_epsilon = 0.0F;
  double rope_base = 0.0;
  std::optional<Yarn> yarn;

  // Every fourth layer has no position encoding (NoPE). The file has no key for it.
  [[nodiscard]] bool uses_rope(std::int32_t layer) const { return (layer + 1) % 4 != 0; }

  [[nodiscard]] AttentionShape attention() const { return {heads, kv_heads, head_dim}; }
};

// Reads and checks the configuration. A file of another architecture is refused by name.
[[nodiscard]] Result<Config> read_config(const GgufFile& file);

// Switches YaRN on if `context` is longer than what the model was trained for. Fails beyond
// kMaxContext.
[[nodiscard]] Status extend_context(Config& config, std::int32_t context);

// The rotation of each pair of dimensions, YaRN included.
[[nodiscard]] Rope make_rope(const Config& config);

}  // namespace notso::smollm3
