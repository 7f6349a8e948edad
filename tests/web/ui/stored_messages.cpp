#include "web/ui/stored_messages.h"

#include <utility>

namespace notso::ui {
namespace {

std::string between(std::string_view text, std::string_view before, std::string_view after) {
  const std::size_t begin = text.find(before);
  if (begin == std::string_view::npos) return {};
  const std::size_t end = text.find(after, begin + before.size());
  return std::string(text.substr(begin + before.size(), end - begin - before.size()));
}

}  // namespace

StoredMessage question(std::int64_t id, std::int64_t parent, std::string text) {
  StoredMessage stored;
  stored.id = id;
  stored.parent_id = parent;
  stored.message.role = Role::kUser;
  stored.message.content = std::move(text);
  return stored;
}

StoredMessage answer(std::int64_t id, std::int64_t parent, std::string text) {
  StoredMessage stored = question(id, parent, std::move(text));
  stored.message.role = Role::kAssistant;
  stored.model = "tiny";
  stored.usage.prompt_tokens = 20;
  stored.usage.cached_tokens = 12;
  stored.usage.completion_tokens = 40;
  stored.usage.completion_s = 2;
  return stored;
}

std::vector<Partial> partials_of(std::string_view html) {
  std::vector<Partial> partials;
  constexpr std::string_view kEnd = "</hx-partial>";
  for (std::size_t begin = html.find("<hx-partial "); begin != std::string_view::npos;) {
    const std::size_t content = html.find('>', begin) + 1;
    const std::size_t end = html.find(kEnd, content);
    const std::string_view tag = html.substr(begin, content - begin);
    partials.push_back({between(tag, "hx-target=\"", "\""), between(tag, "hx-swap=\"", "\""),
                        std::string(html.substr(content, end - content))});
    begin = html.find("<hx-partial ", end);
  }
  return partials;
}

std::vector<std::string> ids_of(std::string_view html) {
  std::vector<std::string> ids;
  constexpr std::string_view kMark = " id=\"";
  for (std::size_t at = html.find(kMark); at != std::string_view::npos; at = html.find(kMark, at)) {
    at += kMark.size();
    ids.emplace_back(html.substr(at, html.find('"', at) - at));
  }
  return ids;
}

}  // namespace notso::ui
