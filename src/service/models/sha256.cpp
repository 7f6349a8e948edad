#include "service/models/sha256.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <openssl/evp.h>
#include <string_view>

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

bool is_sha256(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(),
                                          [](unsigned char c) { return std::isxdigit(c) != 0; });
}

}  // namespace notso
