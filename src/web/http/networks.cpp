#include "web/http/networks.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <fmt/format.h>
#include <string_view>

#include "web/http/text.h"

namespace notso::http {

namespace ip = boost::asio::ip;

namespace {

constexpr unsigned kMappedBits = 96;  // before the address in a mapped one

std::array<unsigned char, 16> bytes_of(const ip::address& address) {
  return (address.is_v4() ? ip::make_address_v6(ip::v4_mapped, address.to_v4()) : address.to_v6())
      .to_bytes();
}

bool same_bits(const std::array<unsigned char, 16>& a, const std::array<unsigned char, 16>& b,
               unsigned bits) {
  const std::size_t whole = bits / 8;
  if (!std::equal(a.begin(), a.begin() + whole, b.begin())) return false;
  return bits % 8 == 0 || (a[whole] ^ b[whole]) >> (8 - bits % 8) == 0;
}

}  // namespace

Result<Networks> Networks::create(const std::vector<std::string>& texts) {
  Networks networks;
  for (const std::string& text : texts) {
    const std::size_t slash = std::min(text.find('/'), text.size());
    boost::system::error_code bad;
    const auto address = ip::make_address(text.substr(0, slash), bad);
    const unsigned bits_max = address.is_v4() ? 32 : 128;
    unsigned bits = bits_max;
    if (slash < text.size()) {
      const char* const end = text.data() + text.size();
      const auto [stop, error] = std::from_chars(text.data() + slash + 1, end, bits);
      if (error != std::errc{} || stop != end) bits = bits_max + 1;
    }
    if (bad || bits > bits_max) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("'{}' is neither an IP address nor a network such as 10.0.0.0/8.",
                              escape_for_log(text)));
    }
    networks.networks_.push_back({bytes_of(address), bits + (address.is_v4() ? kMappedBits : 0)});
  }
  return networks;
}

bool Networks::contains(const ip::address& address) const {
  const auto bytes = bytes_of(address);
  return std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
    return same_bits(bytes, network.bytes, network.bits);
  });
}

}  // namespace notso::http
