// The models that a server can run, by name: those of the models folder, the one that it was
// started with, wherever that is, and the built-in demo. What the headers say is read once for each
// version of a file.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/models/model_folder.h"

namespace notso {

// Safe to use from many threads.
class ModelShelf {
 public:
  // `first` and `last` are further files; "": none.
  ModelShelf(std::string folder, std::string first, std::string last = "");

  // All of them as they are now, those that cannot be used included: `first`, the folder's with the
  // newest first, `last`.
  [[nodiscard]] std::vector<ModelInfo> list();

  // One that can be used, by its file's name with or without ".gguf", a catalogue name, or a type
  // of which there is one. A name never leads anywhere else on the disk.
  [[nodiscard]] std::optional<ModelInfo> find(std::string_view name);

  [[nodiscard]] const std::string& folder() const { return folder_; }

 private:
  // Length and time of the last change.
  using Version = std::pair<std::uint64_t, std::int64_t>;
  struct Known {
    Version version;
    ModelInfo info;
  };

  [[nodiscard]] const ModelInfo* described(const std::string& path);

  const std::string folder_;
  const std::string first_;
  const std::string last_;
  std::mutex mutex_;
  std::map<std::string, Known> known_;  // by path
};

}  // namespace notso
