#include "web/ui/pages.h"

#include <optional>
#include <utility>

#include "web/ui/assets.h"
#include "web/ui/html.h"

namespace notso::ui {
namespace {

using jinja::Value;

// {{ icon('copy') }}: a symbol of the sprite in icons.html.
Result<Value> icon(const jinja::Arguments& arguments) {
  if (arguments.positional.size() != 1 || !arguments.positional[0].is(jinja::Kind::kString)) {
    return fail(ErrorCode::kInternal, "icon() takes a name");
  }
  return Value::markup("<svg class=\"icon\" aria-hidden=\"true\"><use href=\"#i-" +
                       escaped(arguments.positional[0].as_view()) + "\"/></svg>");
}

}  // namespace

Result<std::shared_ptr<const Pages>> Pages::load() {
  auto environment = std::make_shared<jinja::Environment>(jinja::html_options());
  environment->add_function("icon", icon);
  environment->add_global("assets", Value::trusted(assets_folder()));
  environment->set_loader([](std::string_view name) -> std::optional<std::string> {
    const std::string_view source = find_template(name);
    if (source.empty()) return std::nullopt;
    return std::string(source);
  });
  std::shared_ptr<Pages> pages(new Pages());
  for (const TemplateFile& file : template_files()) {
    std::string name(file.name);
    Result<jinja::Template> compiled = jinja::Template::load(environment, name);
    if (!compiled) return pass_on(compiled);
    pages->templates_.emplace(std::move(name), std::move(*compiled));
  }
  return std::shared_ptr<const Pages>(std::move(pages));
}

Result<std::string> Pages::render(const std::string& name, const jinja::Dict& variables) const {
  const auto found = templates_.find(name);
  if (found == templates_.end()) {
    return fail(ErrorCode::kInternal, "there is no template '" + name + "'");
  }
  Result<jinja::Rendered> rendered = found->second.render(Value::dict(variables));
  if (!rendered) return pass_on(rendered);
  return rendered->text();
}

}  // namespace notso::ui
