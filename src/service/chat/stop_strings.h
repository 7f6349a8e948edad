// Stop strings in a stream of text: finds them wherever the stream was cut, and holds back what may
// yet become one.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace notso {

// At most this many stop strings for an answer, and bytes in each.
inline constexpr std::size_t kStopStringsMax = 32;
inline constexpr std::size_t kStopStringBytesMax = 1024;

// Checks number and sizes; none may be empty or anything but UTF-8.
[[nodiscard]] Status validate_stop_strings(std::span<const std::string> stops);

// Looks for valid stop strings in one stream. Of several, the one that is complete first counts; of
// those that end at the same place, the longest.
class StopMatcher {
 public:
  explicit StopMatcher(std::span<const std::string> stops);

  // Takes in whole characters and appends to `out` what surely precedes every stop string. True
  // once one is found: it and all after it are dropped, then and later.
  bool feed(std::string_view text, std::string& out);

  // Forgets the half-found: appends to `out` what was held back, as it will not become a stop.
  void flush(std::string& out);

 private:
  // One string, and how far it is matched (Knuth, Morris and Pratt).
  struct Stop {
    std::string text;
    std::vector<std::size_t> fallback;  // [size] longest proper border of the first i + 1 bytes
    std::size_t matched = 0;

    bool step(char c);
  };

  std::vector<Stop> stops_;
  std::string held_;
  bool found_ = false;
};

}  // namespace notso
