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

// A name may have addresses of a family that this machine does without.
bool is_absent(const ErrorOfAsio& error) {
  return error == asio::error::address_family_not_supported ||
         error == asio::error::make_error_code(asio::error::basic_errors(EADDRNOTAVAIL));
}

// Opens a socket at each address that this machine has, all on one port; 0: one that is free at the
// first of them.
ErrorOfAsio open_all(asio::io_context& context, const tcp::resolver::results_type& found,
                     std::uint16_t port, std::vector<tcp::acceptor>& acceptors) {
  ErrorOfAsio absent = asio::error::address_family_not_supported;
  for (const auto& entry : found) {
    tcp::acceptor acceptor(asio::make_strand(context));
    const ErrorOfAsio failed = open_at(acceptor, {entry.endpoint().address(), port});
    if (is_absent(failed)) {
      absent = failed;
      continue;
    }
    if (failed) return failed;
    port = acceptor.local_endpoint().port();
    acceptors.push_back(std::move(acceptor));
  }
  return acceptors.empty() ? absent : ErrorOfAsio();
}

}  // namespace

Result<std::vector<tcp::acceptor>> listen_on(asio::io_context& context,
                                             const ServerOptions& options) {
  if (options.inherited_socket >= 0) {
    auto acceptor = adopt(context, options.inherited_socket);
    if (!acceptor) return pass_on(acceptor);
    std::vector<tcp::acceptor> acceptors;
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
  // A port that is free at one address may be taken at the next: where any will do, it is tried
  // with others.
  constexpr int kAttemptsMax = 10;
  for (int attempt = 1;; ++attempt) {
    std::vector<tcp::acceptor> acceptors;
    error = open_all(context, found, options.port, acceptors);
    if (!error) return acceptors;
    const bool is_chance = options.port == 0 && error == asio::error::address_in_use;
    if (is_chance && attempt < kAttemptsMax) continue;
    return fail(is_absent(error) ? ErrorCode::kInvalidArgument : ErrorCode::kUnavailable,
                why_not(options, error));
  }
}

}  // namespace notso::http
