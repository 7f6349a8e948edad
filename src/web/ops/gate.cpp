#include "web/ops/gate.h"

#include <chrono>
#include <cmath>
#include <utility>

#include "service/access/rate_client.h"
#include "web/http/form.h"
#include "web/http/target.h"

namespace notso::ops {
namespace {

constexpr double kRetrySecondsMax = 3600;

bool starts_with_bearer(std::string_view value) {
  constexpr std::string_view kScheme = "bearer ";
  if (value.size() < kScheme.size()) return false;
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    const char c = value[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) != kScheme[i]) return false;
  }
  return true;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// The name behind the request's credentials; nothing where there are none that hold.
std::optional<std::string> identify(const KeyRing& keys, const http::Request& request) {
  if (const auto value = request.header("authorization"); value && starts_with_bearer(*value)) {
    return keys.find_key(trimmed(value->substr(7)));
  }
  if (const auto value = request.header("x-api-key")) return keys.find_key(trimmed(*value));
  if (const auto value = request.header("cookie")) {
    return keys.find_token(http::cookie_value(*value, kSignInCookie));
  }
  return std::nullopt;
}

// Whether a browser opens a page. What an open page asks for, pieces and the stream of events, is
// none: the form to sign in would be put into it.
bool is_navigation(const http::Request& request) {
  const std::string_view accepted = request.header("accept").value_or("");
  return (request.method == "GET" || request.method == "HEAD") && !request.header("hx-request") &&
         accepted.find("text/html") != std::string_view::npos &&
         accepted.find("text/event-stream") == std::string_view::npos;
}

// The sign-in page, told where to lead on to.
std::string sign_in_address(const std::string& sign_in_path, const http::Request& request) {
  std::string to = http::percent_encode(request.path);
  if (!request.query.empty()) to += "?" + request.query;
  return to == "/" ? sign_in_path : sign_in_path + "?to=" + http::percent_encode(to);
}

http::Response refuse_stranger(const GateParts& parts, const http::Request& request) {
  if (!parts.sign_in_path.empty() && is_navigation(request)) {
    return {
        303,
        {{"Location", sign_in_address(parts.sign_in_path, request)}, {"Cache-Control", "no-store"}},
        ""};
  }
  http::Response response = parts.error(
      request, 401,
      "this server needs an API key: send it as 'Authorization: Bearer KEY' or 'x-api-key: KEY'");
  response.headers.push_back({"WWW-Authenticate", "Bearer"});
  return response;
}

http::Response refuse_haste(const GateParts& parts, const http::Request& request, double seconds,
                            const char* what) {
  const auto whole = static_cast<int>(std::ceil(std::min(seconds, kRetrySecondsMax)));
  const std::string wait = std::to_string(std::max(whole, 1));
  http::Response response =
      parts.error(request, 429, std::string(what) + "; try again in " + wait + " s");
  response.headers.push_back({"Retry-After", wait});
  return response;
}

std::optional<http::Response> check_rate(const GateParts& parts, const http::Request& request) {
  if (request.method == "GET" || request.method == "HEAD") return std::nullopt;
  const auto now = std::chrono::steady_clock::now();
  const std::string client = rate_client(request.principal, request.remote);
  if (const double seconds = parts.requests.take(client, 1, now); seconds > 0) {
    return refuse_haste(parts, request, seconds, "too many requests");
  }
  if (const double seconds = parts.tokens.debt_seconds(client, now); seconds > 0) {
    return refuse_haste(parts, request, seconds, "this minute's tokens are used up");
  }
  return std::nullopt;
}

// Lax: links from other sites come signed in. What they cannot do is to post, and the server
// refuses that by Origin, too.
std::string cookie_text(std::string_view value, bool secure) {
  return std::string(kSignInCookie) + "=" + std::string(value) +
         "; Path=/; HttpOnly; SameSite=Lax" + (secure ? "; Secure" : "");
}

}  // namespace

http::Gate make_gate(GateParts parts) {
  return [parts = std::move(parts)](
             http::Request& request,
             const http::RouteOptions& options) -> std::optional<http::Response> {
    if (parts.keys.closed()) {
      const auto name = identify(parts.keys, request);
      if (name) {
        request.principal = *name;
      } else if (!options.open) {
        return refuse_stranger(parts, request);
      }
    }
    return check_rate(parts, request);
  };
}

std::string sign_in_cookie(std::string_view key, bool secure) {
  return cookie_text(sign_in_token(key), secure) + "; Max-Age=31536000";
}

std::string sign_out_cookie(bool secure) { return cookie_text("", secure) + "; Max-Age=0"; }

}  // namespace notso::ops
