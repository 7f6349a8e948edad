// Address space for the largest header is reserved at once, so that nothing moves; its pages are
// filled a piece at a time. The file's own pages are given back, so the header is in memory once.
#include "ml/core/gguf/header_copy.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/mman.h>

namespace notso {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

}  // namespace

HeaderCopy::~HeaderCopy() {
  if (data_ != nullptr) munmap(data_, reserved_);
}

Status HeaderCopy::take(const MappedFile& file, std::size_t bytes) {
  if (bytes <= size_) return {};
  const std::size_t available = std::min(file.bytes().size(), kBytesMax);
  if (bytes > available) {
    return fail(ErrorCode::kInvalidArgument,
                "'" + file.path() + "' is damaged: its metadata takes more than " +
                    std::to_string(kBytesMax >> 20) + " MiB; download or convert the model again");
  }
  if (data_ == nullptr) {
    void* const memory = mmap(nullptr, available, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
      return fail(ErrorCode::kResourceExhausted,
                  "no memory for the metadata of '" + file.path() + "': " + std::strerror(errno));
    }
    data_ = static_cast<std::byte*>(memory);
    reserved_ = available;
  }
  const std::size_t wanted = std::min(available, (bytes / kPieceBytes + 1) * kPieceBytes);
  Status copied = guard_mapped_reads(file.path(), [&] {
    std::memcpy(data_ + size_, file.bytes().data() + size_, wanted - size_);
  });
  if (!copied) return copied;
  file.release_pages(size_, wanted - size_);
  size_ = wanted;
  return {};
}

}  // namespace notso
