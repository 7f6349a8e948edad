// Stop strings: found across any split, never leaked, bounded.
#include "service/chat/stop_strings.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace notso {
namespace {

// What comes out before the first stop, fed in pieces of `size` bytes.
std::string until_stop(const std::vector<std::string>& stops, const std::string& text,
                       std::size_t size) {
  StopMatcher matcher(stops);
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += size) {
    if (matcher.feed(text.substr(at, size), out)) return out;
  }
  matcher.flush(out);
  return out;
}

TEST(StopStrings, TheFirstToBeCompleteCounts) {
  EXPECT_EQ(until_stop({"abcd", "bc"}, "xabcd", 5), "xa");
  EXPECT_EQ(until_stop({"abcd", "bc"}, "xabcd", 1), "xa");
}

TEST(StopStrings, OfThoseThatEndTogetherTheLongestCounts) {
  EXPECT_EQ(until_stop({"c", "abc"}, "xabc", 4), "x");
}

TEST(StopStrings, WhatMayBecomeOneIsHeldBack) {
  StopMatcher matcher(std::vector<std::string>{"</s>"});
  std::string out;
  EXPECT_FALSE(matcher.feed("a</", out));
  EXPECT_EQ(out, "a");
  EXPECT_FALSE(matcher.feed("</", out));
  EXPECT_EQ(out, "a</");
  EXPECT_TRUE(matcher.feed("s>b", out));
  EXPECT_EQ(out, "a</");
}

TEST(StopStrings, BadOnesAreRefused) {
  EXPECT_TRUE(validate_stop_strings(std::vector<std::string>{"\n", "é"}));
  EXPECT_FALSE(validate_stop_strings(std::vector<std::string>{""}));
  EXPECT_FALSE(validate_stop_strings(std::vector<std::string>{"\xFF"}));
  EXPECT_FALSE(validate_stop_strings(std::vector<std::string>{std::string(1025, 'a')}));
  EXPECT_FALSE(validate_stop_strings(std::vector<std::string>(33, "a")));
}

RC_GTEST_PROP(StopStringsProperty, EqualsASearchInTheWholeText, ()) {
  const auto word = [](int least, int most) {
    std::string text;
    const int size = *rc::gen::inRange(least, most);
    for (int i = 0; i < size; ++i) text += *rc::gen::elementOf(std::string("ab"));
    return text;
  };
  const std::vector<std::string> stops = {word(1, 5), word(1, 5)};
  const std::string text = word(0, 30);
  std::string expected = text;
  for (std::size_t end = 1; end <= text.size() && expected == text; ++end) {
    std::size_t longest = 0;
    for (const std::string& stop : stops) {
      if (text.substr(0, end).ends_with(stop)) longest = std::max(longest, stop.size());
    }
    if (longest > 0) expected = text.substr(0, end - longest);
  }
  RC_ASSERT(until_stop(stops, text, *rc::gen::inRange<std::size_t>(1, 8)) == expected);
}

}  // namespace
}  // namespace notso
