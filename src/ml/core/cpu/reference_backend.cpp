// The forward pass in f32 with dequantised weights: as plain as possible, because it is what
// everything else is measured against. Each weight row is dequantised once a product and multiplied
// with all rows of the step. Sums are double, so that the reference's own rounding does not count.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/thread_pool.h"
#include "ml/core/cpu/cpu_backend.h"
#include "ml/core/quant/quantize.h"

namespace notso {
namespace {

// The tensor as it is in the file; the file stays open for it.
class ReferenceMatrix : public Matrix {
 public:
  ReferenceMatrix(std::shared_ptr<const GgufFile> owner, const GgufTensor& source)
      : Matrix(static_cast<std::int64_t>(source.rows()),
               static_cast<std::int64_t>(source.columns())),
        file(std::move(owner)),
        tensor(source) {}

  // out[columns] = one row's weights.
  void row(std::int64_t index, std::span<float> out) const {
    const std::size_t bytes = dtype_bytes(tensor.type, static_cast<std::size_t>(columns()));
    dequantize(tensor.type, tensor.data.subspan(static_cast<std::size_t>(index) * bytes, bytes),
               out);
  }

  std::shared_ptr<const GgufFile> file;
  const GgufTensor& tensor;
};

const ReferenceMatrix& reference(const Matrix& matrix) {
  return static_cast<const ReferenceMatrix&>(matrix);
}

class ReferenceBuffer : public Buffer {
 public:
  explicit ReferenceBuffer(std::size_t floats) : memory(floats) {}
  Rows rows(std::int32_t count, std::int32_t columns) override {
    NOTSO_CHECK(static_cast<std::size_t>(count) * static_cast<std::size_t>(columns) <=
                memory.size());
    return {memory.data(), count, columns, columns};
  }
  std::vector<float> memory;
};

// Prepared rows are plain f32 rows here.
class ReferenceActivations : public Activations {
 public:
  std::vector<float> memory;
  std::int32_t rows = 0;
  std::int32_t columns = 0;
  [[nodiscard]] float* row(std::int64_t i) { return memory.data() + i * columns; }
  [[nodiscard]] const float* row(std::int64_t i) const { return memory.data() + i * columns; }
};

ReferenceActivations& reference(Activations& x) { return static_cast<ReferenceActivations&>(x); }
const ReferenceActivations& reference(const Activations& x) {
  return static_cast<const ReferenceActivations&>(x);
}

// Sixteen partial sums keep the order fixed and let the compiler use whatever registers there are.
float dot(const float* a, const float* b, std::int64_t count) {
  std::array<float, 16> partial{};
  std::int64_t i = 0;
  double sum = 0.0;
  while (i + 16 <= count) {
    partial.fill(0.0F);
    for (const std::int64_t end = std::min(count / 16 * 16, i + 256); i < end; i += 16) {
      for (std::size_t k = 0; k < 16; ++k) {
        const auto at = i + static_cast<std::int64_t>(k);
        partial[k] += a[at] * b[at];
      }
    }
    for (const float x : partial) sum += static_cast<double>(x);
  }
  for (; i < count; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return static_cast<float>(sum);
}

class ReferenceBackend : public Backend {
 public:
  explicit ReferenceBackend(int threads) : pool_(threads) {}

  std::string description() const override {
    return "CPU, f32 reference, " + std::to_string(pool_.size()) +
           (pool_.size() == 1 ? " thread" : " threads");
  }

  std::string_view kernels() const override { return "reference"; }
  int threads() const override { return pool_.size(); }

  Result<std::vector<std::unique_ptr<Matrix>>> load(std::shared_ptr<const GgufFile> file,
                                                    std::span<const GgufTensor* const> tensors,
                                                    const LoadProgress& /*progress*/) override {
    std::vector<std::unique_ptr<Matrix>> result;
    for (const GgufTensor* tensor : tensors) {
      result.push_back(std::make_unique<ReferenceMatrix>(file, *tensor));
    }
    return result;
  }

  Result<std::unique_ptr<Buffer>> make_buffer(std::size_t floats) override {
    return std::make_unique<ReferenceBuffer>(floats);
  }

  Result<std::unique_ptr<Activations>> make_activations(std::int32_t max_rows,
                                                        std::int32_t columns) override {
    auto made = std::make_unique<ReferenceActivations>();
    made->columns = columns;
    made->memory.resize(static_cast<std::size_t>(max_rows) * static_cast<std::size_t>(columns));
    return made;
  }

  // Keys and values are f32 whatever the type asked for.
  std::size_t kv_head_bytes(KvType /*type*/, std::int32_t head_dim) const override {
    return 2 * sizeof(float) * kKvPageTokens * static_cast<std::size_t>(head_dim);
  }

  void embed(const Matrix& table, std::span<const std::int32_t> tokens, Rows out) override {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      reference(table).row(tokens[i], {out.data + static_cast<std::int64_t>(i) * out.stride,
                                       static_cast<std::size_t>(out.columns)});
    }
  }

  void gather(Rows in, std::span<const std::int32_t> rows, Rows out) override {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      std::copy_n(in.data + std::int64_t{rows[i]} * in.stride, in.columns,
                  out.data + static_cast<std::int64_t>(i) * out.stride);
    }
  }

  void normalize(const Matrix& weight, float epsilon, Rows in, Activations& out) override {
    ReferenceActivations& to = reference(out);
    to.rows = in.count;
    std::vector<float> weights(static_cast<std::size_t>(in.columns));
    reference(weight).row(0, weights);
    for (std::int64_t i = 0; i < in.count; ++i) {
      const float* row = in.data + i * in.stride;
      double squares = 0.0;
      for (std::int32_t c = 0; c < in.columns; ++c) squares += double{row[c]} * double{row[c]};
      const double scale = 1.0 / std::sqrt(squares / in.columns + double{epsilon});
      for (std::int32_t c = 0; c < in.columns; ++c) {
        to.row(i)[c] =
            static_cast<float>(double{row[c]} * scale) * weights[static_cast<std::size_t>(c)];
      }
    }
  }

  void project(std::span<const Matrix* const> weights, const Activations& in, Rows out) override {
    std::int32_t column = 0;
    for (const Matrix* weight : weights) {
      const auto rows = static_cast<std::int32_t>(weight->rows());
      multiply(*weight, in, out.slice(column, rows), false);
      column += rows;
    }
  }

  void project_add(const Matrix& weight, const Activations& in, Rows sum) override {
    multiply(weight, in, sum, true);
  }

  void gate_up(const Matrix& gate, const Matrix& up, const Activations& in,
               Activations& out) override {
    ReferenceActivations& to = reference(out);
    to.rows = reference(in).rows;
    std::vector<float> ups(to.memory.size());
    multiply(gate, in, {to.memory.data(), to.rows, to.columns, to.columns}, false);
    multiply(up, in, {ups.data(), to.rows, to.columns, to.columns}, false);
    for (std::size_t i = 0;
         i < static_cast<std::size_t>(to.rows) * static_cast<std::size_t>(to.columns); ++i) {
      const double g = double{to.memory[i]};
      to.memory[i] = static_cast<float>(g / (1.0 + std::exp(-g)) * double{ups[i]});
    }
  }

  void begin_step(const StepRows& step, const Rope& rope) override {
    rope_ = rope;
    positions_.resize(static_cast<std::size_t>(step.row_count));
    for (const SequenceRows& sequence : step.sequences) {
      for (std::int32_t i = 0; i < sequence.row_count; ++i) {
        const auto row = static_cast<std::size_t>(sequence.first_row) + static_cast<std::size_t>(i);
        positions_[row] = sequence.first_position + i;
      }
    }
  }

  void rotate(std::int32_t head_dim, Rows in) override {
    for (std::int64_t i = 0; i < in.count; ++i) {
      for (std::int32_t head = 0; head < in.columns; head += head_dim) {
        float* row = in.data + i * in.stride + head;
        for (std::size_t k = 0; k < rope_.frequencies.size(); ++k) {
          const double angle = positions_[static_cast<std::size_t>(i)] * rope_.frequencies[k];
          const double cosine = std::cos(angle) * rope_.magnitude;
          const double sine = std::sin(angle) * rope_.magnitude;
          const double x = double{row[2 * k]};
          const double y = double{row[2 * k + 1]};
          row[2 * k] = static_cast<float>(x * cosine - y * sine);
          row[2 * k + 1] = static_cast<float>(x * sine + y * cosine);
        }
      }
    }
  }

  void append(const StepRows& step, const AttentionShape& shape, KvType /*type*/,
              const KvSlot& slot, Rows keys, Rows values) override {
    for (const SequenceRows& sequence : step.sequences) {
      for (std::int32_t i = 0; i < sequence.row_count; ++i) {
        const std::int64_t row = sequence.first_row + i;
        for (std::int32_t head = 0; head < shape.kv_heads; ++head) {
          const Entry entry = entry_of(sequence, sequence.first_position + i, shape, slot, head);
          std::copy_n(keys.data + row * keys.stride + head * shape.head_dim, shape.head_dim,
                      entry.key);
          std::copy_n(values.data + row * values.stride + head * shape.head_dim, shape.head_dim,
                      entry.value);
        }
      }
    }
  }

  void attend(const StepRows& step, const AttentionShape& shape, KvType /*type*/,
              const KvSlot& slot, Rows queries, Activations& out) override {
    ReferenceActivations& to = reference(out);
    to.rows = step.row_count;
    for (const SequenceRows& sequence : step.sequences) {
      pool_.run(std::int64_t{sequence.row_count} * shape.heads, [&](std::int64_t task, int) {
        const auto i = static_cast<std::int32_t>(task / shape.heads);
        const auto head = static_cast<std::int32_t>(task % shape.heads);
        const std::int64_t row = sequence.first_row + i;
        attend_one(sequence, sequence.first_position + i, shape, slot, head,
                   queries.data + row * queries.stride + head * shape.head_dim,
                   to.row(row) + head * shape.head_dim);
      });
    }
  }

  void read(Rows in, std::span<float> out) override {
    for (std::int32_t i = 0; i < in.count; ++i) {
      std::copy_n(in.data + std::int64_t{i} * in.stride, in.columns,
                  out.data() + std::int64_t{i} * in.columns);
    }
  }

 private:
  // One token's key and value of one head.
  struct Entry {
    float* key;
    float* value;
  };

  static Entry entry_of(const SequenceRows& sequence, std::int32_t position,
                        const AttentionShape& shape, const KvSlot& slot, std::int32_t head) {
    std::byte* page = sequence.pages[static_cast<std::size_t>(position / kKvPageTokens)];
    auto* base = reinterpret_cast<float*>(page + slot.offset +
                                          static_cast<std::size_t>(head) * slot.head_bytes);
    float* key = base + std::ptrdiff_t{position % kKvPageTokens} * shape.head_dim;
    return {key, key + std::ptrdiff_t{kKvPageTokens} * shape.head_dim};
  }

  static void attend_one(const SequenceRows& sequence, std::int32_t position,
                         const AttentionShape& shape, const KvSlot& slot, std::int32_t head,
                         const float* query, float* out) {
    const std::int32_t kv_head = head / (shape.heads / shape.kv_heads);
    std::vector<double> weights(static_cast<std::size_t>(position) + 1);
    double top = -1e300;
    for (std::int32_t p = 0; p <= position; ++p) {
      const float* key = entry_of(sequence, p, shape, slot, kv_head).key;
      double score = 0.0;
      for (std::int32_t d = 0; d < shape.head_dim; ++d) score += double{key[d]} * double{query[d]};
      weights[static_cast<std::size_t>(p)] = score / std::sqrt(double(shape.head_dim));
      top = std::max(top, weights[static_cast<std::size_t>(p)]);
    }
    std::vector<double> sum(static_cast<std::size_t>(shape.head_dim));
    double total = 0.0;
    for (std::int32_t p = 0; p <= position; ++p) {
      const double weight = std::exp(weights[static_cast<std::size_t>(p)] - top);
      const float* value = entry_of(sequence, p, shape, slot, kv_head).value;
      for (std::size_t d = 0; d < sum.size(); ++d) sum[d] += weight * double{value[d]};
      total += weight;
    }
    for (std::size_t d = 0; d < sum.size(); ++d) out[d] = static_cast<float>(sum[d] / total);
  }

  // out (+)= in * weight^T.
  void multiply(const Matrix& weight, const Activations& in, Rows out, bool add) {
    const ReferenceActivations& from = reference(in);
    constexpr std::int64_t kRowsAtOnce = 16;
    const std::int64_t rows = weight.rows();
    pool_.run((rows + kRowsAtOnce - 1) / kRowsAtOnce, [&](std::int64_t chunk, int) {
      std::vector<float> weights(static_cast<std::size_t>(weight.columns()));
      const std::int64_t end = std::min(rows, (chunk + 1) * kRowsAtOnce);
      for (std::int64_t r = chunk * kRowsAtOnce; r < end; ++r) {
        reference(weight).row(r, weights);
        for (std::int64_t i = 0; i < from.rows; ++i) {
          float& to = out.data[i * out.stride + r];
          const float value = dot(weights.data(), from.row(i), weight.columns());
          to = add ? to + value : value;
        }
      }
    });
  }

  ThreadPool pool_;
  Rope rope_;
  std::vector<std::int32_t> positions_;
};

}  // namespace

std::unique_ptr<Backend> make_reference_backend(int threads) {
  return std::make_unique<ReferenceBackend>(threads);
}

}  // namespace notso
