// The readers of requests on any bytes. The first byte chooses: a whole request, which must be
// understood alike however it is cut; a target; an authority; or an event, which must come back
// from its text as it was.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "web/http/request_parser.h"
#include "web/http/server_event.h"
#include "web/http/site.h"
#include "web/http/static_files.h"
#include "web/http/target.h"
#include "web/http/text.h"

namespace {

using namespace notso::http;

// What a request that came in pieces of `piece` bytes was understood as.
std::string summary(std::string_view input, std::size_t piece) {
  Limits limits;
  limits.header_bytes_max = 400;
  limits.headers_max = 6;
  limits.target_bytes_max = 100;
  limits.body_bytes_max = 60;
  RequestParser parser(limits);
  std::string waiting;
  while (!input.empty()) {
    waiting += input.substr(0, piece);
    input.remove_prefix(std::min(piece, input.size()));
    std::size_t used = 1;
    while (used > 0) {
      used = parser.feed(waiting);
      NOTSO_CHECK(used <= waiting.size());
      waiting.erase(0, used);
    }
  }
  switch (parser.state()) {
    case RequestParser::State::kRefused:
      NOTSO_CHECK(parser.refusal().status >= 400 && parser.refusal().status < 500);
      return std::string("refused ").append(std::to_string(parser.refusal().status));
    case RequestParser::State::kHead:
      return "head";
    case RequestParser::State::kBody:
      return std::string("body of ").append(parser.head().method);
    case RequestParser::State::kDone:
      break;
  }
  std::string text = parser.head().method + " " + parser.head().target;
  NOTSO_CHECK(text.find_first_of("\r\n") == std::string::npos);
  for (const Field& field : parser.head().headers) {
    NOTSO_CHECK(!field.name.empty());
    NOTSO_CHECK(field.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
    text.append("|").append(field.name).append(":").append(field.value);
  }
  const std::string body = parser.take_body();
  NOTSO_CHECK(body.size() <= limits.body_bytes_max);
  return text + "|" + body + "|" + waiting;
}

void check_target(std::string_view input) {
  const auto target = parse_target(input);
  if (!target || target->asterisk) return;
  const std::string& path = target->path;
  NOTSO_CHECK(path.starts_with('/') && is_utf8(path));
  NOTSO_CHECK(path.find('\0') == std::string::npos && path.find('\\') == std::string::npos);
  NOTSO_CHECK((path + "/").find("/../") == std::string::npos);
  NOTSO_CHECK((path + "/").find("/./") == std::string::npos);
  NOTSO_CHECK(path.find("//") == std::string::npos);
  for (const Field& field : target->parameters) NOTSO_CHECK(is_utf8(field.value));
}

void check_authority(std::string_view input) {
  NOTSO_CHECK(!accepts_encoding(input, "gzip") || !input.empty());
  NOTSO_CHECK(is_utf8(escape_for_log(input)));
  const auto authority = parse_authority(input);
  if (!authority) return;
  const bool v6 = authority->host.find(':') != std::string::npos;
  std::string text = authority->host;
  if (v6) text.insert(0, 1, '[').push_back(']');
  if (authority->port != 0) text.append(":").append(std::to_string(authority->port));
  const auto again = parse_authority(text);
  NOTSO_CHECK(again && *again == *authority);
}

// Reads one event as the HTML standard says a client does.
ServerEvent read_event(std::string_view text) {
  ServerEvent event;
  bool first = true;
  NOTSO_CHECK(text.ends_with("\n\n"));
  text.remove_suffix(1);
  while (!text.empty()) {
    const std::size_t end = text.find_first_of("\r\n");
    NOTSO_CHECK(text[end] == '\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    const std::string_view value = line.substr(line.find(": ") + 2);
    if (line.starts_with("id: ")) {
      event.id = value;
    } else if (line.starts_with("event: ")) {
      event.name = value;
    } else {
      NOTSO_CHECK(line.starts_with("data: "));
      if (!first) event.data += '\n';
      event.data += value;
      first = false;
    }
  }
  return event;
}

void check_event(std::string_view input) {
  ServerEvent event;
  const std::size_t half = input.size() / 2;
  event.id = input.substr(0, std::min<std::size_t>(half, 4));
  event.name = input.substr(0, std::min<std::size_t>(half, 8));
  event.data = input;
  const ServerEvent read = read_event(to_text(event));
  const auto stripped = [](std::string text) {
    std::erase_if(text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
    return text;
  };
  NOTSO_CHECK(read.id == stripped(event.id) && read.name == stripped(event.name));
  std::string data;
  for (std::size_t i = 0; i < event.data.size(); ++i) {
    if (event.data[i] == '\r' && i + 1 < event.data.size() && event.data[i + 1] == '\n') continue;
    data += event.data[i] == '\r' ? '\n' : event.data[i];
  }
  NOTSO_CHECK(read.data == data);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 't':
      check_target(input);
      break;
    case 'a':
      check_authority(input);
      break;
    case 'e':
      check_event(input);
      break;
    default: {
      const std::string whole = summary(input, input.size() + 1);
      NOTSO_CHECK(summary(input, 1) == whole);
      NOTSO_CHECK(summary(input, 5) == whole);
      break;
    }
  }
  return 0;
}
