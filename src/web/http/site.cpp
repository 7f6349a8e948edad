#include "web/http/site.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <cstddef>
#include <fmt/format.h>
#include <optional>
#include <utility>

#include "web/http/text.h"

namespace notso::http {
namespace {

constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;
constexpr std::size_t kHostBytesMax = 253;  // of a DNS name

std::optional<boost::asio::ip::address> address_of(std::string_view host) {
  boost::system::error_code error;
  auto address = boost::asio::ip::make_address(std::string(host), error);
  if (error) return std::nullopt;
  return address;
}

bool is_host_name(std::string_view host) {
  return !host.empty() && host.size() <= kHostBytesMax && host.front() != '.' &&
         std::all_of(host.begin(), host.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                  c == '_';
         });
}

std::uint16_t default_port(bool secure) { return secure ? kHttpsPort : kHttpPort; }

tl::unexpected<Error> bad_authority(std::string_view text) {
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("'{}' is not a host with an optional port.", escape_for_log(text)));
}

bool is_scheme(std::string_view text) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  return !text.empty() && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
         });
}

// "https://host:port" in its pieces, the default port filled in; nothing for "null" and its like.
// Programs and browser extensions have schemes of their own: "app://name".
struct ParsedOrigin {
  std::string scheme;
  Authority authority;
  friend bool operator==(const ParsedOrigin&, const ParsedOrigin&) = default;
};

std::optional<ParsedOrigin> parse_origin(std::string_view text) {
  const std::size_t mark = text.find("://");
  if (mark == std::string_view::npos) return std::nullopt;
  ParsedOrigin origin;
  origin.scheme = lower_case(text.substr(0, mark));
  if (!is_scheme(origin.scheme)) return std::nullopt;
  auto authority = parse_authority(text.substr(mark + 3));
  if (!authority) return std::nullopt;
  origin.authority = std::move(*authority);
  const bool secure = origin.scheme == "https";
  if (origin.authority.port == 0 && (secure || origin.scheme == "http")) {
    origin.authority.port = default_port(secure);
  }
  return origin;
}

bool is_loopback(const Authority& authority) {
  if (authority.host == "localhost") return true;
  const auto address = authority.address ? address_of(authority.host) : std::nullopt;
  return address && address->is_loopback();
}

}  // namespace

Result<Authority> parse_authority(std::string_view text) {
  const std::string_view whole = text;
  Authority authority;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return bad_authority(whole);
    const auto address = address_of(text.substr(1, end - 1));
    if (!address || !address->is_v6()) return bad_authority(whole);
    authority.host = address->to_string();
    authority.address = true;
    text.remove_prefix(end + 1);
  } else {
    const std::string_view host = text.substr(0, text.find(':'));
    authority.host = lower_case(host);
    if (!is_host_name(authority.host)) return bad_authority(whole);
    const auto address = address_of(authority.host);
    authority.address = address.has_value();
    text.remove_prefix(host.size());
  }
  if (text.empty()) return authority;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + 1, end, authority.port);
  if (text.front() != ':' || error != std::errc{} || stop != end || authority.port == 0) {
    return bad_authority(whole);
  }
  return authority;
}

Result<Site> Site::create(const std::string& bound_host, std::uint16_t port,
                          const std::vector<std::string>& hosts,
                          const std::vector<std::string>& origins, bool behind_proxy) {
  Site site;
  site.bound_host_ = lower_case(bound_host);
  const auto bound = address_of(bound_host);
  if (bound) site.bound_host_ = bound->to_string();
  site.on_loopback_ = bound && bound->is_loopback();
  site.all_addresses_ = bound && bound->is_unspecified();
  site.any_port_ = site.all_addresses_ || behind_proxy;
  site.port_ = port;
  for (const std::string& host : hosts) {
    auto authority = parse_authority(host);
    if (!authority) return pass_on(authority);
    site.hosts_.push_back(std::move(*authority));
  }
  for (const std::string& text : origins) {
    if (!parse_origin(text)) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("'{}' is not an origin; write it as scheme://host:port.",
                              escape_for_log(text)));
    }
    site.origins_.push_back(text);
  }
  return site;
}

bool Site::is_ours(const Authority& authority, bool secure) const {
  const std::uint16_t port = authority.port != 0 ? authority.port : default_port(secure);
  for (const Authority& host : hosts_) {
    if (host.host == authority.host && (host.port == 0 || host.port == port)) return true;
  }
  const bool loopback = is_loopback(authority);
  if (port != port_ && !any_port_ && !(loopback && on_loopback_)) return false;
  return loopback || authority.host == bound_host_ || (all_addresses_ && authority.address);
}

Origin Site::judge(const Request& request, const Authority& host) const {
  const auto text = request.header("origin");
  const auto fetch_site = request.header("sec-fetch-site");
  // No page can write this header, and it holds where Origin is "null" (a page that says nothing of
  // itself) or where a proxy has changed the scheme.
  if (text && fetch_site == "same-origin") return Origin::kSame;
  if (!text) {
    const bool foreign = fetch_site && *fetch_site != "same-origin" && *fetch_site != "none";
    return foreign ? Origin::kForeign : Origin::kNone;
  }
  const auto origin = parse_origin(*text);
  if (!origin) return Origin::kForeign;
  ParsedOrigin own{request.secure ? "https" : "http", host};
  if (own.authority.port == 0) own.authority.port = default_port(request.secure);
  if (*origin == own) return Origin::kSame;
  const bool listed = std::any_of(origins_.begin(), origins_.end(), [&](const std::string& known) {
    return parse_origin(known) == origin;
  });
  return listed ? Origin::kListed : Origin::kForeign;
}

}  // namespace notso::http
