#include "web/http/form.h"

#include <gtest/gtest.h>

namespace notso::http {
namespace {

TEST(FormTest, FieldsAreDecoded) {
  const Form form("text=a+b%26c%0D%0Ad&thinking=&name");
  EXPECT_EQ(form.value("text"), "a b&c\r\nd");
  EXPECT_TRUE(form.has("thinking"));
  EXPECT_TRUE(form.has("name"));
  EXPECT_FALSE(form.has("tools"));
  EXPECT_EQ(form.value("tools"), "");
}

TEST(FormTest, TheFirstOfTwoFieldsCounts) { EXPECT_EQ(Form("a=1&a=2").value("a"), "1"); }

TEST(FormTest, WhatIsNotEncodedRightIsEmpty) {
  const Form form("a=100%&b=%4&c=%zz&d=%41");
  EXPECT_EQ(form.value("a"), "");
  EXPECT_EQ(form.value("b"), "");
  EXPECT_EQ(form.value("c"), "");
  EXPECT_EQ(form.value("d"), "A");
}

TEST(FormTest, NumbersAreWholeOrNone) {
  const Form form("a=12&b=12x&c=&d=0.5&e= 1");
  EXPECT_EQ(form.integer("a"), 12);
  EXPECT_FALSE(form.integer("b"));
  EXPECT_FALSE(form.integer("c"));
  EXPECT_FALSE(form.integer("d"));
  EXPECT_EQ(form.number("d"), 0.5);
  EXPECT_FALSE(form.number("e"));
}

TEST(CookieTest, ACookieIsFoundAmongOthers) {
  EXPECT_EQ(cookie_value("a=1; b=2;c=3", "b"), "2");
  EXPECT_EQ(cookie_value("a=1; b=2;c=3", "c"), "3");
  EXPECT_EQ(cookie_value("ab=1; ba=2", "a"), "");
  EXPECT_EQ(cookie_value("a", "a"), "");
  EXPECT_EQ(cookie_value(";;; a==x", "a"), "=x");
  EXPECT_EQ(cookie_value("", "a"), "");
}

}  // namespace
}  // namespace notso::http
