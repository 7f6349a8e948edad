// The forward pass, read top to bottom: one Backend verb a line. x is the residual stream.
//
// The last layer differs: rows whose logits nobody reads (all but the end of a prompt) need only
// their keys and values there, so the rest of it runs on the output rows alone.

#include "base/check.h"
#include "ml/smollm3/model.h"

namespace notso::smollm3 {
namespace {

// The output rows as a step of their own: each is the one row of a sequence at its position.
StepRows output_step(const Batch& batch, std::span<SequenceRows> storage) {
  std::size_t sequence = 0;
  for (std::size_t i = 0; i < batch.output_rows.size(); ++i) {
    const std::int32_t row = batch.output_rows[i];
    const auto& all = batch.step.sequences;
    while (row >= all[sequence].first_row + all[sequence].row_count) ++sequence;
    const SequenceRows& from = all[sequence];
    storage[i] = {from.pages, from.first_position + row - from.first_row,
                  static_cast<std::int32_t>(i), 1};
  }
  return {storage.first(batch.output_rows.size()),
          static_cast<std::int32_t>(batch.output_rows.size())};
}

}  // namespace

void Model::forward(const Batch& batch, std::span<float> logits) {
  const auto rows = static_cast<std::int32_t>(batch.tokens.size());
  const auto outputs = static_cast<std::int32_t>(batch.output_rows.size());
  NOTSO_CHECK(rows == batch.step.row_count && rows <= options_.max_rows);
  NOTSO_CHECK(outputs <= options_.max_outputs &&
              logits.size() == batch.output_rows.size() * static_cast<std::size_t>(config_.vocab));
  const Rows x = buffers_.x->rows(rows, config_.hidden);
  const Rows out = buffers_.outputs->rows(outputs, config_.hidden);

  backend_.begin_step(batch.step, rope_);
  backend_.embed(*weights_.embedding, batch.tokens, x);
  for (std::int32_t i = 0; i + 1 < config_.layers; ++i) run_layer(i, batch.step, x);
  run_last_layer(batch, x, out);
  if (outputs == 0) return;

  const Matrix* head = &weights_.head();
  const Rows scores = buffers_.logits->rows(outputs, config_.vocab);
  backend_.normalize(*weights_.output_norm, config_.norm_epsilon, out, *buffers_.hidden);
  backend_.project({&head, 1}, *buffers_.hidden, scores);
  backend_.read(scores, logits);
}

void Model::run_layer(std::int32_t index, const StepRows& step, Rows x) {
  const Layer& layer = weights_.layers[static_cast<std::size_t>(index)];
  const std::int32_t queries = config_.heads * config_.head_dim;
  const std::int32_t keys = config_.kv_heads * config_.head_dim;
  const Rows qkv = buffers_.qkv->rows(x.count, queries + 2 * keys);
  const Matrix* projections[] = {layer.query.get(), layer.key.get(), layer.value.get()};

  backend_.normalize(*layer.attention_norm, config_.norm_epsilon, x, *buffers_.hidden);
  backend_.project(projections, *buffers_.hidden, qkv);
  if (config_.uses_rope(index)) backend_.rotate(config_.head_dim, qkv.slice(0, queries + keys));
  append(index, step, qkv.slice(queries, keys), qkv.slice(queries + keys, keys));
  run_attention(layer, index, step, qkv.slice(0, queries), x);
  run_ffn(layer, x);
}

void Model::run_last_layer(const Batch& batch, Rows x, Rows out) {
  const std::int32_t index = config_.layers - 1;
  const Layer& layer = weights_.layers[static_cast<std::size_t>(index)];
  const std::int32_t queries = config_.heads * config_.head_dim;
  const std::int32_t keys = config_.kv_heads * config_.head_dim;
  const Rows kv = buffers_.qkv->rows(x.count, 2 * keys);
  const Matrix* kv_projections[] = {layer.key.get(), layer.value.get()};
  const Matrix* query_projection = layer.query.get();

  backend_.normalize(*layer.attention_norm, config_.norm_epsilon, x, *buffers_.hidden);
  backend_.project(kv_projections, *buffers_.hidden, kv);
  if (config_.uses_rope(index)) backend_.rotate(config_.head_dim, kv.slice(0, keys));
  append(index, batch.step, kv.slice(0, keys), kv.slice(keys, keys));
  if (out.count == 0) return;

  const StepRows step = output_step(batch, buffers_.output_sequences);
  const Rows q = buffers_.qkv->rows(out.count, queries);
  backend_.gather(x, batch.output_rows, out);
  backend_.begin_step(step, rope_);
  backend_.normalize(*layer.attention_norm, config_.norm_epsilon, out, *buffers_.hidden);
  backend_.project({&query_projection, 1}, *buffers_.hidden, q);
  if (config_.uses_rope(index)) backend_.rotate(config_.head_dim, q);
  run_attention(layer, index, step, q, out);
  run_ffn(layer, out);
}

void Model::append(std::int32_t index, const StepRows& step, Rows keys, Rows values) {
  backend_.append(step, config_.attention(), kv_layout_.type(), kv_layout_.slot(index), keys,
                  values);
}

void Model::run_attention(const Layer& layer, std::int32_t index, const StepRows& step,
                          Rows queries, Rows x) {
  backend_.attend(step, config_.attention(), kv_layout_.type(), kv_layout_.slot(index), queries,
                  *buffers_.attended);
  backend_.project_add(*layer.output, *buffers_.attended, x);
}

void Model::run_ffn(const Layer& layer, Rows x) {
  backend_.normalize(*layer.ffn_norm, config_.norm_epsilon, x, *buffers_.hidden);
  backend_.gate_up(*layer.gate, *layer.up, *buffers_.hidden, *buffers_.ffn);
  backend_.project_add(*layer.down, *buffers_.ffn, x);
}

}  // namespace notso::smollm3
