#include "service/access/rate_client.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstring>

namespace notso {

std::string rate_client(const std::string& principal, const std::string& address) {
  if (!principal.empty()) return principal;
  std::array<unsigned char, 16> bytes;
  if (inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) return address;
  // The last 64 bits are the client's own to choose; an IPv4 address in IPv6's clothes has its
  // bits there.
  constexpr std::array<unsigned char, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::memcmp(bytes.data(), kMapped.data(), kMapped.size()) != 0) {
    std::fill(bytes.begin() + 8, bytes.end(), static_cast<unsigned char>(0));
  }
  std::array<char, INET6_ADDRSTRLEN> text;
  inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
  return text.data();
}

}  // namespace notso
