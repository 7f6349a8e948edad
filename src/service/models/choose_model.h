// Which model a start takes when several could be meant.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace notso {

// The choice, and why. An empty path is the built-in demo.
struct ModelChoice {
  enum class Reason { kFlag, kConfiguration, kNewest, kDemo };
  std::string path;
  Reason reason = Reason::kDemo;
  std::vector<std::string> notes;  // models that were passed over, a line each, with the reason
};

// What the choice is made from. Texts are paths or names of models in the folder; "": not given.
struct ModelWishes {
  std::string flag;
  std::string configuration;  // of the environment or a file
  std::string folder;         // where models are kept
};

// The flag decides, then the configuration; what they name must exist. Else the newest usable model
// of the folder, else the demo. "demo" asks for the demo by name.
[[nodiscard]] Result<ModelChoice> choose_model(const ModelWishes& wishes);

}  // namespace notso
