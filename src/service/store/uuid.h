// Names that nobody can guess: UUIDs of version 7 (RFC 9562), which rise with time, with more
// random bits after them.
//
//   01890a5d-ac96-774b-bcce-b302099a8057-1f0c5e7a92b344
//   |--- ms ---|  |--- 74 random bits ---| |- 56 more -|
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace notso {

// A new name for something that its name alone gives access to: a UUID v7 of the time (milliseconds
// of unix time), a dash, and 14 more hexadecimal digits. 130 bits are random.
[[nodiscard]] Result<std::string> new_secret_id(std::int64_t unix_ms);

}  // namespace notso
