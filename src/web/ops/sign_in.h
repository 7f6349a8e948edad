// The page where a person gives an API key once, and has a cookie after that.
#pragma once

#include "service/access/api_keys.h"
#include "web/http/router.h"

namespace notso::ops {

// Where it is; for GateParts::sign_in_path.
inline constexpr const char* kSignInPath = "/login";

// Adds GET and POST /login, POST /logout and the page's style sheet. The page works without
// scripts, and where no keys are set it leads on to "/". `keys` must outlive the router.
void add_sign_in_routes(http::Router& router, const KeyRing& keys);

}  // namespace notso::ops
