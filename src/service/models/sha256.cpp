#include "service/models/sha256.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>
#include <vector>

#include "base/check.h"

namespace notso {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  NOTSO_CHECK(state_->context != nullptr);
  NOTSO_CHECK(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1);
}

Sha256::~Sha256() { EVP_MD_CTX_free(state_->context); }

void Sha256::update(std::span<const std::byte> data) {
  NOTSO_CHECK(EVP_DigestUpdate(state_->context, data.data(), data.size()) == 1);
}

std::string Sha256::finish() {
  std::array<unsigned char, 32> digest{};
  NOTSO_CHECK(EVP_DigestFinal_ex(state_->context, digest.data(), nullptr) == 1);
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : digest) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

Result<std::string> sha256_of_file(int fd, const std::string& path,
                                   const std::function<bool(std::uint64_t)>& progress) {
  Sha256 sha;
  posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  std::vector<std::byte> buffer(std::size_t{1} << 20U);
  off_t offset = 0;
  while (true) {
    const ssize_t got = pread(fd, buffer.data(), buffer.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return fail(ErrorCode::kUnavailable,
                  "cannot read '" + path + "': " + std::strerror(errno) + "; check the disk");
    }
    if (got == 0) return sha.finish();
    sha.update(std::span(buffer).first(static_cast<std::size_t>(got)));
    offset += got;
    if (!progress(static_cast<std::uint64_t>(offset))) {
      return fail(ErrorCode::kCancelled, "the check of '" + path + "' was cancelled");
    }
  }
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(),
                                          [](unsigned char c) { return std::isxdigit(c) != 0; });
}

}  // namespace notso
