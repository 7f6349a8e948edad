// The matrix products of every kernel table that this machine can run, on one thread: every weight
// type, two shapes, 1, 4 and 512 tokens. The counter `MAC/s` is multiply-adds of weights with
// activations a second, `weights/s` the bytes of packed weights read a second.
//
// Names are table/type/rows x columns/tokens, so --benchmark_filter=avx2/q4_K picks.

#include <algorithm>
#include <array>
#include <benchmark/benchmark.h>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "ml/core/cpu/kernel_table.h"
#include "ml/core/cpu/pack.h"
#include "ml/core/quant/quantize.h"

namespace notso {
namespace {

struct Shape {
  std::int64_t rows;
  std::int64_t columns;
};

constexpr std::array kTypes = {DType::kQ4_K, DType::kQ5_K, DType::kQ6_K, DType::kQ4_0,
                               DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0,
                               DType::kF16,  DType::kBF16, DType::kF32};
constexpr std::array kShapes = {Shape{2048, 2048}, Shape{11008, 2048}};
constexpr std::array kTokens = {1, 4, 512};

// Numbers that no kernel can take a short cut with, the same every time.
std::vector<float> noise(std::size_t count) {
  std::vector<float> values(count);
  std::uint32_t state = 1;
  for (float& value : values) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<float>(static_cast<std::int32_t>(state)) * 0x1p-31F;
  }
  return values;
}

// A packed matrix whose panels all hold the same weights, so that it is made quickly.
struct PackedMatrix {
  struct Free {
    void operator()(std::byte* data) const { std::free(data); }
  };
  std::size_t bytes = 0;
  std::unique_ptr<std::byte, Free> data;  // aligned to a cache line, as in a packed file
};

PackedMatrix packed_matrix(DType type, const Shape& shape) {
  constexpr std::int64_t kStripRows = kStripPanels * kPanelRows;
  const auto weights = noise(static_cast<std::size_t>(kStripRows * shape.columns));
  std::vector<std::byte> source(dtype_bytes(type, weights.size()));
  quantize(type, weights, source);
  PackedMatrix packed;
  packed.bytes = packed_bytes(type, shape.rows, shape.columns);
  packed.data.reset(static_cast<std::byte*>(std::aligned_alloc(kQuadBytes, packed.bytes)));
  const std::size_t strip_bytes = packed_bytes(type, kStripRows, shape.columns);
  for (std::size_t at = 0; at < packed.bytes; at += strip_bytes) {
    pack_strip(type, source, kStripRows, shape.columns, 0, packed.data.get() + at);
  }
  return packed;
}

// `tokens` prepared rows in tiles of four.
struct Activations {
  std::vector<std::int8_t> q;
  std::vector<std::int32_t> meta;
  std::vector<float> values;
  std::vector<TileView> tiles;
};

Activations prepare(const KernelTable& table, std::int64_t columns, int tokens) {
  const auto count = static_cast<std::size_t>(columns) * static_cast<std::size_t>(tokens);
  const std::size_t words = count / kBlockColumns * TileMeta::kWords;
  Activations made{std::vector<std::int8_t>(count),
                   std::vector<std::int32_t>(words),
                   std::vector<float>(count),
                   {}};
  const auto in = noise(count);
  for (int first = 0; first < tokens; first += kTileRows) {
    const auto at = static_cast<std::size_t>(first) * static_cast<std::size_t>(columns);
    TileRow row{made.q.data() + at, made.meta.data() + at / kBlockColumns * TileMeta::kWords,
                made.values.data() + at, std::min(kTileRows, tokens - first), 0};
    made.tiles.push_back({row.q, row.meta, row.values, row.rows});
    for (; row.row < row.rows; ++row.row) {
      table.quantize(in.data() + static_cast<std::int64_t>(at) + row.row * columns,
                     static_cast<std::int32_t>(columns), row);
    }
  }
  return made;
}

void multiply(benchmark::State& state, const KernelTable& table, DType type, const Shape& shape,
              int tokens) {
  const auto packed = packed_matrix(type, shape);
  const PanelView weights{type, packed.data.get(), packed_bytes(type, kPanelRows, shape.columns),
                          static_cast<std::int32_t>(shape.columns / kBlockColumns), shape.rows};
  const Activations in = prepare(table, shape.columns, tokens);
  std::vector<float> out(static_cast<std::size_t>(shape.rows) * static_cast<std::size_t>(tokens));
  constexpr std::int32_t kChunk = 4;  // panels, which stay in the cache for all tiles
  const auto panels = static_cast<std::int32_t>(shape.rows / kPanelRows);
  for (auto _ : state) {
    for (std::int32_t panel = 0; panel < panels; panel += kChunk) {
      float* to = out.data() + panel * kPanelRows;
      for (const TileView& tile : in.tiles) {
        table.matmul(weights, panel, std::min(kChunk, panels - panel), tile, to, shape.rows, false);
        to += tile.rows * shape.rows;
      }
    }
    benchmark::ClobberMemory();
  }
  const auto runs = static_cast<double>(state.iterations());
  const auto size = static_cast<double>(shape.rows * shape.columns);
  using benchmark::Counter;
  state.counters["MAC/s"] = Counter(runs * size * tokens, Counter::kIsRate);
  state.counters["weights/s"] =
      Counter(runs * static_cast<double>(packed.bytes), Counter::kIsRate, Counter::kIs1024);
}

void register_all() {
  for (const KernelTable* table : kernel_tables()) {
    if (!table->supported()) continue;
    for (const DType type : kTypes) {
      for (const Shape& shape : kShapes) {
        for (const int tokens : kTokens) {
          const std::string name = std::string(table->name) + "/" +
                                   std::string(dtype_info(type).name) + "/" +
                                   std::to_string(shape.rows) + "x" +
                                   std::to_string(shape.columns) + "/" + std::to_string(tokens);
          benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
            multiply(state, *table, type, shape, tokens);
          });
        }
      }
    }
  }
}

}  // namespace
}  // namespace notso

int main(int argc, char** argv) {
  notso::register_all();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
