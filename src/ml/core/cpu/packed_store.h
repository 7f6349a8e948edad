// A model's weights in panels: packed from the file once, kept in a sidecar file that later starts
// map, or in memory. packed_store.cpp explains the sidecar.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "ml/core/backend.h"
#include "ml/core/cpu/panels.h"
#include "ml/core/gguf/gguf.h"

namespace notso {

// Packed tensors in one piece of read-only memory.
class PackedStore {
 public:
  // Packs `tensors` of `file`, or maps an earlier packing from `cache_folder` ("": always in
  // memory). A cache that cannot be written is no error: the weights are then packed in memory and
  // `note()` says why.
  static Result<std::unique_ptr<PackedStore>> open(const GgufFile& file,
                                                   std::span<const GgufTensor* const> tensors,
                                                   const std::string& cache_folder,
                                                   ThreadPool& pool, const LoadProgress& progress);

  PackedStore(const PackedStore&) = delete;
  PackedStore& operator=(const PackedStore&) = delete;
  ~PackedStore();

  // Tensor i of those given to open.
  [[nodiscard]] const PanelView& view(std::size_t i) const { return views_[i]; }

  // Whether an earlier packing was mapped.
  [[nodiscard]] bool reused() const { return reused_; }

  // Why there is no sidecar, or "".
  [[nodiscard]] const std::string& note() const { return note_; }

 private:
  PackedStore() = default;

  std::vector<PanelView> views_;
  MappedFile sidecar_;
  std::byte* memory_ = nullptr;
  std::size_t memory_bytes_ = 0;
  bool reused_ = false;
  std::string note_;
};

// Where the packed weights of a model file are kept.
[[nodiscard]] std::string packed_sidecar_path(const std::string& cache_folder,
                                              const std::string& model_path);

// Removes the packed weights of a model file and what an interrupted packing left; the bytes that
// this frees.
std::uint64_t remove_packed_sidecar(const std::string& cache_folder, const std::string& model_path);

}  // namespace notso
