// The front of a model file in memory of its own: what the file says about itself outlives any
// change of the file, and only the copying of it can meet a page that is gone. Private to the gguf
// library.
#pragma once

#include <cstddef>

#include "base/mapped_file.h"
#include "base/result.h"

namespace notso {

// Bytes [0, size) of a mapped file, which grow as they are asked for and never move.
class HeaderCopy {
 public:
  // More than any model's header: the largest arrays of the largest vocabularies take tenths of it.
  static constexpr std::size_t kBytesMax = std::size_t{256} << 20;

  HeaderCopy() = default;
  HeaderCopy(const HeaderCopy&) = delete;
  HeaderCopy& operator=(const HeaderCopy&) = delete;
  ~HeaderCopy();

  // Makes the first `bytes` bytes of `file` (no more than it has) readable at data(). Fails when
  // they are more than kBytesMax, or when the file has become shorter since it was opened.
  Status take(const MappedFile& file, std::size_t bytes);

  [[nodiscard]] const std::byte* data() const { return data_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t reserved_ = 0;
  std::size_t size_ = 0;
};

}  // namespace notso
