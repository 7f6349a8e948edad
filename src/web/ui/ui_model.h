// What the page is told of the model and the server.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

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

// A model on disk.
struct UiModelFile {
  std::string name;   // as it is chosen by
  std::string facts;  // "Q4_K_M, 1.92 GB"
  std::string state;  // "Answers", "Loaded", "Loading 40%"; "": none of these
  bool can_choose = false;
};

// A model that can be downloaded.
struct UiOffer {
  std::string name;  // in the catalogue
  std::string about;
  bool begun = false;  // some of it is there
};

// A download, or what is left of one.
struct UiDownload {
  enum class State : std::uint8_t { kNone, kRunning, kStopped, kFailed };
  State state = State::kNone;
  std::string name;  // in the catalogue
  std::string text;  // how far it is, or what went wrong
  int percent = -1;  // -1: nobody knows
};

// The models as the page shows them.
struct UiModels {
  bool may_change = false;  // whether this server lets the page switch and download
  bool wants_real = false;  // the demo answers, or nothing does, and nothing is being loaded
  std::string loading;      // the line about a model that is being loaded; "": none is
  std::string trouble;      // why the last choice does not answer; "": it does
  std::string folder;
  std::vector<UiModelFile> files;
  std::vector<UiOffer> offers;  // that are not there yet; the one to begin with first
  UiDownload download;
};

// What the page may ask of them. All are quick; errors are shown as they are.
struct UiModelActions {
  std::function<UiModels()> models;
  std::function<Status(const std::string& name)> choose;
  std::function<Status(const std::string& name)> download;  // begins it, or goes on with it
  std::function<Status()> cancel;                           // what has come stays
  std::function<Status(const std::string& name)> discard;   // what has come goes
};

}  // namespace notso::ui
