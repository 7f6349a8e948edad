#include "base/json_text.h"

#include <gtest/gtest.h>
#include <limits>

namespace notso {
namespace {

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

TEST(JsonText, EscapesQuotesBackslashesAndControlCharacters) {
  EXPECT_EQ(quoted("a\"b\\c\n\x7f"), "\"a\\\"b\\\\c\\u000a\\u007f\"");
  EXPECT_EQ(quoted(std::string_view("\0", 1)), "\"\\u0000\"");
}

TEST(JsonText, EscapesControlCharactersAndEndsOfLinesBeyondAscii) {
  EXPECT_EQ(quoted("\xc2\x80\xc2\x9b\xc2\x9f"), R"("\u0080\u009b\u009f")");
  EXPECT_EQ(quoted("\xe2\x80\xa8\xe2\x80\xa9"), R"("\u2028\u2029")");
}

TEST(JsonText, KeepsValidUtf8) {
  EXPECT_EQ(quoted("é€😀"), "\"é€😀\"");
  EXPECT_EQ(quoted("\xc2\xa0\xe2\x80\xa7"), "\"\xc2\xa0\xe2\x80\xa7\"") << "next to controls";
}

TEST(JsonText, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(quoted("\xff"), "\"\xef\xbf\xbd\"");
  EXPECT_EQ(quoted("a\xe2\x82"), "\"a\xef\xbf\xbd\xef\xbf\xbd\"") << "cut short";
  EXPECT_EQ(quoted("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"") << "longer than needed";
  EXPECT_EQ(utf8_length("\xed\xa0\x80"), 0u) << "a surrogate";
  EXPECT_EQ(utf8_length("\xf4\x90\x80\x80"), 0u) << "beyond U+10FFFF";
}

TEST(JsonText, PrintableTextHasNoControlCharactersAndIsUtf8) {
  EXPECT_EQ(printable("a \"é€😀\" b"), "a \"é€😀\" b");
  EXPECT_EQ(printable("a\x1b[2J\nb\x7f\xc2\x9b"), "a\ufffd[2J\ufffdb\ufffd\ufffd");
  EXPECT_EQ(printable("b\xff"
                      "d\xe2\x82"),
            "b\ufffdd\ufffd\ufffd");
}

TEST(JsonText, NumbersReadBackTheSameAndInfinitiesAreNull) {
  std::string out;
  append_json_number(out, 0.1);
  EXPECT_EQ(std::stod(out), 0.1);
  out.clear();
  append_json_number(out, std::numeric_limits<double>::infinity());
  EXPECT_EQ(out, "null");
}

}  // namespace
}  // namespace notso
