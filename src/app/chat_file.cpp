#include "app/chat_file.h"

#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <string_view>
#include <sys/stat.h>
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
  if (error == EISDIR) {
    return fail(ErrorCode::kNotFound, "'" + path + "' is a folder; name the file in it");
  }
  return fail(ErrorCode::kNotFound, "cannot write '" + path + "': " + std::strerror(error) +
                                        "; make room, or choose a folder that you may write to");
}

// Writes all of it and closes the file; 0 or what errno said.
int write_and_close(int file, std::string_view text) {
  int error = 0;
  while (error == 0 && !text.empty()) {
    const ssize_t written = write(file, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  // A pipe or a device has nothing to keep.
  if (error == 0 && fsync(file) != 0 && errno != EINVAL && errno != EROFS) error = errno;
  if (close(file) != 0 && error == 0) error = errno;
  return error;
}

// Puts a new file in the place of the one at `path`, which stays whole until then. `old` is what
// was there, to take over who may read it; null: nothing was, and the new one is the person's own.
int replace_file(const std::string& path, const struct stat* old, std::string_view text) {
  std::string next = path + ".XXXXXX";
  const int file = mkostemp(next.data(), O_CLOEXEC);
  if (file < 0) return errno;
  int error = 0;
  if (old != nullptr) {
    // Only root can give a file away; to others it stays their own.
    static_cast<void>(fchown(file, old->st_uid, old->st_gid) == 0);
    if (fchmod(file, old->st_mode & 0777U) != 0) error = errno;
  }
  const int written = write_and_close(file, text);
  if (error == 0) error = written;
  if (error == 0 && std::rename(next.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) std::remove(next.c_str());
  return error;
}

// Writes where `path` leads: through links, and into a pipe or a device rather than over it.
int write_file(const std::string& path, std::string_view text) {
  struct stat info {};
  if (stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return EISDIR;
    if (S_ISREG(info.st_mode)) {
      std::error_code error;
      const auto target = std::filesystem::canonical(path, error);
      return error ? error.value() : replace_file(target.string(), &info, text);
    }
  } else if (errno != ENOENT) {
    return errno;
  } else if (lstat(path.c_str(), &info) != 0) {
    return replace_file(path, nullptr, text);
  }
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  return file < 0 ? errno : write_and_close(file, text);
}

}  // namespace

Status save_conversation(const std::string& path, std::span<const Message> messages) {
  json::array list;
  for (const Message& message : messages) list.push_back(to_json(message));
  const std::string text = json::serialize(json::object{{"messages", std::move(list)}}) + "\n";
  const int error = write_file(path, text);
  return error == 0 ? Status() : write_error(path, error);
}

Result<std::vector<Message>> load_conversation(const std::string& path) {
  const auto text = read_text(path);
  if (!text) return tl::unexpected<Error>(text.error());
  return parse_messages(*text);
}

}  // namespace notso
