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

// Where what a model has read is kept between two runs: by the file's name in the state folder,
// since two engines in one folder would drop each other's. "" where there is no such folder.
[[nodiscard]] std::string prefixes_folder(const std::string& model_path);

// The API keys' file where no setting names another: "keys" in the state folder.
[[nodiscard]] std::string default_keys_file();

// The conversations' file where no setting names another: "sessions.db" in the state folder.
[[nodiscard]] std::string default_sessions_file();

}  // namespace notso
