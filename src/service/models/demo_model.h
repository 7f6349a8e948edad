// The built-in demo model: a GGUF file inside the program, so that a chat needs no download. Models
// are mapped from files, so it is written out before it is used.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/result.h"

namespace notso {

// The whole file, as models/demo has it.
[[nodiscard]] std::span<const std::byte> demo_model_bytes();

// The path of the demo in `folder`, which is made if it is missing. The file is written unless it
// is there with the very same bytes; whoever has the old one open keeps it.
[[nodiscard]] Result<std::string> write_demo_model(const std::string& folder);

// The path of a demo that is on no disk: a file in memory that stays for as long as the process.
[[nodiscard]] Result<std::string> demo_model_in_memory();

}  // namespace notso
