// The tokenizer on any bytes: as text of a fixed vocabulary, and as a vocabulary (a tokenizer.json,
// or a GGUF file) of its own.
#include <cstddef>
#include <cstdint>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include "base/check.h"
#include "ml/core/tokenizer/small_vocab.h"
#include "ml/core/tokenizer/tokenizer.h"
#include "ml/core/tokenizer/unicode.h"

namespace {

using namespace notso;

const Tokenizer& fixed_tokenizer() {
  static const auto tokenizer =
      tokenizer_of({.merges = random_merges(3, 300, "ab <|im_end>'s1\n")});
  return *tokenizer;
}

std::vector<TokenId> encode_spans(const Tokenizer& tokenizer, const std::vector<TextSpan>& spans) {
  std::vector<TokenId> ids;
  tokenizer.encode(spans, ids);
  return ids;
}

// What holds for every text and vocabulary. The text is cut in two at a place that it chooses.
void check_text(const Tokenizer& tokenizer, std::string_view text) {
  std::string scratch;
  const std::string_view repaired = repair_utf8(text, scratch);
  const std::vector<TokenId> plain = tokenizer.encode(text);
  NOTSO_CHECK(tokenizer.decode(plain) == repaired);
  for (const TokenId id : plain) {
    const TokenKind kind = tokenizer.kind(id);
    NOTSO_CHECK(kind == TokenKind::kNormal || kind == TokenKind::kByte);
  }
  const std::size_t cut = text.empty() ? 0 : static_cast<unsigned char>(text[0]) % text.size();
  const std::string_view head = text.substr(0, cut);
  const std::string_view tail = text.substr(cut);
  NOTSO_CHECK(encode_spans(tokenizer, {{head, false}, {tail, false}}) == plain);
  NOTSO_CHECK(encode_spans(tokenizer, {{head, true}, {tail, true}}) ==
              tokenizer.encode(text, true));
  encode_spans(tokenizer, {{head, true}, {tail, false}});
}

// A stream gives the same text whether the bytes come at once or one by one.
void check_stream(std::string_view bytes) {
  Utf8Stream at_once;
  Utf8Stream one_by_one;
  std::string whole;
  std::string parts;
  at_once.feed(bytes, whole);
  for (const char c : bytes) one_by_one.feed({&c, 1}, parts);
  NOTSO_CHECK(whole == parts);
  at_once.finish(whole);
  one_by_one.finish(parts);
  NOTSO_CHECK(whole == parts);
}

Result<std::shared_ptr<const Tokenizer>> load(const std::string& path, bool is_gguf) {
  if (!is_gguf) return Tokenizer::from_json_file(path);
  auto file = GgufFile::open(path);
  if (!file) return pass_on(file);
  return Tokenizer::from_gguf(**file);
}

void check_vocabulary(std::string_view bytes) {
  const int fd = memfd_create("vocabulary", MFD_CLOEXEC);
  NOTSO_CHECK(fd >= 0);
  NOTSO_CHECK(write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  const auto tokenizer = load("/proc/self/fd/" + std::to_string(fd), bytes.starts_with("GGUF"));
  if (tokenizer) {
    check_text(**tokenizer, "a <|im_end|> hello, \xF0\x9F\x98\x80 \xFF 1234\n");
  } else {
    NOTSO_CHECK(!tokenizer.error().message.empty());
    NOTSO_CHECK(tokenizer.error().message.find('\n') == std::string::npos);
  }
  close(fd);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_text(fixed_tokenizer(), bytes);
  check_stream(bytes);
  if (bytes.starts_with("{") || bytes.starts_with("GGUF")) check_vocabulary(bytes);
  return 0;
}
