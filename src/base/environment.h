// Environment variables, and the folders of the program that they lead to.
#pragma once

#include <string>

namespace notso {

// The value of a variable; "" where it is not set.
[[nodiscard]] std::string environment(const char* name);

// A folder for the program's own files: the first of $NOTSO_HOME + `own`, $`systemd` (its first
// folder; a service may have no HOME), $`xdg`/notso and $HOME + `rest`; "" where none is set.
[[nodiscard]] std::string environment_folder(const char* own, const char* systemd, const char* xdg,
                                             const char* rest);

}  // namespace notso
