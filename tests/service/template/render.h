// Helpers for the tests of the template interpreter.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "service/template/template.h"

namespace notso::jinja {

// The output of `source`, or its error message.
inline std::string render(std::string_view source, const Dict& context = {},
                          const Options& options = {}) {
  auto parsed = Template::parse(std::make_shared<Environment>(options), "test", source);
  if (!parsed) return parsed.error().message;
  auto rendered = parsed->render(Value::dict(context));
  return rendered ? rendered->text() : rendered.error().message;
}

// The output with each untrusted span in «».
inline std::string render_spans(std::string_view source, const Dict& context = {},
                                const Options& options = {}) {
  auto parsed = Template::parse(std::make_shared<Environment>(options), "test", source);
  if (!parsed) return parsed.error().message;
  auto rendered = parsed->render(Value::dict(context));
  if (!rendered) return rendered.error().message;
  std::string all;
  for (const Span& span : rendered->spans) {
    all += span.trusted ? span.text : "«" + span.text + "»";
  }
  return all;
}

// A dict with one untrusted string.
inline Dict with(std::string_view name, std::string_view text) {
  Dict context;
  context.set(name, Value::string(text));
  return context;
}

}  // namespace notso::jinja
