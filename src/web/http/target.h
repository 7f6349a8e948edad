// The target of a request line: "/path?query", "http://host/path?query" or "*". Paths are decoded
// once and refused where they could be read in two ways: "." and ".." parts, empty parts,
// backslashes, control characters and bytes that are not UTF-8, plain or percent-encoded alike.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "web/http/message.h"

namespace notso::http {

// A target in its pieces.
struct Target {
  bool asterisk = false;          // "*", which only OPTIONS may ask for
  std::string scheme;             // of an absolute target, lower case; else empty
  std::string authority;          // of an absolute target: "host:port"; else empty
  std::string path;               // decoded
  std::string query;              // as it came, without the '?'
  std::vector<Field> parameters;  // of the query, decoded
};

// Reads a request line's target. Errors say what is wrong with it.
Result<Target> parse_target(std::string_view text);

// Decodes %XX, and '+' as a space where `plus_is_space`. Fails on an incomplete or wrong %XX.
Result<std::string> percent_decode(std::string_view text, bool plus_is_space);

// The reverse, for a part of a target: everything is %XX but letters, digits, "-._~" and '/'.
std::string percent_encode(std::string_view text);

}  // namespace notso::http
