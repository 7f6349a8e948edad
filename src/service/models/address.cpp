#include "service/models/address.h"

#include <algorithm>
#include <curl/curl.h>
#include <memory>
#include <utility>

#include "service/models/lower_case.h"

namespace notso {
namespace {

using Url = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

std::string part_of(CURLU* url, CURLUPart part, unsigned int flags) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return "";
  std::string result = text;
  curl_free(text);
  return result;
}

// Sets the address or, where one is set already, resolves `text` against it.
Status set(CURLU* url, const std::string& text) {
  const CURLUcode code = curl_url_set(url, CURLUPART_URL, text.c_str(), CURLU_DISALLOW_USER);
  if (code == CURLUE_OUT_OF_MEMORY) return fail(ErrorCode::kResourceExhausted, "out of memory");
  if (code == CURLUE_OK) {
    const std::string scheme = part_of(url, CURLUPART_SCHEME, 0);
    if (scheme == "http" || scheme == "https") return {};
  }
  std::string message = "'";
  message += shown_address(text);
  message +=
      "' is not an address to download from; it must be http:// or https:// with a host, and "
      "without a user's name";
  return fail(ErrorCode::kInvalidArgument, std::move(message));
}

}  // namespace

std::string shown_address(std::string_view url) {
  constexpr std::size_t kLongest = 200;
  url = url.substr(0, url.find_first_of("?#"));
  const std::size_t scheme = url.find("://");
  const std::size_t host = scheme == url.npos ? 0 : scheme + 3;
  const std::size_t user = url.rfind('@', std::min(url.find_first_of("/\\", host), url.size()));
  std::string shown(url.substr(0, host));
  shown += url.substr(user == url.npos || user < host ? host : user + 1);
  return shown.substr(0, kLongest);
}

Result<std::string> origin_of(const std::string& url) {
  const Url parsed(curl_url(), &curl_url_cleanup);
  if (Status status = set(parsed.get(), url); !status) return pass_on(status);
  return lower_case(part_of(parsed.get(), CURLUPART_SCHEME, 0) + "://" +
                    part_of(parsed.get(), CURLUPART_HOST, 0) + ":" +
                    part_of(parsed.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT));
}

Result<std::string> redirect_target(const std::string& from, const std::string& location) {
  const Url url(curl_url(), &curl_url_cleanup);
  if (Status status = set(url.get(), from); !status) return pass_on(status);
  const bool secure = part_of(url.get(), CURLUPART_SCHEME, 0) == "https";
  if (Status status = set(url.get(), location); !status) {
    return fail(ErrorCode::kUnavailable,
                "the server redirects to something else than a web "
                "address: " +
                    status.error().message);
  }
  if (secure && part_of(url.get(), CURLUPART_SCHEME, 0) != "https") {
    return fail(ErrorCode::kUnavailable,
                "the server redirects from https to http, which is not safe, so the download was "
                "not followed there; try again, or use another mirror (HF_ENDPOINT)");
  }
  return part_of(url.get(), CURLUPART_URL, 0);
}

}  // namespace notso
