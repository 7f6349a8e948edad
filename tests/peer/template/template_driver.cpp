// Renders templates for the peer tests: JSON lines in, JSON lines out.
// in:  {"template": "...", "context": {...}, "html": false, "templates": {"name": "source"}}
// out: {"text": "...", "trusted": "..."} (trusted: the trusted spans put together), or
//      {"error": "..."}
#include <boost/json.hpp>
#include <iostream>
#include <string>

#include "service/template/template.h"

namespace json = boost::json;
namespace jinja = notso::jinja;

namespace {

jinja::Value to_value(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return jinja::Value::none();
    case json::kind::bool_:
      return jinja::Value::boolean(value.get_bool());
    case json::kind::int64:
      return jinja::Value::integer(value.get_int64());
    case json::kind::uint64:
      return jinja::Value::number(static_cast<double>(value.get_uint64()));
    case json::kind::double_:
      return jinja::Value::number(value.get_double());
    case json::kind::string:
      return jinja::Value::string(std::string_view(value.get_string()));
    case json::kind::array: {
      std::vector<jinja::Value> items;
      for (const json::value& item : value.get_array()) items.push_back(to_value(item));
      return jinja::Value::list(std::move(items));
    }
    case json::kind::object: {
      jinja::Dict dict;
      for (const auto& entry : value.get_object()) dict.set(entry.key(), to_value(entry.value()));
      return jinja::Value::dict(std::move(dict));
    }
  }
  return {};
}

// The day on which the peer tests play.
std::tm fixed_clock() {
  std::tm time{};
  time.tm_year = 2026 - 1900;
  time.tm_mon = 10;
  time.tm_mday = 20;
  time.tm_wday = 5;
  time.tm_yday = 323;
  time.tm_hour = 9;
  time.tm_min = 5;
  time.tm_sec = 7;
  return time;
}

json::object render(const json::object& request) {
  const bool html = request.contains("html") && request.at("html").as_bool();
  jinja::Options options = html ? jinja::html_options() : jinja::Options();
  options.clock = fixed_clock;
  auto environment = std::make_shared<jinja::Environment>(options);
  if (request.contains("templates")) {
    const json::object sources = request.at("templates").as_object();
    environment->set_loader([sources](std::string_view name) -> std::optional<std::string> {
      const json::value* source = sources.if_contains(name);
      if (source == nullptr) return std::nullopt;
      return std::string(std::string_view(source->get_string()));
    });
  }
  const std::string source(std::string_view(request.at("template").as_string()));
  const auto compiled = jinja::Template::parse(environment, "test", source);
  if (!compiled) return {{"error", compiled.error().message}};
  const auto rendered = compiled->render(to_value(request.at("context")));
  if (!rendered) return {{"error", rendered.error().message}};
  std::string trusted;
  for (const jinja::Span& span : rendered->spans) {
    if (span.trusted) trusted += span.text;
  }
  return {{"text", rendered->text()}, {"trusted", trusted}};
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << json::serialize(render(json::parse(line).as_object())) << "\n";
  }
  return 0;
}
