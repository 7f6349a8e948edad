// The template interpreter: the Jinja that chat templates and our HTML pages are written in. A
// template is compiled once and rendered many times, from any thread. Output keeps apart what the
// template says (trusted) and what came from data (untrusted).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "service/template/environment.h"
#include "service/template/value.h"

namespace notso::jinja {

// A piece of the output.
struct Span {
  std::string text;
  bool trusted;
};

// The output: neighbours differ in trust, none is empty.
struct Rendered {
  std::vector<Span> spans;
  // The spans put together.
  [[nodiscard]] std::string text() const;
};

struct TemplateSource;

// A compiled template. Cheap to copy, immutable.
class Template {
 public:
  // Compiles `source`. Errors read "template NAME line N: ...".
  static Result<Template> parse(std::shared_ptr<const Environment> environment,
                                const std::string& name, std::string_view source);
  // Compiles what the environment's loader knows under `name`.
  static Result<Template> load(std::shared_ptr<const Environment> environment,
                               const std::string& name);

  // Renders with the variables of `context`, which must be a dict. Everything that goes wrong, a
  // limit included, is an error "template NAME line N: ..."; there is no partial output.
  [[nodiscard]] Result<Rendered> render(const Value& context) const;

 private:
  Template(std::shared_ptr<const Environment> environment,
           std::shared_ptr<const TemplateSource> source);
  std::shared_ptr<const Environment> environment_;
  std::shared_ptr<const TemplateSource> source_;
};

}  // namespace notso::jinja
