#include "app/chat_file.h"

#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <unistd.h>

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

tl::unexpected<Error> write_error(const std::string& path, int error) {
  return fail(ErrorCode::kNotFound, "cannot write '" + path + "': " + std::strerror(error) +
                                        "; make room, or choose a folder that you may write to");
}

}  // namespace

Status save_conversation(const std::string& path, std::span<const Message> messages) {
  json::array list;
  for (const Message& message : messages) list.push_back(to_json(message));
  const std::string text = json::serialize(json::object{{"messages", std::move(list)}}) + "\n";
  // The old conversation stays whole until the new one is.
  const std::string next = path + ".new";
  std::FILE* file = std::fopen(next.c_str(), "wb");
  if (file == nullptr) return write_error(path, errno);
  bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  written = std::fflush(file) == 0 && fsync(fileno(file)) == 0 && written;
  int error = errno;
  std::fclose(file);
  if (written && std::rename(next.c_str(), path.c_str()) == 0) return {};
  if (written) error = errno;
  std::remove(next.c_str());
  return write_error(path, error);
}

Result<std::vector<Message>> load_conversation(const std::string& path) {
  const auto text = read_text(path);
  if (!text) return tl::unexpected<Error>(text.error());
  return parse_messages(*text);
}

}  // namespace notso
