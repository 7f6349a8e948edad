// What the kernels' tests share: which tables and types there are, random weights as in a file,
// packed matrices, and tiles with the numbers that they stand for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ml/core/cpu/kernel_table.h"
#include "ml/core/cpu/panels.h"

namespace notso {

// A test of one kernel table or more; leaves with a visible skip where the machine cannot run it.
#define NOTSO_NEEDS_TABLE(table)                                                 \
  if (!(table)->supported()) {                                                   \
    GTEST_SKIP() << "this machine cannot run the " << (table)->name << " table"; \
  }

// A type's or a table's name as part of a test's name: letters and digits only.
[[nodiscard]] std::string test_name(std::string_view name);

// All types that the reader knows, and the portable table.
[[nodiscard]] std::vector<DType> all_types();
[[nodiscard]] const KernelTable& scalar_table();

// `count` normal numbers with the given deviation.
[[nodiscard]] std::vector<float> random_floats(std::size_t count, unsigned seed,
                                               float deviation = 1.0F);

// Memory that ends where a page begins that nobody may touch, so that a kernel which reads or
// writes behind its array crashes, with sanitizers or without.
class Fence {
 public:
  explicit Fence(std::size_t bytes);
  ~Fence();
  Fence(const Fence&) = delete;
  Fence& operator=(const Fence&) = delete;
  // The first of the `bytes`.
  [[nodiscard]] std::byte* begin() const { return begin_; }

 private:
  std::byte* map_ = nullptr;
  std::byte* begin_ = nullptr;
  std::size_t map_bytes_ = 0;
};

// A fenced copy of an array.
template <class T>
class Fenced {
 public:
  explicit Fenced(std::span<const T> from) : fence_(from.size_bytes()) {
    std::memcpy(fence_.begin(), from.data(), from.size_bytes());
  }
  [[nodiscard]] T* data() const { return reinterpret_cast<T*>(fence_.begin()); }

 private:
  Fence fence_;
};

// A matrix as in a file and in panels.
struct TestMatrix {
  DType type = DType::kF32;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::vector<std::byte> source;
  std::vector<std::byte> packed;

  // The packed form.
  [[nodiscard]] PanelView view() const;
  // The weights, row by row.
  [[nodiscard]] std::vector<float> weights() const;
};

// A number of columns that `type` allows and that is no multiple of 256 where it does not have to
// be.
[[nodiscard]] std::int64_t odd_columns(DType type);

// Random bytes for levels and scales, random finite numbers for the rest.
[[nodiscard]] TestMatrix random_matrix(DType type, std::int64_t rows, std::int64_t columns,
                                       unsigned seed);

// Every level and scale at the end of its range: the lowest (`top` false) or the highest.
[[nodiscard]] TestMatrix extreme_matrix(DType type, std::int64_t rows, std::int64_t columns,
                                        bool top);

// One tile of activations.
struct TestTile {
  std::vector<std::int8_t> q;
  std::vector<std::int32_t> meta;
  std::vector<float> values;
  std::int32_t rows = 0;
  std::int32_t blocks = 0;

  TestTile(std::int32_t row_count, std::int64_t columns);
  // The tile of `rows` (all of the same length), quantised by `table`.
  static TestTile of(const KernelTable& table, const std::vector<std::span<const float>>& rows);

  [[nodiscard]] TileView view() const;
  [[nodiscard]] TileRow row(std::int32_t index);
  [[nodiscard]] std::int32_t word(std::int32_t block, int index, std::int32_t row) const;
  [[nodiscard]] float number(std::int32_t block, int index, std::int32_t row) const;
  [[nodiscard]] std::int32_t byte(std::int64_t column, std::int32_t row) const;
  // Factor e of 32 columns.
  [[nodiscard]] std::int32_t factor(std::int32_t block, int group, std::int32_t row) const;
  // The number that a product takes for (column, row): a * e * q.
  [[nodiscard]] double value(std::int64_t column, std::int32_t row) const;
};

}  // namespace notso
