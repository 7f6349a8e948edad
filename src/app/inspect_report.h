// What `notso inspect` says about a GGUF file, as text for people and as JSON.
#pragma once

#include <string>

#include "ml/core/gguf/gguf.h"

namespace notso {

// Metadata (long arrays and strings shortened), tensors, totals by type, and the memory that
// contexts of 4k, 16k and 64k tokens need, in aligned columns.
[[nodiscard]] std::string inspect_text(const GgufFile& file);

// The same as one JSON object with a newline after it. Arrays are given by type, length and first
// elements, strings in full.
[[nodiscard]] std::string inspect_json(const GgufFile& file);

}  // namespace notso
