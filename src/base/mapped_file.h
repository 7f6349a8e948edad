// A whole file as read-only memory. A file that shrinks or fails while it is mapped raises SIGBUS
// on access; readers that must survive that run inside `guard_mapped_reads`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "base/result.h"

namespace notso {

// Owns one read-only shared mapping. Movable, not copyable. An empty file maps to an empty span.
class MappedFile {
 public:
  // Maps the regular file at `path`. Errors name the path and the mend.
  static Result<MappedFile> open(const std::string& path);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  [[nodiscard]] std::span<const std::byte> bytes() const { return {data_, size_}; }
  [[nodiscard]] const std::string& path() const { return path_; }

  // Time of last change in nanoseconds since the epoch, as it was when the file was opened.
  [[nodiscard]] std::int64_t modified_ns() const { return modified_ns_; }

  // Tells the kernel that the pages of [offset, offset + length) are not needed for now.
  void release_pages(std::size_t offset, std::size_t length) const;

 private:
  std::string path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::int64_t modified_ns_ = 0;
};

// Runs `work`, which reads mapped files, on this thread. If a mapped page cannot be read (the file
// was truncated, the disk failed), the work is abandoned (its stack is not unwound) and the result
// is a kDataLoss error about `path`.
Status guard_mapped_reads(const std::string& path, const std::function<void()>& work);

// Installs, for the whole process, a SIGBUS handler that prints one line about truncated model
// files and exits with code 1 when the fault is in a mapped file outside `guard_mapped_reads`.
void install_mapped_fault_handler();

}  // namespace notso
