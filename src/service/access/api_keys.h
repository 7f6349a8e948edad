// API keys: who may use the server.
//
// A key is "notso-" and 256 random bits in 52 characters of base 32. It is shown once, when it is
// made; the file keeps only a SHA-256 of it. A plain hash is enough, as a slow one with salt would
// only protect secrets that can be guessed, and 2^256 cannot.
//
// The file has one key a line: its name, the hash of the key, the hash of its sign-in token, and
// when it was made. The sign-in token is what the page's cookie holds instead of the key: a hash of
// the key under another label, so that a stolen cookie is no API key, that a restart signs nobody
// out, and that revoking a key ends its cookies too. The file itself opens nothing.
//
// A name stands for a person or a program: conversations belong to it, and a key that is made anew
// under an old name finds them again.
//
// Where the file exists, the server is closed, even if no key is left in it: revoking the last one
// must not open the door.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace notso {

// Limits of the file and of what a client may present.
inline constexpr std::size_t kApiKeysMax = 10'000;
inline constexpr std::size_t kApiKeyNameMax = 64;
inline constexpr std::size_t kApiKeyBytesMax = 256;

// One line of the file.
struct ApiKey {
  std::string name;        // a-z A-Z 0-9 . _ @ -
  std::string key_hash;    // SHA-256, 64 hexadecimal digits
  std::string token_hash;  // the same of the sign-in token
  std::string created;     // "2026-11-21T02:43:56Z"
};

// The keys of a file. A malformed line is an error that gives its number. A file that other users
// may write is refused.
[[nodiscard]] Result<std::vector<ApiKey>> read_api_keys(const std::string& path);

// Makes a key under a new name and returns it: the only time that it is seen. The file is made if
// need be, readable by its owner alone, and replaced as a whole: a crash leaves the old one or the
// new one.
[[nodiscard]] Result<std::string> add_api_key(const std::string& path, const std::string& name);

// Removes a key. kNotFound if there is none of that name.
[[nodiscard]] Status revoke_api_key(const std::string& path, const std::string& name);

// The token that stands for a key in the page's cookie.
[[nodiscard]] std::string sign_in_token(std::string_view key);

// The keys that a running server knows. Safe to use from many threads.
class KeyRing {
 public:
  // A ring that lets everyone in: no keys file.
  KeyRing() = default;

  // Takes the keys of the file in place of those that it has. On an error, also when the file is
  // gone, those stay.
  [[nodiscard]] Status load(const std::string& path);

  // Whether a key is asked for at all.
  [[nodiscard]] bool closed() const;
  [[nodiscard]] std::size_t size() const;
  // The name of a key, or of a sign-in token; nothing if there is none such. Takes the same time
  // wherever a wrong one differs.
  [[nodiscard]] std::optional<std::string> find_key(std::string_view key) const;
  [[nodiscard]] std::optional<std::string> find_token(std::string_view token) const;

 private:
  using Keys = std::shared_ptr<const std::vector<ApiKey>>;

  [[nodiscard]] Keys keys() const;
  [[nodiscard]] std::optional<std::string> find(std::string_view secret,
                                                std::string ApiKey::*hash) const;

  mutable std::mutex mutex_;
  Keys keys_;
};

}  // namespace notso
