// Shell completion scripts, written from the command line's own description.
#pragma once

#include <string>

#include "app/cli_tree.h"

namespace notso {

// A script for bash, to be sourced or put into bash-completion's folder.
[[nodiscard]] std::string bash_completion(const CliCommand& root);

// A function file for zsh: _notso in a folder of $fpath.
[[nodiscard]] std::string zsh_completion(const CliCommand& root);

// A script for fish.
[[nodiscard]] std::string fish_completion(const CliCommand& root);

}  // namespace notso
