#include "service/access/api_keys.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <span>
#include <sstream>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

namespace notso {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kHashDigits = 64;
constexpr std::string_view kKeyPrefix = "notso-";
constexpr std::string_view kTokenLabel = "notso sign-in token\n";
constexpr const char* kHeading =
    "# API keys of notso: name, SHA-256 of the key, SHA-256 of its sign-in token, when made.\n"
    "# Written by `notso key`; the keys themselves are kept nowhere.\n";

std::string hex_sha256(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::string out;
  for (const unsigned char byte : digest) {
    out += "0123456789abcdef"[byte >> 4U];
    out += "0123456789abcdef"[byte & 15U];
  }
  return out;
}

// Base 32 without letters that look like digits; 256 bits make 52 characters.
std::string base32(std::span<const unsigned char> bytes) {
  constexpr std::string_view kDigits = "abcdefghijkmnpqrstuvwxyz23456789";
  std::string out;
  std::uint32_t held = 0;
  unsigned bits = 0;
  for (const unsigned char byte : bytes) {
    held = (held << 8U) | byte;
    for (bits += 8; bits >= 5; bits -= 5) out += kDigits[(held >> (bits - 5)) & 31U];
  }
  if (bits > 0) out += kDigits[(held << (5 - bits)) & 31U];
  return out;
}

Result<std::string> make_secret() {
  std::array<unsigned char, kSecretBytes> bytes;
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return fail(ErrorCode::kInternal,
                std::string("the system gives no random numbers: ") + std::strerror(errno));
  }
  return std::string(kKeyPrefix) + base32(bytes);
}

std::string now_text() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

bool is_name(std::string_view name) {
  if (name.empty() || name.size() > kApiKeyNameMax) return false;
  for (const char c : name) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool is_digit = c >= '0' && c <= '9';
    if (!is_letter && !is_digit && std::strchr("._@-", c) == nullptr) return false;
  }
  return true;
}

bool is_hash(std::string_view text) {
  return text.size() == kHashDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<ApiKey> parse_line(const std::string& path, std::size_t number, const std::string& line) {
  std::istringstream in(line);
  ApiKey key;
  std::string more;
  const bool is_complete =
      static_cast<bool>(in >> key.name >> key.key_hash >> key.token_hash >> key.created);
  if (!is_complete || in >> more || !is_name(key.name) || !is_hash(key.key_hash) ||
      !is_hash(key.token_hash)) {
    return fail(ErrorCode::kInvalidArgument,
                path + ":" + std::to_string(number) +
                    ": this is not a key's line (name, two hashes, time); remove it, and make the "
                    "key again with `notso key add NAME`");
  }
  return key;
}

Status check_mode(const std::string& path) {
  struct stat facts {};
  if (stat(path.c_str(), &facts) != 0) {
    return fail(ErrorCode::kNotFound, "cannot open the keys file '" + path +
                                          "': " + std::strerror(errno) +
                                          "; `notso key add NAME` makes one");
  }
  if (!S_ISREG(facts.st_mode)) {
    return fail(ErrorCode::kInvalidArgument, "the keys file '" + path + "' is no file");
  }
  if ((facts.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(
        ErrorCode::kInvalidArgument,
        "the keys file '" + path + "' can be written by other users; run: chmod 600 " + path);
  }
  return {};
}

// Keeps other writers of the same file away while it lives: two that add at once must both be in.
class FolderLock {
 public:
  explicit FolderLock(const fs::path& file) {
    const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
    fd_ = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd_ >= 0) flock(fd_, LOCK_EX);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock() {
    if (fd_ >= 0) close(fd_);
  }

  [[nodiscard]] bool held() const { return fd_ >= 0; }
  // Makes a rename in the folder last.
  void sync() const { fsync(fd_); }
  // Gives a file that root makes to the folder's owner: the service must be able to read it.
  void give(int file) const {
    struct stat facts {};
    if (geteuid() != 0 || fstat(fd_, &facts) != 0) return;
    (void)!fchown(file, facts.st_uid, facts.st_gid);
  }

 private:
  int fd_ = -1;
};

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

Status replace_file(const std::string& path, const std::vector<ApiKey>& keys,
                    const FolderLock& folder) {
  std::string text = kHeading;
  for (const ApiKey& key : keys) {
    text += key.name + " " + key.key_hash + " " + key.token_hash + " " + key.created + "\n";
  }
  const std::string temporary = path + ".new";
  const int fd =
      open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd >= 0) folder.give(fd);
  bool written = fd >= 0 && fchmod(fd, 0600) == 0 && write_all(fd, text) && fsync(fd) == 0;
  int problem = errno;
  if (fd >= 0) close(fd);
  if (written && rename(temporary.c_str(), path.c_str()) != 0) {
    written = false;
    problem = errno;
  }
  if (!written) {
    unlink(temporary.c_str());
    return fail(ErrorCode::kResourceExhausted, "cannot write the keys file '" + path +
                                                   "': " + std::strerror(problem) +
                                                   "; nothing was changed");
  }
  folder.sync();
  return {};
}

// The keys of a file that may not exist yet.
Result<std::vector<ApiKey>> read_or_empty(const std::string& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return std::vector<ApiKey>();
  return read_api_keys(path);
}

}  // namespace

Result<std::vector<ApiKey>> read_api_keys(const std::string& path) {
  if (auto checked = check_mode(path); !checked) return pass_on(checked);
  std::ifstream file(path);
  if (!file) {
    return fail(ErrorCode::kNotFound,
                "cannot open the keys file '" + path + "': " + std::strerror(errno));
  }
  std::vector<ApiKey> keys;
  std::string line;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line.front() == '#') continue;
    if (keys.size() == kApiKeysMax) {
      return fail(ErrorCode::kResourceExhausted, path + ":" + std::to_string(number) +
                                                     ": more than " + std::to_string(kApiKeysMax) +
                                                     " keys; revoke some");
    }
    auto key = parse_line(path, number, line);
    if (!key) return pass_on(key);
    keys.push_back(std::move(*key));
  }
  return keys;
}

Result<std::string> add_api_key(const std::string& path, const std::string& name) {
  if (!is_name(name)) {
    return fail(ErrorCode::kInvalidArgument,
                "a key's name has 1 to " + std::to_string(kApiKeyNameMax) +
                    " letters, digits or any of . _ @ - ; choose another");
  }
  std::error_code ignored;
  if (const fs::path folder = fs::path(path).parent_path(); !folder.empty()) {
    fs::create_directories(folder, ignored);
  }
  const FolderLock lock(path);
  if (!lock.held()) {
    return fail(ErrorCode::kNotFound, "cannot open the folder of '" + path + "'; check the path");
  }
  auto keys = read_or_empty(path);
  if (!keys) return pass_on(keys);
  for (const ApiKey& key : *keys) {
    if (key.name == name) {
      return fail(ErrorCode::kInvalidArgument,
                  "there is a key '" + name + "' already; revoke it first, or take another name");
    }
  }
  if (keys->size() == kApiKeysMax) {
    return fail(ErrorCode::kResourceExhausted,
                "there are " + std::to_string(kApiKeysMax) + " keys, the most; revoke some");
  }
  auto secret = make_secret();
  if (!secret) return secret;
  keys->push_back({name, hex_sha256(*secret), hex_sha256(sign_in_token(*secret)), now_text()});
  if (auto written = replace_file(path, *keys, lock); !written) return pass_on(written);
  return secret;
}

Status revoke_api_key(const std::string& path, const std::string& name) {
  const FolderLock lock(path);
  auto keys = read_api_keys(path);
  if (!keys) return pass_on(keys);
  if (std::erase_if(*keys, [&](const ApiKey& key) { return key.name == name; }) == 0) {
    return fail(ErrorCode::kNotFound,
                "there is no key '" + name + "'; `notso key list` shows those that there are");
  }
  return replace_file(path, *keys, lock);
}

std::string sign_in_token(std::string_view key) {
  return hex_sha256(std::string(kTokenLabel) + std::string(key));
}

Status KeyRing::load(const std::string& path) {
  auto read = read_api_keys(path);
  if (!read) return pass_on(read);
  const std::lock_guard lock(mutex_);
  keys_ = std::make_shared<const std::vector<ApiKey>>(std::move(*read));
  return {};
}

KeyRing::Keys KeyRing::keys() const {
  const std::lock_guard lock(mutex_);
  return keys_;
}

bool KeyRing::closed() const { return keys() != nullptr; }

std::size_t KeyRing::size() const {
  const Keys known = keys();
  return known ? known->size() : 0;
}

std::optional<std::string> KeyRing::find(std::string_view secret, std::string ApiKey::*hash) const {
  const Keys known = keys();
  if (!known || secret.empty() || secret.size() > kApiKeyBytesMax) return std::nullopt;
  const std::string wanted = hex_sha256(secret);
  // Every key is compared in full, and the loop does not end at a hit.
  const ApiKey* found = nullptr;
  for (const ApiKey& key : *known) {
    if (CRYPTO_memcmp((key.*hash).data(), wanted.data(), kHashDigits) == 0) found = &key;
  }
  if (found == nullptr) return std::nullopt;
  return found->name;
}

std::optional<std::string> KeyRing::find_key(std::string_view key) const {
  return find(key, &ApiKey::key_hash);
}

std::optional<std::string> KeyRing::find_token(std::string_view token) const {
  return find(token, &ApiKey::token_hash);
}

}  // namespace notso
