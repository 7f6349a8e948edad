// Divides each verb into chunks for the thread pool. A chunk is a few panels times all tiles of the
// step, so that weights are read from memory once and stay in the second-level cache while the
// tiles go by.

#include "ml/core/cpu/cpu_backend.h"

#include <algorithm>
#include <cmath>
#include <sys/mman.h>

#include "base/bytes_text.h"
#include "base/check.h"
#include "base/machine_share.h"
#include "base/thread_pool.h"
#include "ml/core/cpu/kernel_table.h"
#include "ml/core/cpu/pack.h"
#include "ml/core/cpu/packed_store.h"
#include "ml/core/quant/quantize.h"

namespace notso {
namespace {

constexpr int kMaxThreads = 256;

// Memory for kernels, aligned and zero. Straight from the system, which provides pages as they are
// touched: a short prompt does not pay for the rows of a long one. Huge ones where it is large,
// since kernels walk through activations once for every few panels of weights.
template <class T>
class AlignedArray {
 public:
  static Result<AlignedArray> make(std::size_t count) {
    AlignedArray array;
    if (count == 0) return array;
    const std::size_t bytes = count * sizeof(T);
    void* memory =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
      return fail(ErrorCode::kResourceExhausted,
                  "not enough memory for " + bytes_text(bytes) +
                      " of intermediate results; use a smaller batch or free memory");
    }
    ::madvise(memory, bytes, MADV_HUGEPAGE);
    array.data_ = {static_cast<T*>(memory), Unmap{bytes}};
    array.count_ = count;
    return array;
  }
  [[nodiscard]] T* data() const { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return count_; }

 private:
  struct Unmap {
    std::size_t bytes = 0;
    void operator()(T* pointer) const { ::munmap(pointer, bytes); }
  };
  std::unique_ptr<T, Unmap> data_;
  std::size_t count_ = 0;
};

// A vector (norm weights) or a matrix in panels that the store keeps.
class CpuMatrix : public Matrix {
 public:
  CpuMatrix(std::int64_t rows, std::int64_t columns, PanelView view)
      : Matrix(rows, columns), panels(view) {}
  explicit CpuMatrix(std::vector<float> values)
      : Matrix(1, static_cast<std::int64_t>(values.size())), vector(std::move(values)) {}

  PanelView panels;
  std::vector<float> vector;
};

const CpuMatrix& cpu(const Matrix& matrix) { return static_cast<const CpuMatrix&>(matrix); }

class CpuBuffer : public Buffer {
 public:
  explicit CpuBuffer(AlignedArray<float> memory) : memory_(std::move(memory)) {}
  Rows rows(std::int32_t count, std::int32_t columns) override {
    NOTSO_CHECK(static_cast<std::size_t>(count) * static_cast<std::size_t>(columns) <=
                memory_.size());
    return {memory_.data(), count, columns, columns};
  }

 private:
  AlignedArray<float> memory_;
};

// Prepared rows in tiles of four; the last tile may hold fewer. A tile is filled by one thread: its
// rows share cache lines.
class CpuActivations : public Activations {
 public:
  std::int32_t columns = 0;
  std::int32_t blocks = 0;
  std::int32_t rows = 0;  // as last prepared
  AlignedArray<std::int8_t> q;
  AlignedArray<std::int32_t> meta;
  AlignedArray<float> values;

  [[nodiscard]] std::int32_t tile_count() const { return (rows + kTileRows - 1) / kTileRows; }

  [[nodiscard]] std::int32_t tile_rows(std::int32_t tile) const {
    return std::min(kTileRows, rows - tile * kTileRows);
  }

  [[nodiscard]] TileView tile(std::int32_t index) const {
    const Place place = place_of(index);
    return {place.q, place.meta, place.values, tile_rows(index)};
  }

  [[nodiscard]] TileRow row(std::int32_t index) const {
    const Place place = place_of(index / kTileRows);
    return {place.q, place.meta, place.values, tile_rows(index / kTileRows), index % kTileRows};
  }

 private:
  struct Place {
    std::int8_t* q;
    std::int32_t* meta;
    float* values;
  };
  [[nodiscard]] Place place_of(std::int32_t tile) const {
    const std::size_t before =
        static_cast<std::size_t>(tile) * kTileRows * static_cast<std::size_t>(blocks);
    return {q.data() + before * kBlockColumns, meta.data() + before * TileMeta::kWords,
            values.size() == 0 ? nullptr : values.data() + before * kBlockColumns};
  }
};

CpuActivations& cpu(Activations& activations) { return static_cast<CpuActivations&>(activations); }
const CpuActivations& cpu(const Activations& activations) {
  return static_cast<const CpuActivations&>(activations);
}

class CpuBackend : public Backend {
 public:
  CpuBackend(const KernelTable& table, int threads, std::string cache_folder)
      : table_(table), pool_(threads), cache_folder_(std::move(cache_folder)) {}

  std::string description() const override {
    std::string text = "CPU, " + std::string(table_.name) + " kernels, " +
                       std::to_string(pool_.size()) + (pool_.size() == 1 ? " thread" : " threads");
    for (const auto& store : stores_) {
      if (!store->note().empty()) text += "; " + store->note();
    }
    return text;
  }

  std::string_view kernels() const override { return table_.name; }
  int threads() const override { return pool_.size(); }

  Result<std::vector<std::unique_ptr<Matrix>>> load(std::shared_ptr<const GgufFile> file,
                                                    std::span<const GgufTensor* const> tensors,
                                                    const LoadProgress& progress) override;
  Result<std::unique_ptr<Buffer>> make_buffer(std::size_t floats) override;
  Result<std::unique_ptr<Activations>> make_activations(std::int32_t max_rows,
                                                        std::int32_t columns) override;
  std::size_t kv_head_bytes(KvType type, std::int32_t head_dim) const override {
    return table_.kv_head_bytes(type, head_dim);
  }
  void embed(const Matrix& table, std::span<const std::int32_t> tokens, Rows out) override;
  void gather(Rows in, std::span<const std::int32_t> rows, Rows out) override;
  void normalize(const Matrix& weight, float epsilon, Rows in, Activations& out) override;
  void project(std::span<const Matrix* const> weights, const Activations& in, Rows out) override;
  void project_add(const Matrix& weight, const Activations& in, Rows sum) override;
  void gate_up(const Matrix& gate, const Matrix& up, const Activations& in,
               Activations& out) override;
  void begin_step(const StepRows& step, const Rope& rope) override;
  void rotate(std::int32_t head_dim, Rows in) override;
  void append(const StepRows& step, const AttentionShape& shape, KvType type, const KvSlot& slot,
              Rows keys, Rows values) override;
  void attend(const StepRows& step, const AttentionShape& shape, KvType type, const KvSlot& slot,
              Rows queries, Activations& out) override;
  void read(Rows in, std::span<float> out) override;

 private:
  // Up to kAttendRows rows of one sequence.
  struct RowTile {
    const SequenceRows* sequence;
    std::int32_t first;  // within the sequence's rows
    std::int32_t count;
  };

  void multiply(const PanelView& weights, const CpuActivations& in, float* out, std::int64_t stride,
                bool add, std::int64_t first, std::int64_t count) const;
  [[nodiscard]] static std::int64_t strips_at_once(const PanelView& weights, std::int32_t rows,
                                                   std::size_t matrices);
  void quantize_rows(const float* in, std::int32_t stride, CpuActivations& out);
  void store_token(const SequenceRows& sequence, std::int32_t position, const AttentionShape& shape,
                   KvType type, const KvSlot& slot, Rows keys, Rows values) const;
  void attend_tile(const RowTile& tile, const AttentionShape& shape, KvType type,
                   const KvSlot& slot, std::int32_t kv_head, std::int32_t first_query,
                   Rows queries) const;
  Status grow(AlignedArray<float>& array, std::size_t count) const;

  const KernelTable& table_;
  ThreadPool pool_;
  std::string cache_folder_;
  std::vector<std::unique_ptr<PackedStore>> stores_;
  bool float_weights_ = false;

  AlignedArray<float> staging_;  // f32 rows on their way into Activations
  AlignedArray<float> scratch_;  // [threads][scratch_floats_]
  std::size_t scratch_floats_ = 0;
  AlignedArray<float> turns_;  // [rows][head_dim / 2][cos, sin]
  std::int32_t turn_pairs_ = 0;
  std::vector<RowTile> row_tiles_;  // reserved for the largest step
};

bool is_float(DType type) {
  return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16;
}

Result<std::vector<std::unique_ptr<Matrix>>> CpuBackend::load(
    std::shared_ptr<const GgufFile> file, std::span<const GgufTensor* const> tensors,
    const LoadProgress& progress) {
  std::vector<const GgufTensor*> matrices;
  for (const GgufTensor* tensor : tensors) {
    if (tensor->shape.size() > 1) matrices.push_back(tensor);
  }
  auto store = PackedStore::open(*file, matrices, cache_folder_, pool_, progress);
  if (!store) return pass_on(store);
  std::vector<std::unique_ptr<Matrix>> result;
  std::size_t next = 0;
  for (const GgufTensor* tensor : tensors) {
    if (tensor->shape.size() > 1) {
      const PanelView& view = (*store)->view(next++);
      float_weights_ = float_weights_ || is_float(view.type);
      result.push_back(std::make_unique<CpuMatrix>(
          view.rows, static_cast<std::int64_t>(tensor->columns()), view));
      continue;
    }
    std::vector<float> values(static_cast<std::size_t>(tensor->columns()));
    const auto read =
        guard_mapped_reads(file->path(), [&] { dequantize(tensor->type, tensor->data, values); });
    if (!read) return tl::unexpected<Error>(read.error());
    result.push_back(std::make_unique<CpuMatrix>(std::move(values)));
  }
  stores_.push_back(std::move(*store));
  return result;
}

Status CpuBackend::grow(AlignedArray<float>& array, std::size_t count) const {
  if (array.size() >= count) return {};
  auto larger = AlignedArray<float>::make(count);
  if (!larger) return pass_on(larger);
  array = std::move(*larger);
  return {};
}

Result<std::unique_ptr<Buffer>> CpuBackend::make_buffer(std::size_t floats) {
  auto memory = AlignedArray<float>::make(floats);
  if (!memory) return pass_on(memory);
  return std::make_unique<CpuBuffer>(std::move(*memory));
}

Result<std::unique_ptr<Activations>> CpuBackend::make_activations(std::int32_t max_rows,
                                                                  std::int32_t columns) {
  auto made = std::make_unique<CpuActivations>();
  made->columns = columns;
  made->blocks = (columns + kBlockColumns - 1) / kBlockColumns;
  const auto tiles = static_cast<std::size_t>((max_rows + kTileRows - 1) / kTileRows);
  const std::size_t row_blocks = tiles * kTileRows * static_cast<std::size_t>(made->blocks);
  auto q = AlignedArray<std::int8_t>::make(row_blocks * kBlockColumns);
  if (!q) return pass_on(q);
  made->q = std::move(*q);
  auto meta = AlignedArray<std::int32_t>::make(row_blocks * TileMeta::kWords);
  if (!meta) return pass_on(meta);
  made->meta = std::move(*meta);
  if (float_weights_) {
    auto values = AlignedArray<float>::make(row_blocks * kBlockColumns);
    if (!values) return pass_on(values);
    made->values = std::move(*values);
  }
  const auto rows = static_cast<std::size_t>(max_rows);
  if (auto grown = grow(staging_, rows * static_cast<std::size_t>(columns)); !grown) {
    return pass_on(grown);
  }
  // A thread's scratch holds a normalised row, or four rows of a chunk of `up`.
  const auto chunk = static_cast<std::size_t>(columns + kPanelRows) * kTileRows;
  scratch_floats_ = std::max(scratch_floats_, chunk);
  const auto threads = static_cast<std::size_t>(pool_.size());
  if (auto grown = grow(scratch_, threads * scratch_floats_); !grown) return pass_on(grown);
  if (auto grown = grow(turns_, rows * kMaxHeadDim); !grown) return pass_on(grown);
  row_tiles_.reserve(std::max(row_tiles_.capacity(), rows));
  return made;
}

void CpuBackend::embed(const Matrix& table, std::span<const std::int32_t> tokens, Rows out) {
  const CpuMatrix& matrix = cpu(table);
  pool_.run(static_cast<std::int64_t>(tokens.size()), [&](std::int64_t i, int) {
    unpack_row(matrix.panels, tokens[static_cast<std::size_t>(i)],
               {out.data + i * out.stride, static_cast<std::size_t>(out.columns)});
  });
}

void CpuBackend::gather(Rows in, std::span<const std::int32_t> rows, Rows out) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::copy_n(in.data + std::int64_t{rows[i]} * in.stride, in.columns,
                out.data + static_cast<std::int64_t>(i) * out.stride);
  }
}

void CpuBackend::normalize(const Matrix& weight, float epsilon, Rows in, Activations& out) {
  CpuActivations& to = cpu(out);
  to.rows = in.count;
  const float* weights = cpu(weight).vector.data();
  pool_.run(to.tile_count(), [&](std::int64_t tile, int thread) {
    float* row = scratch_.data() + static_cast<std::size_t>(thread) * scratch_floats_;
    for (std::int32_t i = 0; i < to.tile_rows(static_cast<std::int32_t>(tile)); ++i) {
      const auto index = static_cast<std::int32_t>(tile * kTileRows + i);
      table_.rms_norm(in.data + std::int64_t{index} * in.stride, weights, epsilon, in.columns, row);
      table_.quantize(row, in.columns, to.row(index));
    }
  });
}

void CpuBackend::quantize_rows(const float* in, std::int32_t stride, CpuActivations& out) {
  pool_.run(out.tile_count(), [&](std::int64_t tile, int) {
    for (std::int32_t i = 0; i < out.tile_rows(static_cast<std::int32_t>(tile)); ++i) {
      const auto index = static_cast<std::int32_t>(tile * kTileRows + i);
      table_.quantize(in + std::int64_t{index} * stride, out.columns, out.row(index));
    }
  });
}

// How many strips a thread may take at once. Where several tiles go by, so many as fit the
// second-level cache beside one. A single tile reads weights only once, from memory, which pays to
// do in runs as long as can be.
std::int64_t CpuBackend::strips_at_once(const PanelView& weights, std::int32_t rows,
                                        std::size_t matrices) {
  constexpr std::size_t kCacheBytes = 448U << 10;
  if (rows <= kTileRows) return strip_count(weights.rows);
  const std::size_t strip_bytes = kStripPanels * weights.panel_bytes * matrices;
  return static_cast<std::int64_t>(std::max<std::size_t>(kCacheBytes / strip_bytes, 1));
}

// out[row][..] (+)= strips [first, first + count) of the weights for all rows. `out` is where the
// matrix's first row goes.
void CpuBackend::multiply(const PanelView& weights, const CpuActivations& in, float* out,
                          std::int64_t stride, bool add, std::int64_t first,
                          std::int64_t count) const {
  const std::int64_t panel = first * kStripPanels;
  const std::int64_t panels = (weights.rows + kPanelRows - 1) / kPanelRows;
  const auto taken = static_cast<std::int32_t>(std::min(count * kStripPanels, panels - panel));
  float* to = out + panel * kPanelRows;
  for (std::int32_t t = 0; t < in.tile_count(); ++t) {
    table_.matmul(weights, panel, taken, in.tile(t), to + t * kTileRows * stride, stride, add);
  }
}

void CpuBackend::project(std::span<const Matrix* const> weights, const Activations& in, Rows out) {
  const CpuActivations& from = cpu(in);
  std::int64_t strips = 0;
  std::int64_t most = 0;
  for (const Matrix* weight : weights) {
    const PanelView& view = cpu(*weight).panels;
    strips += strip_count(view.rows);
    most = std::max(most, strips_at_once(view, from.rows, 1));
  }
  pool_.run_ranges(strips, most, [&](std::int64_t first, std::int64_t count, int) {
    std::int64_t before = 0;  // strips of the matrices that were passed
    float* to = out.data;
    for (const Matrix* weight : weights) {
      const PanelView& view = cpu(*weight).panels;
      const std::int64_t own = strip_count(view.rows);
      const std::int64_t low = std::max<std::int64_t>(first - before, 0);
      const std::int64_t high = std::min(first + count - before, own);
      if (low < high) multiply(view, from, to, out.stride, false, low, high - low);
      before += own;
      to += view.rows;
    }
  });
}

void CpuBackend::project_add(const Matrix& weight, const Activations& in, Rows sum) {
  const CpuActivations& from = cpu(in);
  const PanelView& view = cpu(weight).panels;
  pool_.run_ranges(strip_count(view.rows), strips_at_once(view, from.rows, 1),
                   [&](std::int64_t first, std::int64_t count, int) {
                     multiply(view, from, sum.data, sum.stride, true, first, count);
                   });
}

void CpuBackend::gate_up(const Matrix& gate, const Matrix& up, const Activations& in,
                         Activations& out) {
  const CpuActivations& from = cpu(in);
  CpuActivations& to = cpu(out);
  to.rows = from.rows;
  const PanelView& gates = cpu(gate).panels;
  const PanelView& ups = cpu(up).panels;
  const std::int64_t stride = to.columns;
  const auto chunk = [&](std::int64_t first, std::int64_t count, int thread) {
    constexpr std::int64_t kStripRows = kStripPanels * kPanelRows;
    float* scratch = scratch_.data() + static_cast<std::size_t>(thread) * scratch_floats_;
    const std::int64_t row = first * kStripRows;
    const auto width = static_cast<std::int32_t>(std::min(count * kStripRows, gates.rows - row));
    const std::int32_t panels = (width + kPanelRows - 1) / kPanelRows;
    for (std::int32_t t = 0; t < from.tile_count(); ++t) {
      const TileView tile = from.tile(t);
      float* hidden = staging_.data() + std::int64_t{t} * kTileRows * stride + row;
      table_.matmul(gates, first * kStripPanels, panels, tile, hidden, stride, false);
      table_.matmul(ups, first * kStripPanels, panels, tile, scratch, width, false);
      for (std::int32_t r = 0; r < tile.rows; ++r) {
        table_.silu_mul(hidden + r * stride, scratch + r * width, width);
      }
    }
  };
  pool_.run_ranges(strip_count(gates.rows), strips_at_once(gates, from.rows, 2), chunk);
  quantize_rows(staging_.data(), to.columns, to);
}

void CpuBackend::begin_step(const StepRows& step, const Rope& rope) {
  turn_pairs_ = static_cast<std::int32_t>(rope.frequencies.size());
  for (const SequenceRows& sequence : step.sequences) {
    pool_.run(sequence.row_count, [&](std::int64_t i, int) {
      float* to = turns_.data() + (sequence.first_row + i) * 2 * turn_pairs_;
      const auto position = static_cast<double>(sequence.first_position + i);
      for (const double frequency : rope.frequencies) {
        const double angle = position * frequency;
        *to++ = static_cast<float>(std::cos(angle) * rope.magnitude);
        *to++ = static_cast<float>(std::sin(angle) * rope.magnitude);
      }
    });
  }
}

void CpuBackend::rotate(std::int32_t head_dim, Rows in) {
  pool_.run(in.count, [&](std::int64_t i, int) {
    float* row = in.data + i * in.stride;
    const float* turns = turns_.data() + i * 2 * turn_pairs_;
    for (std::int32_t head = 0; head < in.columns; head += head_dim) {
      for (std::int32_t k = 0; k < 2 * turn_pairs_; k += 2) {
        const float x = row[head + k];
        const float y = row[head + k + 1];
        row[head + k] = x * turns[k] - y * turns[k + 1];
        row[head + k + 1] = x * turns[k + 1] + y * turns[k];
      }
    }
  });
}

void CpuBackend::append(const StepRows& step, const AttentionShape& shape, KvType type,
                        const KvSlot& slot, Rows keys, Rows values) {
  // Tokens of one group of 16 share cache lines, so one thread stores them.
  constexpr std::int32_t kGroup = 16;
  for (const SequenceRows& sequence : step.sequences) {
    const std::int32_t first_group = sequence.first_position / kGroup;
    const std::int32_t end = sequence.first_position + sequence.row_count;
    pool_.run((end + kGroup - 1) / kGroup - first_group, [&](std::int64_t group, int) {
      const auto low = static_cast<std::int32_t>((first_group + group) * kGroup);
      const std::int32_t stop = std::min(low + kGroup, end);
      for (std::int32_t p = std::max(low, sequence.first_position); p < stop; ++p) {
        store_token(sequence, p, shape, type, slot, keys, values);
      }
    });
  }
}

void CpuBackend::store_token(const SequenceRows& sequence, std::int32_t position,
                             const AttentionShape& shape, KvType type, const KvSlot& slot,
                             Rows keys, Rows values) const {
  const std::int64_t row = sequence.first_row + position - sequence.first_position;
  std::byte* page = sequence.pages[static_cast<std::size_t>(position / kKvPageTokens)];
  for (std::int32_t head = 0; head < shape.kv_heads; ++head) {
    table_.kv_store(type, page + slot.offset + static_cast<std::size_t>(head) * slot.head_bytes,
                    position % kKvPageTokens, shape.head_dim,
                    keys.data + row * keys.stride + head * shape.head_dim,
                    values.data + row * values.stride + head * shape.head_dim);
  }
}

void CpuBackend::attend_tile(const RowTile& tile, const AttentionShape& shape, KvType type,
                             const KvSlot& slot, std::int32_t kv_head, std::int32_t first_query,
                             Rows queries) const {
  const std::int32_t group = shape.heads / shape.kv_heads;
  const std::int32_t column = (kv_head * group + first_query) * shape.head_dim;
  AttentionRow rows[kAttendRows];
  for (std::int32_t i = 0; i < tile.count; ++i) {
    const std::int64_t row = tile.sequence->first_row + tile.first + i;
    rows[i].pages = tile.sequence->pages.data();
    rows[i].head_offset = slot.offset + static_cast<std::size_t>(kv_head) * slot.head_bytes;
    rows[i].position = tile.sequence->first_position + tile.first + i;
    rows[i].queries = std::min(kMaxQueries, group - first_query);
    rows[i].head_dim = shape.head_dim;
    rows[i].query = queries.data + row * queries.stride + column;
    rows[i].out = staging_.data() + row * shape.heads * shape.head_dim + column;
  }
  table_.attend(type, rows, tile.count);
}

void CpuBackend::attend(const StepRows& step, const AttentionShape& shape, KvType type,
                        const KvSlot& slot, Rows queries, Activations& out) {
  row_tiles_.clear();
  for (const SequenceRows& sequence : step.sequences) {
    for (std::int32_t first = 0; first < sequence.row_count; first += kAttendRows) {
      row_tiles_.push_back({&sequence, first, std::min(kAttendRows, sequence.row_count - first)});
    }
  }
  const std::int32_t group = shape.heads / shape.kv_heads;
  const std::int64_t parts = (group + kMaxQueries - 1) / kMaxQueries;
  const auto tiles = static_cast<std::int64_t>(row_tiles_.size());
  // Later tiles of a prompt see more positions, so they go first.
  pool_.run(tiles * shape.kv_heads * parts, [&](std::int64_t task, int) {
    const std::int64_t tile = tiles - 1 - task / (shape.kv_heads * parts);
    const auto rest = static_cast<std::int32_t>(task % (shape.kv_heads * parts));
    const auto part = static_cast<std::int32_t>(rest % parts);
    attend_tile(row_tiles_[static_cast<std::size_t>(tile)], shape, type, slot,
                static_cast<std::int32_t>(rest / parts), part * kMaxQueries, queries);
  });
  CpuActivations& to = cpu(out);
  to.rows = step.row_count;
  quantize_rows(staging_.data(), to.columns, to);
}

void CpuBackend::read(Rows in, std::span<float> out) {
  for (std::int32_t i = 0; i < in.count; ++i) {
    std::copy_n(in.data + std::int64_t{i} * in.stride, in.columns,
                out.data() + std::int64_t{i} * in.columns);
  }
}

}  // namespace

Result<std::unique_ptr<Backend>> make_cpu_backend(const CpuOptions& options) {
  if (options.threads < 0 || options.threads > kMaxThreads) {
    return fail(ErrorCode::kInvalidArgument, "threads must be 0 (one a core) to " +
                                                 std::to_string(kMaxThreads) + ", not " +
                                                 std::to_string(options.threads));
  }
  const int threads = options.threads == 0 ? physical_core_count() : options.threads;
  if (options.table == "reference") return make_reference_backend(threads);
  auto table = choose_kernel_table(options.table);
  if (!table) return pass_on(table);
  return std::make_unique<CpuBackend>(**table, threads, options.cache_folder);
}

}  // namespace notso
