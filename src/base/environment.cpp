#include "base/environment.h"

#include <cstdlib>

namespace notso {

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string environment_folder(const char* own, const char* systemd, const char* xdg,
                               const char* rest) {
  if (const auto home = environment("NOTSO_HOME"); !home.empty()) return home + own;
  if (const auto given = environment(systemd); !given.empty()) {
    return given.substr(0, given.find(':'));
  }
  if (const auto base = environment(xdg); !base.empty()) return base + "/notso";
  if (const auto home = environment("HOME"); !home.empty()) return home + rest;
  return "";
}

}  // namespace notso
