// KV pages on disk: one file a page, in one folder, of one model's identity.
//
// A file is a header of 4096 bytes and then the page:
//
//   offset  bytes
//        0      8  "notsokv1"; the digit is the format's version
//        8     16  the file's id, 128 random bits; its name is the id in hex and ".kv"
//       24     16  the id of the file with the page before this one; zeros: this is the first
//       40      8  bytes of the page
//       48      8  XXH64 of the page
//       56      4  how many tokens the page holds (t)
//       60      4  bytes of the scope (s)
//       64      4  bytes of the identity (i)
//       68    256  the tokens, t of them, zeros behind
//      324  s + i  the scope, the identity, zeros behind
//     4088      8  XXH64 of the bytes above
//
// Numbers are in the machine's own order; a file never leaves it. The tokens of a whole prefix are
// those of the files from the first on, so a page belongs to exactly one prefix of one scope, with
// nothing left to a hash. Ids are never used twice: a file whose predecessor is gone is an orphan
// for good, and is dropped.
//
// A file is written under a name that ends in ".partial", made durable, and renamed. So whatever
// moment the process is killed at, a ".kv" file is complete; and if it is not (a disk can do
// anything), its checksums say so. The start reads headers only; a page's own checksum is verified
// whenever it is read. Files of another identity or version, and damaged ones, are removed. Files
// with other names are not ours and stay. Making each file durable before the next is begun costs
// the thread time and nobody else; it keeps gigabytes of unwritten pages from piling up in front of
// those who wait for their own.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace notso {

// Names a file.
struct KvFileId {
  std::array<std::uint64_t, 2> words = {};

  [[nodiscard]] bool is_set() const { return words[0] != 0 || words[1] != 0; }
  auto operator<=>(const KvFileId&) const = default;
};

// A new id.
[[nodiscard]] KvFileId random_kv_file_id();

// What a file holds, besides the page's bytes.
struct KvFileEntry {
  KvFileId id;
  KvFileId parent;
  std::string scope;
  std::vector<std::int32_t> tokens;  // [1 .. kKvPageTokens]
};

// More files than this are never kept, so that a start stays short.
inline constexpr std::size_t kKvFilesMax = 4096;
// Pages of longer scopes are not written.
inline constexpr std::size_t kKvScopeBytesMax = 1024;
inline constexpr std::size_t kKvIdentityBytesMax = 2048;

// The folder, and the thread that writes to it. Members are called from one other thread.
class KvFiles {
 public:
  // What the thread did with a page.
  struct Written {
    KvFileId id;
    Status status;
  };

  // Makes the folder if need be, locks it against other processes, drops what is left of a process
  // that was killed and starts the thread. Errors say why the folder cannot be used.
  static Result<std::unique_ptr<KvFiles>> open(const std::string& folder,
                                               const std::string& identity, std::size_t page_bytes);
  KvFiles(const KvFiles&) = delete;
  KvFiles& operator=(const KvFiles&) = delete;
  // Gives up the page that is being written, and waits for the thread.
  ~KvFiles();

  // Reads all headers: the files that could be read back, the one used longest ago first. Adds a
  // line to `lines` for each kind of file that was removed.
  [[nodiscard]] std::vector<KvFileEntry> scan(std::vector<std::string>& lines);

  // Reads a page and verifies it: page[page_bytes]. kDataLoss: the file is not, or no longer, what
  // `entry` says.
  [[nodiscard]] Status read(const KvFileEntry& entry, std::span<std::byte> page) const;

  // Whether write() may be called: the page before is done.
  [[nodiscard]] bool is_idle();
  // Has a page written: a copy is taken at once, page[page_bytes].
  void write(KvFileEntry entry, std::span<const std::byte> page);
  // Has files removed, or marked as used now; before the next write.
  void remove(KvFileId id);
  void mark_used(KvFileId id);

  // What became of the last write; none while it is under way or when it was taken before. Waits
  // for it up to `seconds`.
  [[nodiscard]] std::optional<Written> take_written(double seconds);
  // Waits up to `seconds` until nothing is left to do; true if so.
  bool wait_idle(double seconds);

  // Bytes that one file takes.
  [[nodiscard]] std::size_t file_bytes() const;

 private:
  class Impl;
  explicit KvFiles(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace notso
