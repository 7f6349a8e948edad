#include "app/text_input.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>

namespace notso {
namespace {

constexpr std::size_t kTextBytesMax = std::size_t{256} << 20;

}  // namespace

Result<std::string> read_text(const std::string& path) {
  std::FILE* file = path.empty() ? stdin : std::fopen(path.c_str(), "rb");
  std::string text;
  bool failed = file == nullptr;
  std::array<char, 65536> part;
  while (!failed && text.size() <= kTextBytesMax) {
    const std::size_t count = std::fread(part.data(), 1, part.size(), file);
    text.append(part.data(), count);
    if (count < part.size()) break;
  }
  failed = failed || std::ferror(file) != 0;
  const int error = errno;
  if (file != nullptr && file != stdin) std::fclose(file);
  const std::string name = path.empty() ? "standard input" : "'" + path + "'";
  if (failed) {
    return fail(ErrorCode::kNotFound, path.empty()
                                          ? name + " cannot be read"
                                          : fmt::format("cannot read {}: {}; check the path", name,
                                                        std::strerror(error)));
  }
  if (text.size() > kTextBytesMax) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{} is longer than {} MiB; give a shorter text", name, kTextBytesMax >> 20));
  }
  return text;
}

}  // namespace notso
