// What a device can do for a transformer, as a dozen fused verbs on views. The model's forward pass
// is written once over this interface; the CPU's kernels (and a GPU's) are behind it. Nothing here
// knows a particular model.
//
// Rows of many sequences share one step. A row's results never depend on which other rows are in
// the step, on how a prompt was cut into steps, or on the number of threads: every backend computes
// each row in one fixed order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ml/core/gguf/gguf.h"

namespace notso {

// Positions in one page of a KV cache. A sequence's positions 64 i .. 64 i + 63 live in its page i.
inline constexpr std::int32_t kKvPageTokens = 64;

// f32 rows in the backend's memory. Only the backend looks inside; a view is copied freely.
struct Rows {
  float* data = nullptr;
  std::int32_t count = 0;
  std::int32_t columns = 0;
  std::int32_t stride = 0;  // floats from one row to the next

  // The first `n` rows.
  [[nodiscard]] Rows first(std::int32_t n) const { return {data, n, columns, stride}; }
  // Columns [begin, begin + n) of every row.
  [[nodiscard]] Rows slice(std::int32_t begin, std::int32_t n) const {
    return {data + begin, count, n, stride};
  }
};

// A weight resident on the backend, in its own layout: a matrix, or a vector (one row).
class Matrix {
 public:
  virtual ~Matrix() = default;
  [[nodiscard]] std::int64_t rows() const { return rows_; }
  [[nodiscard]] std::int64_t columns() const { return columns_; }

 protected:
  Matrix(std::int64_t rows, std::int64_t columns) : rows_(rows), columns_(columns) {}

 private:
  std::int64_t rows_;
  std::int64_t columns_;
};

// Rows prepared as the input of a matrix product, in whatever form the backend's products want
// (int8 with scales, f32, ...). Made once for a number of columns and a highest count of rows.
class Activations {
 public:
  virtual ~Activations() = default;
};

// f32 memory of the backend.
class Buffer {
 public:
  virtual ~Buffer() = default;
  // The buffer as `count` rows of `columns` floats; it must hold as many.
  [[nodiscard]] virtual Rows rows(std::int32_t count, std::int32_t columns) = 0;
};

// Consecutive positions of one sequence, as rows of a step.
struct SequenceRows {
  std::span<std::byte* const>
      pages;  // the sequence's page table, long enough for its last position here
  std::int32_t first_position = 0;
  std::int32_t first_row = 0;
  std::int32_t row_count = 0;
};

// The rows of one step: which sequence and position each belongs to. Sequences cover the rows in
// order.
struct StepRows {
  std::span<const SequenceRows> sequences;
  std::int32_t row_count = 0;
};

// Rotary position encoding: row position p turns the pair (2 i, 2 i + 1) of every head by p *
// frequencies[i]; both are then multiplied by `magnitude` (YaRN's attention factor; 1 without).
struct Rope {
  std::vector<double> frequencies;  // [head_dim / 2]
  double magnitude = 1.0;
};

// The largest head dimension that backends take; head dimensions are multiples of 16.
inline constexpr std::int32_t kMaxHeadDim = 256;

// The shape of grouped-query attention.
struct AttentionShape {
  std::int32_t heads = 0;
  std::int32_t kv_heads = 0;
  std::int32_t head_dim = 0;
};

// Element types of the KV cache. kF16 means 16 bits an element in the backend's own half format.
enum class KvType : std::uint8_t { kF16, kQ8_0 };

// Where one layer's keys and values live inside a page: head h at `offset + h * head_bytes`. What
// is inside those bytes is the backend's own business.
struct KvSlot {
  std::size_t offset = 0;
  std::size_t head_bytes = 0;
};

// Reports done of total bytes; called from the loading thread.
using LoadProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// To be raised by every change of a kernel that changes the bits of any result: what was computed
// before it and kept on disk does not go with what is computed after.
inline constexpr int kArithmeticVersion = 2;

// A device. Verbs run to completion, cannot fail and do not allocate; they are called from one
// thread at a time.
class Backend {
 public:
  virtual ~Backend() = default;

  // One line for people: device, kernels, threads.
  [[nodiscard]] virtual std::string description() const = 0;

  // The kernels' name as NOTSO_CPU takes it, and the threads in use.
  [[nodiscard]] virtual std::string_view kernels() const = 0;
  [[nodiscard]] virtual int threads() const = 0;

  // Makes the tensors of `file` resident, in order. May pack them or map an earlier packing.
  [[nodiscard]] virtual Result<std::vector<std::unique_ptr<Matrix>>> load(
      std::shared_ptr<const GgufFile> file, std::span<const GgufTensor* const> tensors,
      const LoadProgress& progress) = 0;

  // Memory for a model's intermediate results.
  [[nodiscard]] virtual Result<std::unique_ptr<Buffer>> make_buffer(std::size_t floats) = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<Activations>> make_activations(
      std::int32_t max_rows, std::int32_t columns) = 0;

  // Bytes that the keys and values of one head take in one layer of one page.
  [[nodiscard]] virtual std::size_t kv_head_bytes(KvType type, std::int32_t head_dim) const = 0;

  // out[i] = row tokens[i] of `table`. Tokens are inside the table.
  virtual void embed(const Matrix& table, std::span<const std::int32_t> tokens, Rows out) = 0;

  // out[i] = in[rows[i]] (plain copies).
  virtual void gather(Rows in, std::span<const std::int32_t> rows, Rows out) = 0;

  // out = rms_norm(in) * weight, prepared for a product. weight: [columns].
  virtual void normalize(const Matrix& weight, float epsilon, Rows in, Activations& out) = 0;

  // out = in * w^T for each w, results side by side in the columns of `out`.
  virtual void project(std::span<const Matrix* const> weights, const Activations& in, Rows out) = 0;

  // sum += in * w^T.
  virtual void project_add(const Matrix& weight, const Activations& in, Rows sum) = 0;

  // out = silu(in * gate^T) * (in * up^T), prepared for a product.
  virtual void gate_up(const Matrix& gate, const Matrix& up, const Activations& in,
                       Activations& out) = 0;

  // Announces the rows that the verbs below work on until the next call, and the angles of their
  // positions.
  virtual void begin_step(const StepRows& step, const Rope& rope) = 0;

  // Turns the heads of `in` (queries or keys of the step's rows) by each row's position, in place.
  virtual void rotate(std::int32_t head_dim, Rows in) = 0;

  // Writes the rows' keys and values into their sequences' pages.
  virtual void append(const StepRows& step, const AttentionShape& shape, KvType type,
                      const KvSlot& slot, Rows keys, Rows values) = 0;

  // Causal attention of every row over its sequence up to and with its own position, prepared for a
  // product.
  virtual void attend(const StepRows& step, const AttentionShape& shape, KvType type,
                      const KvSlot& slot, Rows queries, Activations& out) = 0;

  // Copies rows to the host's memory: out is count * columns floats.
  virtual void read(Rows in, std::span<float> out) = 0;
};

}  // namespace notso
