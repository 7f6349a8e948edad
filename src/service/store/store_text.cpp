#include "service/store/store_text.h"

#include <fmt/format.h>

#include "ml/core/tokenizer/tokenizer.h"

namespace notso {

std::string clean_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  Utf8Stream stream;
  while (true) {
    const std::size_t end = text.find('\0');
    stream.feed(text.substr(0, end), out);
    stream.finish(out);
    if (end == std::string_view::npos) return out;
    out += "\xEF\xBF\xBD";
    text.remove_prefix(end + 1);
  }
}

Status check_size(std::string_view what, std::size_t bytes, std::size_t bytes_max) {
  if (bytes <= bytes_max) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{} has {} bytes; at most {} are kept", what, bytes, bytes_max));
}

}  // namespace notso
