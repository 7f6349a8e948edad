#include "web/ops/sign_in.h"

#include <string>
#include <utility>
#include <vector>

#include "web/http/form.h"
#include "web/http/target.h"
#include "web/ops/gate.h"

namespace notso::ops {
namespace {

constexpr std::size_t kFormBytesMax = 4096;

constexpr const char* kStyle = R"(:root{color-scheme:light dark;--back:#e0e5ec;--text:#2d3436;
--accent:#5f27cd;--light:#fff;--shade:#a3b1c6;--error:#a4161a}
@media (prefers-color-scheme:dark){:root{--back:#25282e;--text:#e6e9ee;--accent:#a786f0;
--light:#30343b;--shade:#17191d;--error:#ff8a8a}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--back);
color:var(--text);font:1rem/1.5 system-ui,sans-serif}
form{display:grid;gap:1rem;width:min(24rem,100vw - 2rem);padding:2rem;border-radius:1.25rem;
box-shadow:8px 8px 16px var(--shade),-8px -8px 16px var(--light)}
h1{margin:0;font-size:1.25rem}
p{margin:0}
.error{color:var(--error)}
label{display:grid;gap:.5rem}
input,button{min-height:44px;padding:0 1rem;border:0;border-radius:.75rem;font:inherit;
color:inherit;background:var(--back)}
input{box-shadow:inset 3px 3px 6px var(--shade),inset -3px -3px 6px var(--light)}
button{color:var(--accent);font-weight:600;cursor:pointer;
box-shadow:4px 4px 8px var(--shade),-4px -4px 8px var(--light)}
button:active{box-shadow:inset 3px 3px 6px var(--shade),inset -3px -3px 6px var(--light)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
)";

std::string page(const http::Request& request, const char* problem) {
  std::string action = kSignInPath;
  if (const auto to = request.parameter("to")) action += "?to=" + http::percent_encode(*to);
  std::string html =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
      "<title>Sign in - notso</title><link rel=\"stylesheet\" href=\"/login.css\"></head>\n"
      "<body><main><form method=\"post\" action=\"" +
      action + "\"><h1>Sign in to notso</h1>";
  if (problem[0] != '\0') {
    html += std::string("<p class=\"error\" role=\"alert\">") + problem + "</p>";
  }
  html +=
      "<label>API key<input type=\"password\" name=\"key\" required autofocus "
      "autocomplete=\"current-password\" placeholder=\"notso-...\"></label>"
      "<button>Sign in</button></form></main></body></html>\n";
  return html;
}

http::Response html_response(int status, std::string body) {
  return {status,
          {{"Content-Type", "text/html; charset=utf-8"},
           {"Cache-Control", "no-store"},
           {"Content-Security-Policy",
            "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'"},
           // Without a referrer, browsers would hide the form's origin, too.
           {"Referrer-Policy", "same-origin"}},
          std::move(body)};
}

http::Response style_response() { return {200, {{"Content-Type", "text/css"}}, kStyle}; }

http::Response redirect(std::string to, std::string cookie = "") {
  http::Response response{303, {{"Location", std::move(to)}, {"Cache-Control", "no-store"}}, ""};
  if (!cookie.empty()) response.headers.push_back({"Set-Cookie", std::move(cookie)});
  return response;
}

// The key of a posted form, without what was copied around it; "" if it is not there.
std::string posted_key(std::string_view body) {
  const std::string key = http::Form(body).value("key");
  const std::size_t first = key.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return "";
  return key.substr(first, key.find_last_not_of(" \t\r\n") - first + 1);
}

// Where to lead on to: the page that was asked for at first. A target that begins with '/' and is
// as strict as a request's, so without "//", cannot lead to another site.
std::string next_page(const http::Request& request) {
  const std::string_view to = request.parameter("to").value_or("/");
  return to.starts_with('/') && http::parse_target(to) ? std::string(to) : "/";
}

http::Response ask_for_key(const KeyRing& keys, const http::Request& request) {
  const bool needs_key = keys.closed() && request.principal.empty();
  return needs_key ? html_response(200, page(request, "")) : redirect(next_page(request));
}

http::Response sign_in(const KeyRing& keys, const http::Request& request) {
  if (!keys.closed()) return redirect(next_page(request));
  const std::string key = posted_key(request.body);
  if (!keys.find_key(key)) {
    return html_response(401,
                         page(request, "This is not a key of this server. Ask whoever runs it."));
  }
  return redirect(next_page(request), sign_in_cookie(key, request.secure));
}

}  // namespace

void add_sign_in_routes(http::Router& router, const KeyRing& keys) {
  http::RouteOptions open;
  open.open = true;
  open.body_bytes_max = kFormBytesMax;
  router.add(
      "GET", kSignInPath,
      [&keys](http::Exchange& exchange) -> boost::asio::awaitable<void> {
        co_await exchange.respond(ask_for_key(keys, exchange.request()));
      },
      open);
  router.add(
      "POST", kSignInPath,
      [&keys](http::Exchange& exchange) -> boost::asio::awaitable<void> {
        co_await exchange.respond(sign_in(keys, exchange.request()));
      },
      open);
  router.add(
      "POST", "/logout",
      [](http::Exchange& exchange) -> boost::asio::awaitable<void> {
        co_await exchange.respond(
            redirect(kSignInPath, sign_out_cookie(exchange.request().secure)));
      },
      open);
  router.add(
      "GET", "/login.css",
      [](http::Exchange& exchange) -> boost::asio::awaitable<void> {
        co_await exchange.respond(style_response());
      },
      open);
}

}  // namespace notso::ops
