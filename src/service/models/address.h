// Rules for web addresses: where a redirect may lead, who may see a token, and what is shown.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace notso {

// An address as messages and logs may have it: without what may be secret in it, the user's name
// and password before the host and the query, where signatures stand; and not too long.
[[nodiscard]] std::string shown_address(std::string_view url);

// "https://host:443" of an address: what decides who may see a token. An error for anything but
// http and https, and for addresses with a user's name in them.
[[nodiscard]] Result<std::string> origin_of(const std::string& url);

// Where a redirect from `from` to `location` (which may be relative) leads. Refused: other schemes
// than http and https, from https to http, and addresses with a user's name in them.
[[nodiscard]] Result<std::string> redirect_target(const std::string& from,
                                                  const std::string& location);

}  // namespace notso
