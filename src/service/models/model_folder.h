// The models on this machine: where they live, what they are, and when they were last used.
//
// A model is a .gguf file in the models folder. Beside NAME.gguf there may be ".NAME.gguf.used",
// whose time of change is when the model was last loaded (the file system's own access times are
// often switched off), and NAME.gguf.part while it is being downloaded.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace notso {

// The folder for things that are worth keeping: $NOTSO_HOME, $STATE_DIRECTORY (systemd's),
// $XDG_DATA_HOME/notso or ~/.local/share/notso; "" where none of these is known.
[[nodiscard]] std::string data_folder();

// Its subfolder for models; "" likewise.
[[nodiscard]] std::string models_folder();

// The tokens of conversation that a model's stated memory has room for.
inline constexpr std::int32_t kListedContext = 8192;

// One model on disk, as its header describes it.
struct ModelInfo {
  std::string path;
  std::string name;  // the file's, as far as it is printable
  std::string type;  // "Q4_K_M"; "" if unknown
  std::uint64_t bytes = 0;
  std::uint64_t parameters = 0;
  std::int32_t context = 0;        // tokens that it was trained for
  std::uint64_t memory_bytes = 0;  // weights and kListedContext tokens of keys and values in f16
  std::chrono::system_clock::time_point modified;
  std::optional<std::chrono::system_clock::time_point> used;
  std::string problem;  // why it cannot be used; "": it can
};

// Describes the file at `path`. Reads its header only.
[[nodiscard]] ModelInfo describe_model(const std::string& path);

// The paths of all models of a folder; none where it cannot be read.
[[nodiscard]] std::vector<std::string> model_paths(const std::string& folder);

// All models of a folder, the newest first. A folder that does not exist has none.
[[nodiscard]] Result<std::vector<ModelInfo>> list_models(const std::string& folder);

// An unfinished download.
struct PartialModel {
  std::string name;         // of the file to be
  std::uint64_t bytes = 0;  // on disk
};

// The unfinished downloads of a folder, by name.
[[nodiscard]] std::vector<PartialModel> list_partial_models(const std::string& folder);

// The path of a model by what a person calls it: a path with a slash, or of the folder's models a
// file's name with or without ".gguf", or a catalogue name ("q4_k_m") of which there is one. The
// error lists what there is.
[[nodiscard]] Result<std::string> find_model(const std::string& folder, std::string_view name);

// What remove_model did.
struct RemovedModel {
  std::string path;         // that the model had, or would have come to have
  std::uint64_t bytes = 0;  // that became free
};

// Removes a model of the folder, never a file elsewhere, or what an unfinished download of it left,
// and its packed weights in `cache_folder`.
[[nodiscard]] Result<RemovedModel> remove_model(const std::string& folder,
                                                const std::string& cache_folder,
                                                std::string_view name);

// Remembers that the model was loaded just now. Best effort: a folder that cannot be written is no
// error.
void note_model_used(const std::string& path);

// Checks that the file is a whole model which this program can run.
[[nodiscard]] Status check_model_file(const std::string& path);

// Checks that the file has this SHA-256. `progress` hears of the bytes read and of all.
[[nodiscard]] Status check_sha256(
    const std::string& path, const std::string& sha256,
    const std::function<void(std::uint64_t done, std::uint64_t total)>& progress);

// Makes a folder and those above it.
[[nodiscard]] Status make_folder(const std::string& folder);

}  // namespace notso
