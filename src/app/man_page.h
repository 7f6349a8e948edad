// The manual page, written from the command line's own description.
#pragma once

#include <string>
#include <string_view>

#include "app/cli_tree.h"

namespace notso {

// notso(1) in man's macros.
[[nodiscard]] std::string man_page(const CliCommand& root, std::string_view version);

}  // namespace notso
