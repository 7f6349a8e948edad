#include "service/models/choose_model.h"

#include "service/models/model_folder.h"

namespace notso {
namespace {

constexpr std::string_view kDemoName = "demo";

Result<ModelChoice> named(const ModelWishes& wishes, const std::string& name,
                          ModelChoice::Reason reason) {
  if (name == kDemoName) return ModelChoice{"", reason, {}};
  auto path = find_model(wishes.folder, name);
  if (!path) return pass_on(path);
  return ModelChoice{*path, reason, {}};
}

}  // namespace

Result<ModelChoice> choose_model(const ModelWishes& wishes) {
  if (!wishes.flag.empty()) return named(wishes, wishes.flag, ModelChoice::Reason::kFlag);
  if (!wishes.configuration.empty()) {
    return named(wishes, wishes.configuration, ModelChoice::Reason::kConfiguration);
  }
  ModelChoice choice;
  const auto models = list_models(wishes.folder);
  if (!models) {
    choice.notes.push_back(models.error().message);
    return choice;
  }
  for (const ModelInfo& model : *models) {
    if (model.problem.empty()) {
      choice.path = model.path;
      choice.reason = ModelChoice::Reason::kNewest;
      return choice;
    }
    choice.notes.push_back(model.problem);
  }
  return choice;
}

}  // namespace notso
