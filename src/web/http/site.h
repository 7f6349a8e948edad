// Who this server is: the names that a Host header may have, and the origins whose pages may call
// it. A page of another site can make a browser send requests here (by DNS rebinding even under
// that site's own name), so both are checked before anything else looks at a request.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "web/http/message.h"

namespace notso::http {

// "host:port" in its pieces.
struct Authority {
  std::string host;        // lower case; an IPv6 address without its brackets
  std::uint16_t port = 0;  // 0: not given
  bool address = false;    // an IP address, not a name

  friend bool operator==(const Authority&, const Authority&) = default;
};

// Reads "host", "host:port", "1.2.3.4:port" or "[::1]:port".
Result<Authority> parse_authority(std::string_view text);

// What the Origin header of a request says about the page that sends it.
enum class Origin {
  kNone,     // no Origin: not a page's request, or a plain navigation
  kSame,     // a page of this server
  kListed,   // a page of an origin that may call
  kForeign,  // any other page
};

// The names of a running server. Constant, so all threads may ask it.
class Site {
 public:
  // `hosts` and `origins` as in ServerOptions. Fails on an entry that cannot be read.
  static Result<Site> create(const std::string& bound_host, std::uint16_t port,
                             const std::vector<std::string>& hosts,
                             const std::vector<std::string>& origins, bool behind_proxy);

  // Whether Host may be this: loopback's names and the bound address with our port, configured
  // names, and any IP address where the server listens on all (rebinding needs a name). A server
  // on loopback takes loopback's names with any port: that of a tunnel is not ours to know.
  [[nodiscard]] bool is_ours(const Authority& authority, bool secure) const;

  // Judges a request by Origin, and where that is missing by Sec-Fetch-Site; a browser that says
  // "same-origin" there is believed. `host` is the request's own authority.
  [[nodiscard]] Origin judge(const Request& request, const Authority& host) const;

  // Whether pages of other origins may call at all, so that answers depend on Origin.
  [[nodiscard]] bool has_origins() const { return !origins_.empty(); }

 private:
  std::vector<Authority> hosts_;
  std::vector<std::string> origins_;
  std::string bound_host_;
  std::uint16_t port_ = 0;
  bool all_addresses_ = false;
  bool on_loopback_ = false;
  bool any_port_ = false;  // forwarded by a proxy or a container: the port is not ours to know
};

}  // namespace notso::http
