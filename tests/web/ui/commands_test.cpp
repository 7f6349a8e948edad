#include "web/ui/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

namespace notso::ui {
namespace {

using What = ParsedCommand::What;

TEST(CommandsTest, ACommandIsASlashAWordAndWhatFollows) {
  const ParsedCommand parsed = parse_command("  /Temp  0.7 \n");
  ASSERT_EQ(parsed.what, What::kCommand);
  EXPECT_EQ(parsed.command->kind, CommandKind::kTemp);
  EXPECT_EQ(parsed.argument, "0.7");
}

TEST(CommandsTest, EveryCommandOfTheTableIsFound) {
  for (const Command& command : commands()) {
    const ParsedCommand parsed = parse_command(std::string("/").append(command.name));
    ASSERT_EQ(parsed.what, What::kCommand);
    EXPECT_EQ(parsed.command, &command);
  }
  EXPECT_EQ(commands().size(), 14U);
}

TEST(CommandsTest, AnUnknownWordIsSaidToBeUnknown) {
  const ParsedCommand parsed = parse_command("/frobnicate now");
  EXPECT_EQ(parsed.what, What::kUnknown);
  EXPECT_EQ(parsed.name, "frobnicate");
}

TEST(CommandsTest, SpacesAndNewLinesOfAnyKindMayStandAroundAName) {
  for (const char* text : {" /help", "\n/help", "/help\r\nme", "/help\tme", "\t/HELP "}) {
    EXPECT_EQ(parse_command(text).name, "help") << text;
  }
}

TEST(CommandsTest, PathsAndFractionsAreText) {
  for (const char* text : {"/usr/bin/env", "1/2", "/", "//x", "/9", "hello /help", ""}) {
    EXPECT_EQ(parse_command(text).what, What::kText) << text;
  }
}

TEST(CommandsTest, TheQuoteHasItsFourteenVerses) {
  for (int verse = 1; verse <= 14; ++verse) {
    EXPECT_THAT(std::string(quoted_text()),
                testing::HasSubstr("**" + std::to_string(verse) + "** "));
  }
}

}  // namespace
}  // namespace notso::ui
