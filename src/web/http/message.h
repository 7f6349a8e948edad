// Requests and answers as plain values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace notso::http {

// A header or a query parameter.
struct Field {
  std::string name;
  std::string value;
};

// A request that has passed the limits. Header names compare without case.
struct Request {
  std::string id;      // ours, in the log and in X-Request-Id
  std::string method;  // "GET", ...
  std::string path;    // decoded, without the query; begins with '/', has no "." or ".." parts
  std::string query;   // as it came
  std::vector<Field> parameters;       // of the query, decoded
  std::vector<Field> path_parameters;  // what the route's {names} matched
  std::vector<Field> headers;
  std::string body;
  std::string remote;  // the client's address; behind a trusted proxy, the one it forwards
  bool secure = false;
  std::string principal;  // who it is, set by the gate: the id of an API key, "" for nobody

  // The first header or query parameter of that name.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
  [[nodiscard]] std::optional<std::string_view> parameter(std::string_view name) const;
  // The value that the route's {name} matched; "" for an unknown name.
  [[nodiscard]] std::string_view path_parameter(std::string_view name) const;
};

// A whole answer. Not an aggregate: g++ 12 copies aggregates bit by bit where one is made inside
// the argument of a co_await, which breaks the strings in them.
struct Response {
  Response() = default;
  // An answer with its parts.
  explicit Response(int with_status) : status(with_status) {}
  Response(int with_status, std::vector<Field> with_headers, std::string with_body = {})
      : status(with_status), headers(std::move(with_headers)), body(std::move(with_body)) {}

  int status = 200;
  std::vector<Field> headers;
  std::string body;
};

}  // namespace notso::http
