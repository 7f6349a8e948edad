// "Did you mean ...?": the known name that a mistyped one is nearest to.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace notso {

// The name of `names` with the fewest single-character changes (insert, delete, replace, swap of
// neighbours) from `wrong`, the first of equals; nothing where that would be a new word rather than
// a slip: more than a third of its characters.
[[nodiscard]] std::optional<std::string_view> nearest_name(std::string_view wrong,
                                                           std::span<const std::string_view> names);

}  // namespace notso
