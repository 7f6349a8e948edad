#include "web/ui/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "web/ui/stored_messages.h"

namespace notso::ui {
namespace {

using testing::HasSubstr;

TEST(ExportTest, MarkdownHasWhoSaidWhat) {
  StoredMessage last = answer(2, 1, "Hello.");
  last.message.reasoning = "A greeting.\nBe kind.";
  last.message.tool_calls = {{"c1", "clock", "{}"}};
  const std::string text = export_markdown("Hi", Transcript({question(1, 0, "hi"), last}, 2));
  EXPECT_EQ(text,
            "# Hi\n\n## You\n\nhi\n\n## Answer\n\n> A greeting.\n> Be kind.\n\nHello.\n\n"
            "Called `clock`:\n\n```json\n{}\n```\n\n");
}

TEST(ExportTest, FencesAreLongerThanWhatTheyHold) {
  StoredMessage last = answer(2, 1, "");
  last.message.tool_calls = {{"c1", "f", "````"}};
  EXPECT_THAT(export_markdown("", Transcript({question(1, 0, "a"), last}, 2)),
              HasSubstr("`````json\n````\n`````"));
}

TEST(ExportTest, TextIsWhatWasSaid) {
  EXPECT_EQ(export_text("", Transcript({question(1, 0, "hi"), answer(2, 1, "Hello.")}, 2)),
            "New chat\n\nYou:\nhi\n\nAnswer:\nHello.\n\n");
}

TEST(ExportTest, NamesAreHarmless) {
  EXPECT_EQ(export_name("a/../b \"c\"", "md"), "a-b-c.md");
  EXPECT_EQ(export_name("مرحبا", "txt"), "chat.txt");
}

}  // namespace
}  // namespace notso::ui
