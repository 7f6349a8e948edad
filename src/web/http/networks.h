// Lists of IP addresses and networks: "192.0.2.7", "10.0.0.0/8", "2001:db8::/32".
#pragma once

#include <array>
#include <boost/asio/ip/address.hpp>
#include <string>
#include <vector>

#include "base/result.h"

namespace notso::http {

// A list of networks. Constant, so all threads may ask it.
class Networks {
 public:
  // Fails on an entry that is neither an address nor a network.
  static Result<Networks> create(const std::vector<std::string>& texts);

  // Whether the address is in one of them; a mapped IPv4 address is the one it maps.
  [[nodiscard]] bool contains(const boost::asio::ip::address& address) const;
  [[nodiscard]] bool empty() const { return networks_.empty(); }

 private:
  // An IPv4 network is the one that maps it into IPv6, so that an address compares either way.
  struct Network {
    std::array<unsigned char, 16> bytes;
    unsigned bits;  // how many of them count
  };

  std::vector<Network> networks_;
};

}  // namespace notso::http
