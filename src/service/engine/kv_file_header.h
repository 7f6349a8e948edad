// The header of a KV file, as bytes; kv_files.h says what stands where.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "service/engine/kv_files.h"

namespace notso {

inline constexpr std::size_t kKvHeaderBytes = 4096;

// A header that was read: the entry, and what the page must hash to.
struct KvFileHeader {
  KvFileEntry entry;
  std::uint64_t page_checksum = 0;
};

// Writes the header into bytes[kKvHeaderBytes]. Scope and identity are within their limits.
void encode_kv_header(const KvFileHeader& header, const std::string& identity,
                      std::size_t page_bytes, std::span<std::byte> bytes);

// Reads bytes[kKvHeaderBytes]. kDataLoss: damaged. kUnsupported: sound, but of another version,
// identity or page size.
[[nodiscard]] Result<KvFileHeader> decode_kv_header(std::span<const std::byte> bytes,
                                                    const std::string& identity,
                                                    std::size_t page_bytes);

}  // namespace notso
