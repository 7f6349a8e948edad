#include "web/http/router.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/check.h"

namespace notso::http {
namespace {

// One part of a pattern between slashes.
struct Part {
  enum class Kind { kLiteral, kName, kRest } kind = Kind::kLiteral;
  std::string text;  // the literal, or the name
};

struct Route {
  std::string method;
  std::string pattern;
  std::vector<Part> parts;
  Handler handler;
  RouteOptions options;
};

// Takes the first part off a path that begins with '/'.
std::string_view take_part(std::string_view& path) {
  path.remove_prefix(1);
  const std::string_view part = path.substr(0, path.find('/'));
  path.remove_prefix(part.size());
  return part;
}

std::vector<Part> parse_pattern(std::string_view pattern) {
  NOTSO_CHECK(!pattern.empty() && pattern.front() == '/');
  std::vector<Part> parts;
  while (!pattern.empty()) {
    const std::string_view part = take_part(pattern);
    if (part.size() < 2 || part.front() != '{' || part.back() != '}') {
      parts.push_back({Part::Kind::kLiteral, std::string(part)});
      continue;
    }
    std::string_view name = part.substr(1, part.size() - 2);
    const bool rest = name.ends_with("...");
    if (rest) name.remove_suffix(3);
    NOTSO_CHECK(!name.empty() && (!rest || pattern.empty()));
    parts.push_back({rest ? Part::Kind::kRest : Part::Kind::kName, std::string(name)});
  }
  return parts;
}

// What the names of a route match in `path`; nothing if the path is another's.
std::optional<std::vector<Field>> match(const std::vector<Part>& parts, std::string_view path) {
  std::vector<Field> names;
  for (const Part& part : parts) {
    if (path.empty() || path.front() != '/') return std::nullopt;
    if (part.kind == Part::Kind::kRest) {
      if (path.size() < 2) return std::nullopt;
      names.push_back({part.text, std::string(path.substr(1))});
      return names;
    }
    const std::string_view text = take_part(path);
    if (part.kind == Part::Kind::kLiteral) {
      if (text != part.text) return std::nullopt;
    } else {
      if (text.empty()) return std::nullopt;
      names.push_back({part.text, std::string(text)});
    }
  }
  if (!path.empty()) return std::nullopt;
  return names;
}

// Literal parts go before names, and names before the rest of a path, from left to right.
bool goes_before(const Route& a, const Route& b) {
  return std::lexicographical_compare(a.parts.begin(), a.parts.end(), b.parts.begin(),
                                      b.parts.end(),
                                      [](const Part& x, const Part& y) { return x.kind < y.kind; });
}

void add_method(std::string& methods, std::string_view method) {
  if (methods.find(method) != std::string::npos) return;
  if (!methods.empty()) methods += ", ";
  methods += method;
}

}  // namespace

struct Router::Impl {
  std::vector<Route> routes;  // in the order in which they are tried
};

Router::Router() : impl_(std::make_unique<Impl>()) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

void Router::add(std::string_view method, std::string_view pattern, Handler handler,
                 RouteOptions options) {
  Route route{std::string(method), std::string(pattern), parse_pattern(pattern), std::move(handler),
              options};
  auto& routes = impl_->routes;
  NOTSO_CHECK(std::none_of(routes.begin(), routes.end(), [&](const Route& other) {
    return other.method == route.method && other.pattern == route.pattern;
  }));
  routes.insert(std::upper_bound(routes.begin(), routes.end(), route, goes_before),
                std::move(route));
}

Router::Match Router::find(std::string_view method, std::string_view path) const {
  Match result;
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  for (const Route& route : impl_->routes) {
    auto names = match(route.parts, path);
    if (!names) continue;
    add_method(result.allowed, route.method);
    if (route.method == "GET") add_method(result.allowed, "HEAD");
    if (result.handler != nullptr) continue;
    // A path belongs to its first pattern, also where the method is not one of that pattern's.
    if (result.pattern.empty()) {
      result.pattern = route.pattern;
      result.options = route.options;
    }
    if (route.method == wanted) {
      result.handler = &route.handler;
      result.pattern = route.pattern;
      result.options = route.options;
      result.path_parameters = std::move(*names);
    }
  }
  if (!result.allowed.empty()) add_method(result.allowed, "OPTIONS");
  return result;
}

}  // namespace notso::http
