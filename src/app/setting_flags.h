// Settings as flags of a command.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "app/settings.h"

namespace notso {

// What the command line gave.
struct SettingFlags {
  std::string config_path;
  FlagValues values;
};

// Adds --config and a flag for every row of the table; what is given ends up in `flags`, which must
// live as long as the command. Values are checked while the line is parsed.
void add_setting_flags(CLI::App& command, SettingFlags& flags);

}  // namespace notso
