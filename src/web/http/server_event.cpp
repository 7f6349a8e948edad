#include "web/http/server_event.h"

#include <charconv>
#include <string_view>

namespace notso::http {
namespace {

// "field: value" with the value's line ends and NULs left out.
void append_line(std::string& text, std::string_view field, std::string_view value) {
  text += field;
  for (const char c : value) {
    if (c != '\r' && c != '\n' && c != '\0') text += c;
  }
  text += '\n';
}

}  // namespace

std::string to_text(const ServerEvent& event) {
  std::string text;
  text.reserve(event.data.size() + event.id.size() + event.name.size() + 32);
  if (!event.id.empty()) append_line(text, "id: ", event.id);
  if (!event.name.empty()) append_line(text, "event: ", event.name);
  std::string_view rest = event.data;
  bool more = true;
  while (more) {
    const std::size_t end = rest.find_first_of("\r\n");
    more = end != std::string_view::npos;
    text += "data: ";
    text += rest.substr(0, end);
    text += '\n';
    if (more) rest.remove_prefix(end + (rest.substr(end).starts_with("\r\n") ? 2 : 1));
  }
  text += '\n';
  return text;
}

std::optional<std::uint64_t> last_event_id(const Request& request) {
  auto text = request.header("last-event-id");
  if (!text) text = request.parameter("last_event_id");
  if (!text) return std::nullopt;
  std::uint64_t id = 0;
  const char* end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, id);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return id;
}

}  // namespace notso::http
