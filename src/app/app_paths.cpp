#include "app/app_paths.h"

#include <cstdlib>
#include <filesystem>

namespace notso {
namespace {

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// The first of: $NOTSO_HOME + `own`, $`systemd` (its first folder), $`xdg`/notso, $HOME + `rest`.
std::string folder(const char* own, const char* systemd, const char* xdg, const char* rest) {
  if (const auto home = environment("NOTSO_HOME"); !home.empty()) return home + own;
  if (const auto given = environment(systemd); !given.empty()) {
    return given.substr(0, given.find(':'));
  }
  if (const auto base = environment(xdg); !base.empty()) return base + "/notso";
  if (const auto home = environment("HOME"); !home.empty()) return home + rest;
  return "";
}

std::string inside(const std::string& folder, const char* name) {
  return folder.empty() ? name : folder + "/" + name;
}

}  // namespace

std::string state_folder() {
  return folder("", "STATE_DIRECTORY", "XDG_STATE_HOME", "/.local/state/notso");
}

std::string cache_folder() {
  return folder("/cache", "CACHE_DIRECTORY", "XDG_CACHE_HOME", "/.cache/notso");
}

std::string prefixes_folder(const std::string& model_path) {
  const std::string state = state_folder();
  if (state.empty()) return "";
  return state + "/prefixes/" + std::filesystem::path(model_path).stem().string();
}

std::string default_keys_file() { return inside(state_folder(), "keys"); }

std::string default_sessions_file() { return inside(state_folder(), "sessions.db"); }

}  // namespace notso
