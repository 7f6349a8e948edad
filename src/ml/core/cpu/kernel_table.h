// One table of functions an instruction set. The best table that the machine can run is chosen once
// at start; the environment variable NOTSO_CPU forces another. Kernels work on one thread;
// cpu_backend.cpp divides the work.
//
// The files that implement the tables are compiled with flags for their instruction set, so they
// hold only free functions in anonymous namespaces and instantiate nothing of the standard library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ml/core/backend.h"
#include "ml/core/cpu/panels.h"

namespace notso {

// Attention of one row's query heads that share a key/value head, over pages 0 .. of its sequence.
struct AttentionRow {
  const std::byte* const* pages = nullptr;  // page table of the row's sequence
  std::size_t head_offset = 0;              // of the key/value head inside a page
  std::int32_t position = 0;                // attends to positions 0 .. position
  std::int32_t queries = 0;                 // query heads of this key/value head, 1..kMaxQueries
  std::int32_t head_dim = 0;                // a multiple of 16, at most kMaxHeadDim
  const float* query = nullptr;             // [queries][head_dim], rotated
  float* out = nullptr;                     // [queries][head_dim]
};
inline constexpr int kMaxQueries = 4;

// How many rows one call of `attend` takes together, so that a page is read once for all of them.
inline constexpr int kAttendRows = 16;

// An instruction set's kernels.
struct KernelTable {
  std::string_view name;
  // Whether this machine can run it.
  bool (*supported)();

  // out[t][16 p ..] (+)= the product of tile row t with panels first_panel + p, for `panels`
  // panels. `stride` is the distance of out's rows in floats. Nothing is written beyond the
  // matrix's last row. `add` adds to out.
  void (*matmul)(const PanelView& weights, std::int64_t first_panel, std::int32_t panels,
                 const TileView& tile, float* out, std::int64_t stride, bool add);

  // Prepares `columns` floats as one row of a tile.
  void (*quantize)(const float* in, std::int32_t columns, const TileRow& out);

  // out = in * weight / sqrt(mean(in^2) + epsilon).
  void (*rms_norm)(const float* in, const float* weight, float epsilon, std::int32_t columns,
                   float* out);

  // gate = silu(gate) * up.
  void (*silu_mul)(float* gate, const float* up, std::int32_t count);

  // Bytes of one head's keys and values in one layer of one page.
  std::size_t (*kv_head_bytes)(KvType type, std::int32_t head_dim);

  // Stores one token's key and value (each [head_dim]) as token `index` (0..63) of the head at
  // `head`.
  void (*kv_store)(KvType type, std::byte* head, std::int32_t index, std::int32_t head_dim,
                   const float* key, const float* value);

  // Causal attention for up to kAttendRows rows that share page table and head. Rows are in rising
  // position.
  void (*attend)(KvType type, const AttentionRow* rows, std::int32_t count);
};

// All tables of this build, best first; the last is the portable scalar one.
[[nodiscard]] const std::vector<const KernelTable*>& kernel_tables();

// The best supported table, or the one called `forced` if not empty. An unknown or unsupported name
// is an error that lists what this machine can run.
[[nodiscard]] Result<const KernelTable*> choose_kernel_table(std::string_view forced);

}  // namespace notso
