// What the page is told of the model and the server.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace notso::ui {

// How it stands with the model.
struct UiModel {
  enum class State : std::uint8_t { kLoading, kReady, kFailed };
  State state = State::kLoading;
  std::string name;    // "SmolLM3-3B Q4_K_M"
  std::string reason;  // why it is not ready, or why this one runs and not another
  bool demo = false;   // the built-in one: the page says how to get a real one
};

// A name and a text for the panels.
using UiFact = std::pair<std::string, std::string>;

}  // namespace notso::ui
