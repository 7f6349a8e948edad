// The gate before every route: who is asking, and how often.
//
// Where API keys are set, every route that is not open asks for one: `Authorization: Bearer KEY`,
// `x-api-key: KEY` (Anthropic's clients), or the cookie of the sign-in page. What costs the model
// something (any method but GET and HEAD) passes a rate limit for each client (rate_client.h).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "service/access/api_keys.h"
#include "service/access/rate_limit.h"
#include "web/http/server.h"

namespace notso::ops {

// The cookie that holds a sign-in token.
inline constexpr std::string_view kSignInCookie = "notso_sign_in";

// What the gate asks. The references must outlive the server.
struct GateParts {
  const KeyRing& keys;
  RateLimiter& requests;
  RateLimiter& tokens;  // charged elsewhere, as tokens are generated
  // The site's error answers (ServerHooks::error).
  std::function<http::Response(const http::Request&, int status, const std::string& message)> error;
  // Where a browser that opens a page is sent instead of a bare 401, with the page as the parameter
  // `to`; "": nowhere.
  std::string sign_in_path;
};

// The gate for ServerHooks.
[[nodiscard]] http::Gate make_gate(GateParts parts);

// The Set-Cookie value that signs a browser in with `key`, and the one that signs it out. The
// cookie is not readable by scripts; from other sites only links bring it along.
[[nodiscard]] std::string sign_in_cookie(std::string_view key, bool secure);
[[nodiscard]] std::string sign_out_cookie(bool secure);

}  // namespace notso::ops
