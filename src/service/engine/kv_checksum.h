// XXH64, the 64-bit hash of the xxHash family: what says whether a page on disk is still what was
// written. It is no defence against someone who forges files; it finds bits that changed, bytes
// that are missing and blocks of another file, and lets a wrong page through once in 2^64.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace notso {

// The hash of `bytes` with seed 0. About as fast as memory is read.
[[nodiscard]] std::uint64_t kv_checksum(std::span<const std::byte> bytes);

}  // namespace notso
