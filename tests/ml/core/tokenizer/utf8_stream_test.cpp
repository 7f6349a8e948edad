// Characters leave the stream whole, however the bytes arrive.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <string>
#include <vector>

#include "ml/core/tokenizer/tokenizer.h"

namespace notso {
namespace {

std::string streamed(const std::vector<std::string>& parts) {
  std::string out;
  Utf8Stream stream;
  for (const std::string& part : parts) stream.feed(part, out);
  stream.finish(out);
  return out;
}

TEST(Utf8StreamTest, HoldsBackAnUnfinishedCharacter) {
  std::string out;
  Utf8Stream stream;
  stream.feed("a\xF0\x9F", out);
  EXPECT_EQ(out, "a");
  stream.feed("\x98", out);
  EXPECT_EQ(out, "a");
  stream.feed("\x80", out);
  EXPECT_EQ(out, "a😀");
}

TEST(Utf8StreamTest, ReplacesAnUnfinishedRestOnce) {
  EXPECT_EQ(streamed({"a\xF0\x9F\x98"}), "a\uFFFD");
  EXPECT_EQ(streamed({"a"}), "a");
}

TEST(Utf8StreamTest, StartsAnewAfterTheEnd) {
  std::string out;
  Utf8Stream stream;
  stream.feed("\xE2\x82", out);
  stream.finish(out);
  stream.feed("\xAC", out);
  EXPECT_EQ(out, "\uFFFD\uFFFD");
}

// The Unicode standard's examples of U+FFFD substitution of maximal subparts (tables 3-8 to 3-11).
TEST(Utf8StreamTest, ReplacesMaximalSubparts) {
  const std::string r = "\uFFFD";
  EXPECT_EQ(streamed({"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"}),
            r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(streamed({"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"}),
            r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(streamed({"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"}),
            r + r + r + r + r + "A" + r + r + "B");
  EXPECT_EQ(streamed({"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"}), r + r + r + r + "A");
}

RC_GTEST_PROP(Utf8StreamTest, DoesNotDependOnHowTheBytesArrive, (const std::string& bytes)) {
  std::vector<std::string> parts;
  for (const char c : bytes) parts.emplace_back(1, c);
  RC_ASSERT(streamed(parts) == streamed({bytes}));
}

}  // namespace
}  // namespace notso
