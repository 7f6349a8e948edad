#include "service/store/uuid.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <sys/random.h>

namespace notso {
namespace {

// 6 bytes of time, 10 of the UUID's random part, 7 more.
constexpr std::size_t kTimeBytes = 6;
constexpr std::size_t kUuidBytes = 16;
constexpr std::size_t kBytes = kUuidBytes + 7;

}  // namespace

Result<std::string> new_secret_id(std::int64_t unix_ms) {
  std::array<unsigned char, kBytes> bytes{};
  ssize_t got = 0;
  do {
    got = getrandom(bytes.data(), bytes.size(), 0);
  } while (got < 0 && errno == EINTR);
  if (got != static_cast<ssize_t>(bytes.size())) {
    return fail(ErrorCode::kInternal,
                std::string("the system gives no random numbers: ") + std::strerror(errno));
  }
  for (std::size_t i = 0; i < kTimeBytes; ++i) {
    bytes[i] = static_cast<unsigned char>(unix_ms >> (8 * (kTimeBytes - 1 - i)));
  }
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0FU) | 0x70U);  // the version
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3FU) | 0x80U);  // the variant

  static constexpr const char* kDigits = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10 || i == kUuidBytes) out += '-';
    out += kDigits[bytes[i] >> 4U];
    out += kDigits[bytes[i] & 0x0FU];
  }
  return out;
}

}  // namespace notso
