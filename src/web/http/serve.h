// Serves a connection: reads requests, checks them, routes them, answers. Internal to web/http.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>

#include "web/http/connection.h"

namespace notso::http {

// Serves `connection` until it ends; run on its strand.
boost::asio::awaitable<void> serve(std::shared_ptr<Connection> connection);

}  // namespace notso::http
