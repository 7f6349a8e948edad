#include "ml/smollm3/activations.h"

#include <optional>
#include <utility>

namespace notso::smollm3 {

Result<Buffers> Buffers::make(const Config& config, Backend& backend, std::int32_t max_rows,
                              std::int32_t max_outputs) {
  Buffers buffers;
  std::optional<Error> error;
  const auto floats = [&](std::int32_t rows, std::int32_t columns) {
    auto made =
        backend.make_buffer(static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns));
    if (!made) error = made.error();
    return made ? std::move(*made) : nullptr;
  };
  const auto prepared = [&](std::int32_t columns) {
    auto made = backend.make_activations(max_rows, columns);
    if (!made) error = made.error();
    return made ? std::move(*made) : nullptr;
  };
  const std::int32_t queries = config.heads * config.head_dim;
  const std::int32_t keys = config.kv_heads * config.head_dim;
  buffers.x = floats(max_rows, config.hidden);
  buffers.qkv = floats(max_rows, queries + 2 * keys);
  buffers.outputs = floats(max_outputs, config.hidden);
  buffers.logits = floats(max_outputs, config.vocab);
  buffers.hidden = prepared(config.hidden);
  buffers.attended = prepared(queries);
  buffers.ffn = prepared(config.ffn);
  buffers.output_sequences.resize(static_cast<std::size_t>(max_outputs));
  if (error) return tl::unexpected<Error>(std::move(*error));
  return buffers;
}

}  // namespace notso::smollm3
