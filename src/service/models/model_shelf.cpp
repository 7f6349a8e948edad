#include "service/models/model_shelf.h"

#include <algorithm>
#include <filesystem>
#include <sys/stat.h>

#include "service/models/catalogue.h"
#include "service/models/lower_case.h"

namespace notso {
namespace {

// The file that a catalogue name stands for; "" for any other text, addresses above all.
std::string catalogue_file(std::string_view name) {
  if (name.empty() || name.find_first_of("/:") != name.npos) return "";
  const auto source = resolve_model_source(name, Hub());
  return source ? source->file_name : "";
}

}  // namespace

ModelShelf::ModelShelf(std::string folder, std::string first, std::string last)
    : folder_(std::move(folder)), first_(std::move(first)), last_(std::move(last)) {}

const ModelInfo* ModelShelf::described(const std::string& path) {
  struct stat facts {};
  if (stat(path.c_str(), &facts) != 0) {
    known_.erase(path);
    return nullptr;
  }
  const Version version{static_cast<std::uint64_t>(facts.st_size),
                        facts.st_mtim.tv_sec * 1'000'000'000 + facts.st_mtim.tv_nsec};
  const auto found = known_.find(path);
  if (found != known_.end() && found->second.version == version) return &found->second.info;
  return &known_.insert_or_assign(path, Known{version, describe_model(path)}).first->second.info;
}

std::vector<ModelInfo> ModelShelf::list() {
  const std::lock_guard lock(mutex_);
  std::vector<ModelInfo> models;
  std::error_code error;
  for (const std::string& path : model_paths(folder_)) {
    if (std::filesystem::equivalent(path, first_, error)) continue;
    if (const ModelInfo* info = described(path)) models.push_back(*info);
  }
  std::stable_sort(models.begin(), models.end(),
                   [](const ModelInfo& a, const ModelInfo& b) { return a.modified > b.modified; });
  if (!first_.empty()) {
    if (const ModelInfo* info = described(first_)) models.insert(models.begin(), *info);
  }
  if (!last_.empty() && last_ != first_) {
    if (const ModelInfo* info = described(last_)) models.push_back(*info);
  }
  return models;
}

std::optional<ModelInfo> ModelShelf::find(std::string_view name) {
  const std::string wanted = lower_case(name);
  const std::string file = catalogue_file(name);
  std::vector<ModelInfo> of_type;
  for (const ModelInfo& model : list()) {
    if (!model.problem.empty()) continue;
    const std::string here = lower_case(model.name);
    if (here == wanted || here == wanted + ".gguf" || model.name == file) return model;
    if (lower_case(model.type) == wanted) of_type.push_back(model);
  }
  if (of_type.size() == 1) return of_type.front();
  return std::nullopt;
}

}  // namespace notso
