#include "app/chat_file.h"

#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "service/chat/content.h"

namespace notso {
namespace {

namespace json = boost::json;

constexpr std::size_t kFileBytesMax = std::size_t{64} << 20U;
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

tl::unexpected<Error> file_error(const std::string& path, const char* what) {
  return fail(ErrorCode::kNotFound,
              "cannot " + std::string(what) + " '" + path + "': " + std::strerror(errno));
}

}  // namespace

Status save_conversation(const std::string& path, std::span<const Message> messages) {
  json::array list;
  for (const Message& message : messages) list.push_back(to_json(message));
  const std::string text = json::serialize(json::object{{"messages", std::move(list)}}) + "\n";
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return file_error(path, "write");
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (std::fclose(file) != 0 || !written) return file_error(path, "write");
  return {};
}

Result<std::vector<Message>> load_conversation(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return file_error(path, "read");
  std::string text;
  std::array<char, 65536> part;
  for (std::size_t got = 0;
       text.size() <= kFileBytesMax && (got = std::fread(part.data(), 1, part.size(), file)) > 0;) {
    text.append(part.data(), got);
  }
  const bool failed = std::ferror(file) != 0;
  std::fclose(file);
  if (failed) return file_error(path, "read");
  if (text.size() > kFileBytesMax) {
    return fail(ErrorCode::kResourceExhausted, "'" + path + "' is larger than 64 MiB");
  }
  return parse_messages(text);
}

}  // namespace notso
