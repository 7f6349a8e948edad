// What an opened GgufFile holds. Private to the gguf library: the parser fills it, the accessors
// read it.
#pragma once

#include <utility>
#include <vector>

#include "ml/core/gguf/gguf.h"
#include "ml/core/gguf/header_copy.h"

namespace notso {

// The mapping, a copy of its header, and the views into them: tensors' bytes are in the mapping,
// all else in the copy. The two orders are indices sorted by name, for look-ups.
struct GgufContents {
  MappedFile file;
  HeaderCopy header;
  std::uint32_t version = 0;
  std::uint32_t alignment = 32;
  std::vector<std::pair<std::string_view, GgufValue>> metadata;
  std::vector<GgufTensor> tensors;
  std::vector<std::uint32_t> metadata_order;
  std::vector<std::uint32_t> tensor_order;
};

// What GgufFile points at.
struct GgufFile::Impl : GgufContents {};

// Fills everything after `file` from it.
[[nodiscard]] Status parse_gguf(GgufContents& contents);

// Bytes of one number or bool; 0 for strings, arrays and unknown types.
[[nodiscard]] std::size_t gguf_type_bytes(GgufType type);

}  // namespace notso
