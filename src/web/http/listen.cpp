#include "web/http/listen.h"

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/strand.hpp>
#include <fmt/format.h>
#include <sys/socket.h>
#include <utility>

namespace notso::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorOfAsio = boost::system::error_code;

namespace {

Result<tcp::acceptor> adopt(asio::io_context& context, int socket) {
  int listening = 0;
  socklen_t size = sizeof listening;
  sockaddr_storage address{};
  socklen_t address_size = sizeof address;
  const bool usable =
      getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening != 0 &&
      getsockname(socket, reinterpret_cast<sockaddr*>(&address), &address_size) == 0 &&
      (address.ss_family == AF_INET || address.ss_family == AF_INET6);
  if (!usable) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("The inherited socket {} is not a listening TCP socket; pass one with "
                            "ListenStream=.",
                            socket));
  }
  tcp::acceptor acceptor(asio::make_strand(context));
  ErrorOfAsio error;
  acceptor.assign(address.ss_family == AF_INET ? tcp::v4() : tcp::v6(), socket, error);
  if (error) return fail(ErrorCode::kInternal, error.message());
  return acceptor;
}

ErrorOfAsio open_at(tcp::acceptor& acceptor, const tcp::endpoint& endpoint) {
  ErrorOfAsio error;
  ErrorOfAsio ignored;
  acceptor.open(endpoint.protocol(), error);
  if (error) return error;
  acceptor.set_option(asio::socket_base::reuse_address(true), ignored);
  if (endpoint.address().is_v6()) {
    acceptor.set_option(asio::ip::v6_only(!endpoint.address().is_unspecified()), ignored);
  }
  acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  return error;
}

std::string why_not(const ServerOptions& options, const ErrorOfAsio& error) {
  const std::string place = fmt::format("{}:{}", options.host, options.port);
  if (error == asio::error::address_in_use) {
    return fmt::format("{} is taken by another program; stop that or choose another port.", place);
  }
  if (error == asio::error::access_denied) {
    return fmt::format("Listening on {} is not permitted; choose a port from 1024 up.", place);
  }
  return fmt::format("Cannot listen on {}: {}; choose an address of this machine.", place,
                     error.message());
}

}  // namespace

Result<std::vector<tcp::acceptor>> listen_on(asio::io_context& context,
                                             const ServerOptions& options) {
  std::vector<tcp::acceptor> acceptors;
  if (options.inherited_socket >= 0) {
    auto acceptor = adopt(context, options.inherited_socket);
    if (!acceptor) return pass_on(acceptor);
    acceptors.push_back(std::move(*acceptor));
    return acceptors;
  }
  ErrorOfAsio error;
  tcp::resolver resolver(context);
  const auto found =
      resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, error);
  if (error) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is no address of this machine: {}.",
                                                         options.host, error.message()));
  }
  std::uint16_t port = options.port;
  for (const auto& entry : found) {
    tcp::acceptor acceptor(asio::make_strand(context));
    const ErrorOfAsio failed = open_at(acceptor, {entry.endpoint().address(), port});
    // A name may have addresses of a family that this machine does without.
    if (failed == asio::error::address_family_not_supported ||
        failed == asio::error::make_error_code(asio::error::basic_errors(EADDRNOTAVAIL))) {
      error = failed;
      continue;
    }
    if (failed) return fail(ErrorCode::kUnavailable, why_not(options, failed));
    port = acceptor.local_endpoint().port();
    acceptors.push_back(std::move(acceptor));
  }
  if (acceptors.empty()) return fail(ErrorCode::kInvalidArgument, why_not(options, error));
  return acceptors;
}

}  // namespace notso::http
