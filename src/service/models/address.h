// Rules for web addresses: where a redirect may lead, and who may see a token.
#pragma once

#include <string>

#include "base/result.h"

namespace notso {

// "https://host:443" of an address: what decides who may see a token. An error for anything but
// http and https, and for addresses with a user's name in them.
[[nodiscard]] Result<std::string> origin_of(const std::string& url);

// Where a redirect from `from` to `location` (which may be relative) leads. Refused: other schemes
// than http and https, from https to http, and addresses with a user's name in them.
[[nodiscard]] Result<std::string> redirect_target(const std::string& from,
                                                  const std::string& location);

}  // namespace notso
