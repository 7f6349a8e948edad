// Sizes as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace notso {

// "1.92 GB": decimal units with two places, whole bytes below 1000.
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);

}  // namespace notso
