#include "app/chat_file.h"

#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "app/text_input.h"
#include "service/chat/content.h"

namespace notso {
namespace {

namespace json = boost::json;

constexpr std::array<const char*, 4> kRoles = {"system", "user", "assistant", "tool"};

json::object to_json(const Message& message) {
  json::object out{{"role", kRoles[static_cast<std::size_t>(message.role)]},
                   {"content", message.content}};
  if (!message.reasoning.empty()) out["reasoning_content"] = message.reasoning;
  if (!message.tool_call_id.empty()) out["tool_call_id"] = message.tool_call_id;
  if (!message.name.empty()) out["name"] = message.name;
  json::array calls;
  for (const ToolCall& call : message.tool_calls) {
    calls.push_back({{"id", call.id},
                     {"type", "function"},
                     {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
  }
  if (!calls.empty()) out["tool_calls"] = std::move(calls);
  return out;
}

tl::unexpected<Error> write_error(const std::string& path) {
  return fail(ErrorCode::kNotFound, "cannot write '" + path + "': " + std::strerror(errno));
}

}  // namespace

Status save_conversation(const std::string& path, std::span<const Message> messages) {
  json::array list;
  for (const Message& message : messages) list.push_back(to_json(message));
  const std::string text = json::serialize(json::object{{"messages", std::move(list)}}) + "\n";
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return write_error(path);
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (std::fclose(file) != 0 || !written) return write_error(path);
  return {};
}

Result<std::vector<Message>> load_conversation(const std::string& path) {
  const auto text = read_text(path);
  if (!text) return tl::unexpected<Error>(text.error());
  return parse_messages(*text);
}

}  // namespace notso
