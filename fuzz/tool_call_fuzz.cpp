// The answer parser on any bytes. The input is a program: its bytes are text, but for 0xC0 to 0xC5,
// which here are no text: each is one of the six marks. It is read at once and in
// pieces, and must give the same events, all of them UTF-8.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/check.h"
#include "service/chat/answer_fixture.h"
#include "service/chat/answer_parser.h"

namespace {

using namespace notso;

constexpr unsigned char kFirstMark = 0xC0;
constexpr unsigned char kMarks = 6;

// The events of `input`, its text fed in pieces of at most `piece` bytes.
std::string parse(std::string_view input, std::size_t piece) {
  AnswerParserOptions options;
  options.json_tools = true;
  options.python_tools = true;
  options.stop = {"STOP", "\n\n\n", "TOP SECRET"};
  AnswerParser parser(mark_tokenizer(), options);
  std::vector<ChatEvent> events;
  std::string text;
  const auto flush = [&] {
    if (!text.empty()) parser.feed_text(text, events);
    text.clear();
  };
  for (const char c : input) {
    const auto mark = static_cast<unsigned char>(static_cast<unsigned char>(c) - kFirstMark);
    if (mark < kMarks) {
      flush();
      parser.feed_mark(static_cast<Mark>(mark), events);
      continue;
    }
    text += c;
    if (text.size() >= piece) flush();
  }
  flush();
  parser.finish(events);
  for (const ToolCall& call : parser.message().tool_calls) NOTSO_CHECK(!call.name.empty());
  return summary(events);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string whole = parse(input, size + 1);
  NOTSO_CHECK(is_utf8(whole));
  NOTSO_CHECK(parse(input, 1) == whole);
  NOTSO_CHECK(parse(input, 3) == whole);
  return 0;
}
