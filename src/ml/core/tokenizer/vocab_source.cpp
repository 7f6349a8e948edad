#include "ml/core/tokenizer/vocab_source.h"

#include <fmt/format.h>

#include "ml/core/tokenizer/unicode.h"

namespace notso {

std::string quote_token(std::string_view text) {
  constexpr std::size_t kShownMax = 60;
  std::string out = "'";
  std::size_t at = 0;
  while (at < text.size() && at < kShownMax) {
    const DecodedChar c = decode_utf8(text, at);
    const bool shown = c.code_point >= 0x20 && (c.code_point < 0x7F || c.code_point >= 0xA0);
    if (shown && (c.length > 1 || c.code_point < 0x7F)) {
      out += text.substr(at, c.length);
    } else {
      for (const char byte : text.substr(at, c.length)) {
        out += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(byte)));
      }
    }
    at += c.length;
  }
  return out + (at < text.size() ? "...'" : "'");
}

}  // namespace notso
