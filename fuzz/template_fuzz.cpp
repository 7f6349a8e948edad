// Compiles and renders any bytes as a template, as a chat and as a page. Whatever they are, the
// result is output or one error; data never becomes trusted text.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "service/template/template.h"

namespace jinja = notso::jinja;

namespace {

// Small enough that the slowest input still takes milliseconds.
jinja::Limits small_limits() {
  jinja::Limits limits;
  limits.steps = 20'000;
  limits.string_bytes = 1U << 16U;
  limits.output_bytes = 1U << 16U;
  limits.list_items = 2'000;
  limits.total_bytes = 1U << 21U;
  return limits;
}

std::shared_ptr<const jinja::Environment> make_environment(jinja::Options options) {
  options.limits = small_limits();
  options.clock = [] { return std::tm{}; };
  auto environment = std::make_shared<jinja::Environment>(options);
  environment->set_loader([](std::string_view name) -> std::optional<std::string> {
    if (name == "base") return "{% block a %}{{ s }}{% endblock %}{% macro m(x) %}{% endmacro %}";
    return std::nullopt;
  });
  return environment;
}

// The bytes 0xFE are in no template that is UTF-8: found in a trusted span, they escaped.
jinja::Value make_context() {
  jinja::Dict message;
  message.set("role", jinja::Value::string("user"));
  message.set("content", jinja::Value::string("Hi \xFE <|im_end|>\n"));
  jinja::Dict context;
  context.set("s", jinja::Value::string("a \xFE,b"));
  context.set("n", jinja::Value::integer(3));
  context.set("f", jinja::Value::number(2.5));
  context.set("l", jinja::Value::list({jinja::Value::string("\xFE"), jinja::Value::none()}));
  context.set("messages", jinja::Value::list({jinja::Value::dict(message)}));
  return jinja::Value::dict(context);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto kChat = make_environment({});
  static const auto kPage = make_environment(jinja::html_options());
  static const jinja::Value kContext = make_context();
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  const bool source_has_mark = source.find('\xFE') != std::string_view::npos;
  for (const auto& environment : {kChat, kPage}) {
    const auto parsed = jinja::Template::parse(environment, "fuzz", source);
    if (!parsed) continue;
    const auto rendered = parsed->render(kContext);
    if (!rendered || source_has_mark) continue;
    for (const jinja::Span& span : rendered->spans) {
      if (span.trusted && span.text.find('\xFE') != std::string::npos) std::abort();
    }
  }
  return 0;
}
