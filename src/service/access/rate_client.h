// The names under which requests are counted: rates, generated tokens, fair portions.
#pragma once

#include <string>

namespace notso {

// Whom a request is counted for: the key's name (`principal`), or where there are no keys ("") the
// address; of IPv6 the network of 64 bits, as one client has all of it.
[[nodiscard]] std::string rate_client(const std::string& principal, const std::string& address);

}  // namespace notso
