#include "service/template/template.h"

#include <new>

#include "service/template/ast.h"
#include "service/template/interpreter.h"
#include "service/template/lexer.h"
#include "service/template/template_error.h"

namespace notso::jinja {
namespace {

std::string located(const std::string& name, int line, std::string message) {
  for (char& c : message) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return "template " + name + " line " + std::to_string(line) + ": " + message;
}

}  // namespace

std::string Rendered::text() const {
  std::string all;
  for (const Span& span : spans) all += span.text;
  return all;
}

Template::Template(std::shared_ptr<const Environment> environment,
                   std::shared_ptr<const TemplateSource> source)
    : environment_(std::move(environment)), source_(std::move(source)) {}

Result<Template> Template::parse(std::shared_ptr<const Environment> environment,
                                 const std::string& name, std::string_view source) {
  try {
    auto parsed =
        std::make_shared<const TemplateSource>(parse_template(*environment, name, source));
    return Template(std::move(environment), std::move(parsed));
  } catch (const SyntaxError& error) {
    return fail(ErrorCode::kInvalidArgument, located(name, error.line, error.message));
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::kResourceExhausted, located(name, 1, "out of memory"));
  }
}

Result<Template> Template::load(std::shared_ptr<const Environment> environment,
                                const std::string& name) {
  std::optional<std::string> source;
  if (environment->loader()) source = environment->loader()(name);
  if (!source) return fail(ErrorCode::kNotFound, "there is no template '" + name + "'");
  return parse(std::move(environment), name, *source);
}

Result<Rendered> Template::render(const Value& context) const {
  if (!context.is(Kind::kDict)) {
    return fail(ErrorCode::kInvalidArgument, "the context of a template must be a dict");
  }
  Interpreter interpreter(environment_);
  try {
    const Text text = interpreter.render(source_, context.as_dict());
    Rendered rendered;
    std::size_t begin = 0;
    for (const Text::Run& run : text.runs()) {
      rendered.spans.push_back(
          {std::string(text.view().substr(begin, run.end - begin)), run.trusted});
      begin = run.end;
    }
    return rendered;
  } catch (const TemplateError& error) {
    return fail(error.code,
                located(interpreter.template_name(), interpreter.line(), error.message));
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::kResourceExhausted,
                located(interpreter.template_name(), interpreter.line(), "out of memory"));
  }
}

}  // namespace notso::jinja
