// Names of files, types and hashes are compared without regard to case.
#pragma once

#include <string>
#include <string_view>

namespace notso {

// `text` with A to Z in lower case, whatever the locale.
[[nodiscard]] inline std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace notso
