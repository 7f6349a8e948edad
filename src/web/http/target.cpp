#include "web/http/target.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <utility>

#include "web/http/text.h"

namespace notso::http {
namespace {

constexpr std::size_t kParametersMax = 100;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

tl::unexpected<Error> bad(std::string message) {
  return fail(ErrorCode::kInvalidArgument, std::move(message));
}

// Why a decoded path may not be used; empty if it may.
std::string_view objection_to(std::string_view path) {
  if (!is_utf8(path)) return "The path is not UTF-8.";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) return "The path has a control character.";
    if (c == '\\') return "The path has a backslash.";
  }
  if (path.find("//") != std::string_view::npos) return "The path has an empty part.";
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view part = path.substr(0, path.find('/'));
    if (part == "." || part == "..") return "The path has a '.' or '..' part.";
    path.remove_prefix(part.size());
  }
  return {};
}

Result<std::vector<Field>> parse_query(std::string_view query) {
  std::vector<Field> parameters;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    if (pair.empty()) continue;
    if (parameters.size() == kParametersMax) return bad("The query has too many parameters.");
    const std::size_t equals = std::min(pair.find('='), pair.size());
    auto name = percent_decode(pair.substr(0, equals), true);
    if (!name) return pass_on(name);
    auto value = percent_decode(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!value) return pass_on(value);
    for (const std::string& text : {std::cref(*name), std::cref(*value)}) {
      if (!is_utf8(text)) return bad("The query is not UTF-8.");
      if (text.find('\0') != std::string::npos) return bad("The query has a NUL character.");
    }
    parameters.push_back({std::move(*name), std::move(*value)});
  }
  return parameters;
}

}  // namespace

Result<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      result += ' ';
    } else if (text[i] != '%') {
      result += text[i];
    } else {
      const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
      if (high < 0 || low < 0) return bad("A '%' is not followed by two hexadecimal digits.");
      result += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return result;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    if (kPlain.find(c) != std::string_view::npos) {
      result += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    result += {'%', kDigits[byte / 16], kDigits[byte % 16]};
  }
  return result;
}

Result<Target> parse_target(std::string_view text) {
  Target target;
  if (text == "*") {
    target.asterisk = true;
    target.path = "*";
    return target;
  }
  const bool visible =
      std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
  if (!visible) return bad("The target has bytes that must be percent-encoded.");
  if (text.find('#') != std::string_view::npos) return bad("The target has a fragment.");
  if (!text.starts_with('/')) {
    const std::size_t mark = text.find("://");
    if (mark == std::string_view::npos) return bad("The target does not begin with '/'.");
    target.scheme = lower_case(text.substr(0, mark));
    if (target.scheme != "http" && target.scheme != "https") {
      return bad("The target's scheme is not http or https.");
    }
    text.remove_prefix(mark + 3);
    target.authority = text.substr(0, text.find_first_of("/?"));
    if (target.authority.empty()) return bad("The target has no host.");
    text.remove_prefix(target.authority.size());
  }
  const std::size_t question = std::min(text.find('?'), text.size());
  auto path = percent_decode(text.substr(0, question), false);
  if (!path) return pass_on(path);
  // An absolute target may leave out the path.
  if (path->empty() && !target.authority.empty()) *path += '/';
  if (const std::string_view objection = objection_to(*path); !objection.empty()) {
    return bad(std::string(objection));
  }
  target.path = std::move(*path);
  target.query = text.substr(std::min(question + 1, text.size()));
  auto parameters = parse_query(target.query);
  if (!parameters) return pass_on(parameters);
  target.parameters = std::move(*parameters);
  return target;
}

}  // namespace notso::http
