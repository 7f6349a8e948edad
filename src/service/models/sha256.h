// SHA-256 of data that comes in pieces, by OpenSSL.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace notso {

// One running digest.
class Sha256 {
 public:
  Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  ~Sha256();

  // Adds data. [any length]
  void update(std::span<const std::byte> data);

  // The digest of all that was added, as 64 lower-case hexadecimal digits. Call it once, at the
  // end.
  [[nodiscard]] std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The SHA-256 of an open file, from its front; `path` is what errors call it. `progress` hears of
// the bytes read and returns false to give up (kCancelled).
[[nodiscard]] Result<std::string> sha256_of_file(
    int fd, const std::string& path, const std::function<bool(std::uint64_t)>& progress);

// Whether text is a SHA-256 as hubs and people write it: 64 hexadecimal digits.
[[nodiscard]] bool is_sha256(std::string_view text);

}  // namespace notso
