// One call's JSON, complete, malformed, and cut off.
#include "service/chat/tool_call_reader.h"

#include <gtest/gtest.h>

namespace notso {
namespace {

ToolCallReader read(std::string_view text) {
  ToolCallReader reader;
  reader.feed(text);
  return reader;
}

TEST(ToolCallReader, NameAndArgumentsAreAsWritten) {
  const auto call = read(R"( {"name": "f", "arguments": { "a" : [1.50, "\"}\u00e9"] } } )");
  EXPECT_TRUE(call.complete());
  EXPECT_FALSE(call.malformed());
  EXPECT_EQ(call.name(), "f");
  EXPECT_EQ(call.arguments(), R"({ "a" : [1.50, "\"}\u00e9"] })");
  EXPECT_EQ(call.rest(), "");
}

TEST(ToolCallReader, KeysComeInAnyOrderAndOthersAreSkipped) {
  const auto call =
      read(R"({"id":[{"name":"no","arguments":{}}],"arguments":{"name":"x"},"n":-1,"name":"g\n"})");
  EXPECT_TRUE(call.complete());
  EXPECT_EQ(call.name(), "g\n");
  EXPECT_EQ(call.arguments(), R"({"name":"x"})");
}

TEST(ToolCallReader, MissingArgumentsAreEmpty) {
  EXPECT_EQ(read(R"({"name":"f"})").arguments(), "{}");
}

TEST(ToolCallReader, ItIsCompleteWithTheLastBraceAndNotBefore) {
  const std::string text = R"({"name":"f","arguments":{"a":{}}})";
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto call = read(text.substr(0, size));
    EXPECT_FALSE(call.complete() || call.malformed()) << size;
  }
  EXPECT_TRUE(read(text).complete());
  EXPECT_EQ(read(text + "\n} x\n").rest(), "} x");
}

class NotACall : public ::testing::TestWithParam<const char*> {};

TEST_P(NotACall, IsMalformed) {
  const auto call = read(GetParam());
  EXPECT_TRUE(call.malformed());
  EXPECT_FALSE(call.complete());
  EXPECT_EQ(call.text(), GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    ToolCallReader, NotACall,
    ::testing::Values("f()", "[]", "1 ", "\"f\"", "null", "{}", R"({"arguments":{}})",
                      R"({"name":1})", R"({"name":"","arguments":{}})",
                      R"({"name":{"a":1},"arguments":{}})", R"({"name":["f"]})",
                      R"({"name":"f","arguments":[]})", R"({"name":"f","arguments":"{}"})",
                      R"({"name":"f","arguments":null})", R"({"name":"f","arguments":12,)",
                      R"({"name":"f","name":"g"})", R"({"name":"f","arguments":{},"arguments":{}})",
                      R"({"name":"f",})", R"({'name':'f'})", R"({"name":"f" "arguments":{}})",
                      R"({"name":"\x"})"));

TEST(ToolCallReader, NestingIsBounded) {
  const std::string head = R"({"name":"f","arguments":{"a":)";
  EXPECT_FALSE(read(head + std::string(kToolCallDepthMax - 2, '[')).malformed());
  EXPECT_TRUE(read(head + std::string(60000, '[')).malformed());
}

}  // namespace
}  // namespace notso
