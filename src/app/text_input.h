// Text for a command, from a file or from standard input.
#pragma once

#include <string>

#include "base/result.h"

namespace notso {

// All of the file at `path`, or of standard input where it is empty; up to 256 MiB.
[[nodiscard]] Result<std::string> read_text(const std::string& path);

}  // namespace notso
