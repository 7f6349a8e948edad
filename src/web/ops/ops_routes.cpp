#include "web/ops/ops_routes.h"

#include <utility>

namespace notso::ops {
namespace {

http::Response text_response(int status, const char* type, std::string body) {
  return {status, {{"Content-Type", type}, {"Cache-Control", "no-store"}}, std::move(body)};
}

}  // namespace

void add_ops_routes(http::Router& router, std::function<OpsStatus()> status) {
  router.add("GET", "/health",
             [status](http::Exchange& exchange) -> boost::asio::awaitable<void> {
               const OpsStatus now = status();
               const bool ready = now.readiness.ready;
               auto response =
                   text_response(ready ? 200 : 503, "application/json", health_json(now));
               if (!ready) response.headers.push_back({"Retry-After", "2"});
               co_await exchange.respond(std::move(response));
             },
             {.open = true});
  router.add("GET", "/metrics", [status](http::Exchange& exchange) -> boost::asio::awaitable<void> {
    co_await exchange.respond(
        text_response(200, "text/plain; version=0.0.4; charset=utf-8", prometheus_text(status())));
  });
  router.add(
      "GET", "/api/status", [status](http::Exchange& exchange) -> boost::asio::awaitable<void> {
        co_await exchange.respond(text_response(200, "application/json", status_json(status())));
      });
}

}  // namespace notso::ops
