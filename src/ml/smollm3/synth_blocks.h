// Random weights drawn directly as blocks: their scales and levels are random bits, nothing is
// quantised, so a gigabyte takes a second. Private to the synth library.
#pragma once

#include <cstdint>
#include <span>

#include "ml/core/quant/dtype.h"

namespace notso {

// Numbers that depend only on the key and how often `next` was called (splitmix64).
class RandomStream {
 public:
  explicit RandomStream(std::uint64_t key) : state_(key) {}
  // The next 64 random bits.
  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

// out = blocks first_block, first_block + 1, ... of a tensor of `type` whose weights have mean
// `mean` (float types only; blocks are centred on 0) and standard deviation `deviation`. Each block
// depends on `key` and its own number only.
void draw_blocks(DType type, std::uint64_t key, float mean, float deviation,
                 std::uint64_t first_block, std::span<std::byte> out);

}  // namespace notso
