#include "service/engine/kv_file_header.h"

#include <algorithm>
#include <cstring>

#include "ml/core/backend.h"
#include "service/engine/kv_checksum.h"

namespace notso {
namespace {

constexpr char kMagic[] = "notsokv1";
constexpr std::size_t kMagicBytes = 8;
constexpr std::size_t kIdAt = 8;
constexpr std::size_t kParentAt = 24;
constexpr std::size_t kPageBytesAt = 40;
constexpr std::size_t kPageChecksumAt = 48;
constexpr std::size_t kTokenCountAt = 56;
constexpr std::size_t kScopeBytesAt = 60;
constexpr std::size_t kIdentityBytesAt = 64;
constexpr std::size_t kTokensAt = 68;
constexpr std::size_t kTextsAt = kTokensAt + 4 * kKvPageTokens;
constexpr std::size_t kChecksumAt = kKvHeaderBytes - 8;
static_assert(kTextsAt + kKvScopeBytesMax + kKvIdentityBytesMax <= kChecksumAt);

template <class T>
void put(std::span<std::byte> bytes, std::size_t at, const T& value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

template <class T>
T get(std::span<const std::byte> bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::string get_text(std::span<const std::byte> bytes, std::size_t at, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes.data()) + at, size};
}

}  // namespace

void encode_kv_header(const KvFileHeader& header, const std::string& identity,
                      std::size_t page_bytes, std::span<std::byte> bytes) {
  const KvFileEntry& entry = header.entry;
  std::fill(bytes.begin(), bytes.end(), std::byte{0});
  std::memcpy(bytes.data(), kMagic, kMagicBytes);
  put(bytes, kIdAt, entry.id.words);
  put(bytes, kParentAt, entry.parent.words);
  put(bytes, kPageBytesAt, static_cast<std::uint64_t>(page_bytes));
  put(bytes, kPageChecksumAt, header.page_checksum);
  put(bytes, kTokenCountAt, static_cast<std::uint32_t>(entry.tokens.size()));
  put(bytes, kScopeBytesAt, static_cast<std::uint32_t>(entry.scope.size()));
  put(bytes, kIdentityBytesAt, static_cast<std::uint32_t>(identity.size()));
  std::memcpy(bytes.data() + kTokensAt, entry.tokens.data(), 4 * entry.tokens.size());
  std::copy_n(reinterpret_cast<const std::byte*>(entry.scope.data()), entry.scope.size(),
              bytes.data() + kTextsAt);
  std::copy_n(reinterpret_cast<const std::byte*>(identity.data()), identity.size(),
              bytes.data() + kTextsAt + entry.scope.size());
  put(bytes, kChecksumAt, kv_checksum(bytes.first(kChecksumAt)));
}

Result<KvFileHeader> decode_kv_header(std::span<const std::byte> bytes, const std::string& identity,
                                      std::size_t page_bytes) {
  if (get<std::uint64_t>(bytes, kChecksumAt) != kv_checksum(bytes.first(kChecksumAt))) {
    return fail(ErrorCode::kDataLoss, "its header is damaged");
  }
  if (std::memcmp(bytes.data(), kMagic, kMagicBytes) != 0) {
    return fail(ErrorCode::kUnsupported, "it is of another version");
  }
  const auto token_count = get<std::uint32_t>(bytes, kTokenCountAt);
  const auto scope_bytes = get<std::uint32_t>(bytes, kScopeBytesAt);
  const auto identity_bytes = get<std::uint32_t>(bytes, kIdentityBytesAt);
  if (token_count < 1 || token_count > kKvPageTokens || scope_bytes > kKvScopeBytesMax ||
      identity_bytes > kKvIdentityBytesMax) {
    return fail(ErrorCode::kDataLoss, "its header makes no sense");
  }
  if (get<std::uint64_t>(bytes, kPageBytesAt) != page_bytes ||
      get_text(bytes, kTextsAt + scope_bytes, identity_bytes) != identity) {
    return fail(ErrorCode::kUnsupported, "it is of another model");
  }
  KvFileHeader header;
  header.entry.id.words = get<std::array<std::uint64_t, 2>>(bytes, kIdAt);
  header.entry.parent.words = get<std::array<std::uint64_t, 2>>(bytes, kParentAt);
  header.entry.scope = get_text(bytes, kTextsAt, scope_bytes);
  header.entry.tokens.resize(token_count);
  std::memcpy(header.entry.tokens.data(), bytes.data() + kTokensAt, 4 * token_count);
  header.page_checksum = get<std::uint64_t>(bytes, kPageChecksumAt);
  return header;
}

}  // namespace notso
