// Where notso keeps its own files, by the rules of the XDG base directories; NOTSO_HOME puts all in
// one folder. systemd's variables go before HOME, which a service may not have.
#pragma once

#include <string>

namespace notso {

// What the program remembers: $NOTSO_HOME, $STATE_DIRECTORY, $XDG_STATE_HOME/notso or
// ~/.local/state/notso; "" if none is set.
[[nodiscard]] std::string state_folder();

// What can be made again: $NOTSO_HOME/cache, $CACHE_DIRECTORY, $XDG_CACHE_HOME/notso or
// ~/.cache/notso.
[[nodiscard]] std::string cache_folder();

// The API keys' file where no setting names another: "keys" in the state folder.
[[nodiscard]] std::string default_keys_file();

// The conversations' file where no setting names another: "sessions.db" in the state folder.
[[nodiscard]] std::string default_sessions_file();

}  // namespace notso
