// Where keys and values live: a page holds 64 positions of one sequence, for all layers and heads.
// Which pages a sequence has is the business of whoever owns the memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "ml/core/backend.h"
#include "ml/smollm3/config.h"

namespace notso::smollm3 {

// The layout of one page: [layers][kv_heads][head_bytes].
class KvLayout {
 public:
  KvLayout(const Config& config, const Backend& backend, KvType type)
      : type_(type),
        layers_(static_cast<std::size_t>(config.layers)),
        heads_(static_cast<std::size_t>(config.kv_heads)),
        head_bytes_(backend.kv_head_bytes(type, config.head_dim)) {}

  [[nodiscard]] KvType type() const { return type_; }
  [[nodiscard]] std::size_t page_bytes() const { return layers_ * heads_ * head_bytes_; }
  // Where a layer's keys and values lie in a page.
  [[nodiscard]] KvSlot slot(std::int32_t layer) const {
    return {static_cast<std::size_t>(layer) * heads_ * head_bytes_, head_bytes_};
  }

  // Pages that `positions` positions need.
  [[nodiscard]] static std::size_t pages_for(std::int32_t positions) {
    return static_cast<std::size_t>((positions + kKvPageTokens - 1) / kKvPageTokens);
  }

 private:
  KvType type_;
  std::size_t layers_;
  std::size_t heads_;
  std::size_t head_bytes_;
};

// Pages for one sequence of bounded length, in one piece of memory that the system provides as it
// is touched.
class SequencePages {
 public:
  // Room for `positions` positions. Fails when the address space or the memory limit does not allow
  // it.
  static Result<SequencePages> make(const KvLayout& layout, std::int32_t positions);

  SequencePages(SequencePages&& other) noexcept;
  SequencePages& operator=(SequencePages&& other) noexcept;
  SequencePages(const SequencePages&) = delete;
  SequencePages& operator=(const SequencePages&) = delete;
  ~SequencePages();

  // The page table.
  [[nodiscard]] std::span<std::byte* const> table() const { return table_; }

 private:
  SequencePages() = default;
  std::byte* memory_ = nullptr;
  std::size_t bytes_ = 0;
  std::vector<std::byte*> table_;
};

}  // namespace notso::smollm3
