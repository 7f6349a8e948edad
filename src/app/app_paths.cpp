#include "app/app_paths.h"

#include <filesystem>

#include "base/environment.h"

namespace notso {
namespace {

std::string inside(const std::string& folder, const char* name) {
  return folder.empty() ? name : folder + "/" + name;
}

}  // namespace

std::string state_folder() {
  return environment_folder("", "STATE_DIRECTORY", "XDG_STATE_HOME", "/.local/state/notso");
}

std::string cache_folder() {
  return environment_folder("/cache", "CACHE_DIRECTORY", "XDG_CACHE_HOME", "/.cache/notso");
}

std::string prefixes_folder(const std::string& model_path) {
  const std::string state = state_folder();
  if (state.empty()) return "";
  return state + "/prefixes/" + std::filesystem::path(model_path).stem().string();
}

std::string default_keys_file() { return inside(state_folder(), "keys"); }

std::string default_sessions_file() { return inside(state_folder(), "sessions.db"); }

}  // namespace notso
