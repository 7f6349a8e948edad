#include "web/http/text.h"

#include <gtest/gtest.h>

namespace notso::http {
namespace {

TEST(HttpText, DatesAreWrittenAsTheStandardDoes) {
  // The example of RFC 9110, section 5.6.7.
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(HttpText, Utf8IsJudgedByTheTableOfTheUnicodeStandard) {
  for (const char* good : {"", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf",
                           "\xee\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(good)) << escape_for_log(good);
  }
  for (const char* bad :
       {"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xe2\x28\xa1", "a\xff"}) {
    EXPECT_FALSE(is_utf8(bad)) << escape_for_log(bad);
  }
}

TEST(HttpText, WhatIsLoggedStaysOnOneLine) {
  EXPECT_EQ(escape_for_log("a\r\nb\x1b[0m\"\\\xff\xc3\xa9"),
            "a\\x0d\\x0ab\\x1b[0m\\x22\\x5c\\xff\xc3\xa9");
}

TEST(HttpText, AHeaderCannotHoldAnother) {
  std::string head;
  append_header(head, "X-A", "b\r\nX-Evil: c");
  append_header(head, "X-B\r\nX-Evil", "c");
  append_header(head, "", "c");
  EXPECT_EQ(head, "X-A: b  X-Evil: c\r\n");
}

TEST(HttpText, ListsAreSplitAndTrimmed) {
  const auto items = list_items(" a ,, b\t,c d");
  ASSERT_EQ(items.size(), 3U);
  EXPECT_EQ(items[0], "a");
  EXPECT_EQ(items[1], "b");
  EXPECT_EQ(items[2], "c d");
}

}  // namespace
}  // namespace notso::http
