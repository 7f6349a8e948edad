#include "ml/smollm3/weights.h"

#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace notso::smollm3 {
namespace {

// Finds the tensors in the order in which they are loaded, checks their shapes, and hands the
// matrices out again in the same order.
class Collector {
 public:
  explicit Collector(const GgufFile& file) : file_(file) {}

  // Expects tensor `name` with [rows][columns], or a vector of `columns` when rows is 0.
  void expect(const std::string& name, std::int64_t rows, std::int64_t columns) {
    if (error_) return;
    const GgufTensor* tensor = file_.find_tensor(name);
    if (tensor == nullptr) {
      complain("tensor " + name + " is missing; the file is incomplete, get it again");
      return;
    }
    const bool vector = tensor->shape.size() == 1;
    const bool fits = vector == (rows == 0) &&
                      tensor->columns() == static_cast<std::uint64_t>(columns) &&
                      (vector || tensor->rows() == static_cast<std::uint64_t>(rows));
    if (!fits) {
      complain("tensor " + name + " has the shape " + shape_text(*tensor) + ", SmolLM3 with this " +
               "metadata needs [" + std::to_string(columns) +
               (rows == 0 ? "" : ", " + std::to_string(rows)) + "]; get the file again");
      return;
    }
    names_.insert(tensor->name);
    tensors_.push_back(tensor);
  }

  // Every tensor of the file must have been expected; others would silently change nothing.
  void refuse_others() {
    for (const GgufTensor& tensor : file_.tensors()) {
      if (error_) return;
      if (names_.contains(tensor.name) || tensor.name == "rope_freqs.weight") continue;
      complain("tensor " + gguf_quoted(tensor.name) +
               " is not part of SmolLM3; this is another model or a modified one");
    }
  }

  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  [[nodiscard]] std::span<const GgufTensor* const> tensors() const { return tensors_; }

 private:
  static std::string shape_text(const GgufTensor& tensor) {
    std::string text = "[";
    for (const std::uint64_t extent : tensor.shape) {
      text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
    }
    return text + "]";
  }

  void complain(const std::string& what) {
    error_ = Error{ErrorCode::kInvalidArgument, file_.path() + ": " + what};
  }

  const GgufFile& file_;
  std::vector<const GgufTensor*> tensors_;
  std::unordered_set<std::string_view> names_;
  std::optional<Error> error_;
};

void expect_layer(Collector& collector, const Config& config, std::int32_t index) {
  const std::string prefix = "blk." + std::to_string(index) + ".";
  const std::int64_t queries = std::int64_t{config.heads} * config.head_dim;
  const std::int64_t keys = std::int64_t{config.kv_heads} * config.head_dim;
  collector.expect(prefix + "attn_norm.weight", 0, config.hidden);
  collector.expect(prefix + "attn_q.weight", queries, config.hidden);
  collector.expect(prefix + "attn_k.weight", keys, config.hidden);
  collector.expect(prefix + "attn_v.weight", keys, config.hidden);
  collector.expect(prefix + "attn_output.weight", config.hidden, queries);
  collector.expect(prefix + "ffn_norm.weight", 0, config.hidden);
  collector.expect(prefix + "ffn_gate.weight", config.ffn, config.hidden);
  collector.expect(prefix + "ffn_up.weight", config.ffn, config.hidden);
  collector.expect(prefix + "ffn_down.weight", config.hidden, config.ffn);
}

}  // namespace

Result<Weights> load_weights(const std::shared_ptr<const GgufFile>& file, const Config& config,
                             Backend& backend, const LoadProgress& progress) {
  Collector collector(*file);
  const bool untied = file->find_tensor("output.weight") != nullptr;
  collector.expect("token_embd.weight", config.vocab, config.hidden);
  for (std::int32_t i = 0; i < config.layers; ++i) expect_layer(collector, config, i);
  collector.expect("output_norm.weight", 0, config.hidden);
  if (untied) collector.expect("output.weight", config.vocab, config.hidden);
  collector.refuse_others();
  if (collector.error()) return tl::unexpected<Error>(*collector.error());

  auto loaded = backend.load(file, collector.tensors(), progress);
  if (!loaded) return pass_on(loaded);
  auto next = loaded->begin();
  const auto take = [&] { return std::move(*next++); };
  Weights weights;
  weights.embedding = take();
  for (std::int32_t i = 0; i < config.layers; ++i) {
    Layer& layer = weights.layers.emplace_back();
    for (auto* member : {&layer.attention_norm, &layer.query, &layer.key, &layer.value,
                         &layer.output, &layer.ffn_norm, &layer.gate, &layer.up, &layer.down}) {
      *member = take();
    }
  }
  weights.output_norm = take();
  if (untied) weights.untied_head = take();
  return weights;
}

}  // namespace notso::smollm3
