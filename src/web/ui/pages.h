// The page's templates, ready to render.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "service/template/template.h"
#include "service/template/value.h"

namespace notso::ui {

// All templates of the program, compiled once. Safe to use from many threads.
class Pages {
 public:
  // Fails only by a fault of our own: a template that does not compile.
  static Result<std::shared_ptr<const Pages>> load();

  // Renders one template with `variables`.
  [[nodiscard]] Result<std::string> render(const std::string& name,
                                           const jinja::Dict& variables) const;

 private:
  Pages() = default;
  std::map<std::string, jinja::Template, std::less<>> templates_;
};

}  // namespace notso::ui
