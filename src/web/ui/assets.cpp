#include "web/ui/assets.h"

namespace notso::ui {

std::string_view find_template(std::string_view name) {
  for (const TemplateFile& file : template_files()) {
    if (file.name == name) return file.source;
  }
  return {};
}

std::string assets_folder() { return "/assets/" + std::string(kAssetsHash); }

}  // namespace notso::ui
