// /health, /metrics and /api/status.
#pragma once

#include <functional>

#include "web/http/router.h"
#include "web/ops/ops_status.h"

namespace notso::ops {

// Adds the routes. `status` gathers a moment's state; it is called on the server's threads and must
// not wait. /health needs no key: 200 when ready, else 503 with Retry-After; HEAD works as well.
void add_ops_routes(http::Router& router, std::function<OpsStatus()> status);

}  // namespace notso::ops
