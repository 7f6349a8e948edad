// Listening sockets: bound addresses, or one inherited from socket activation. Internal to
// web/http.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <vector>

#include "base/result.h"
#include "web/http/server.h"

namespace notso::http {

// Opens what the options name. A host name with several addresses ("localhost") gives several
// sockets on one port. Errors say what is taken and how to choose another.
Result<std::vector<boost::asio::ip::tcp::acceptor>> listen_on(boost::asio::io_context& context,
                                                              const ServerOptions& options);

}  // namespace notso::http
