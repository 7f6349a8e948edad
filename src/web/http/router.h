// Which handler answers which path. Patterns are literal parts and {names} that match one part:
// "/api/chats/{id}/messages"; a last part "{name...}" matches the rest.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "web/http/exchange.h"

namespace notso::http {

// What a route asks of the gate that stands before it.
struct RouteOptions {
  bool open = false;               // needs no API key even where keys are set
  bool changes_state = true;       // for methods other than GET and HEAD: Origin must be ours
  std::size_t body_bytes_max = 0;  // 0: the server's
};

// The table of routes; filled before the server starts, constant after.
class Router {
 public:
  Router();
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;

  // Adds a route. A GET route answers HEAD as well. Two routes for one method and pattern are a
  // programmer's error.
  void add(std::string_view method, std::string_view pattern, Handler handler,
           RouteOptions options = {});

  // What a request's method and path lead to.
  struct Match {
    const Handler* handler = nullptr;  // none: not found, or another method
    RouteOptions options;
    std::vector<Field> path_parameters;
    std::string allowed;  // methods of the path, for 405's Allow; "": no such path
    std::string pattern;  // for logs and metrics
  };
  [[nodiscard]] Match find(std::string_view method, std::string_view path) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace notso::http
