#include "service/template/environment.h"

#include "service/template/object.h"
#include "service/template/runtime.h"
#include "service/template/template_error.h"

namespace notso::jinja {
namespace {

// A function of the embedder.
class EmbedderFunction : public Object {
 public:
  explicit EmbedderFunction(Function function) : function_(std::move(function)) {}
  [[nodiscard]] std::string_view type_name() const override { return "function"; }
  [[nodiscard]] bool callable() const override { return true; }
  Value call(Runtime& /*runtime*/, Arguments& arguments) override {
    Result<Value> result = function_(arguments);
    if (!result) throw TemplateError(result.error().message, result.error().code);
    return std::move(*result);
  }

 private:
  Function function_;
};

}  // namespace

Options html_options() {
  Options options;
  options.autoescape = true;
  options.json = JsonStyle::kHtml;
  return options;
}

void Environment::add_filter(std::string name, Function function) {
  filters_.insert_or_assign(std::move(name), std::move(function));
}

void Environment::add_function(std::string name, Function function) {
  add_global(std::move(name),
             Value::object(std::make_shared<EmbedderFunction>(std::move(function))));
}

void Environment::add_global(std::string name, Value value) {
  globals_.insert_or_assign(std::move(name), std::move(value));
}

const Function* Environment::find_filter(std::string_view name) const {
  const auto found = filters_.find(name);
  return found == filters_.end() ? nullptr : &found->second;
}

const Value* Environment::find_global(std::string_view name) const {
  const auto found = globals_.find(name);
  return found == globals_.end() ? nullptr : &found->second;
}

}  // namespace notso::jinja
