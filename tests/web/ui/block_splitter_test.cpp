#include "web/ui/block_splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

namespace notso::ui {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> drain(BlockSplitter& splitter) {
  std::vector<std::string> blocks;
  std::string block;
  while (splitter.next(block)) blocks.push_back(block);
  return blocks;
}

std::vector<std::string> split(std::string_view text) {
  BlockSplitter splitter;
  splitter.append(text);
  splitter.finish();
  return drain(splitter);
}

TEST(BlockSplitterTest, ParagraphsEndAtBlankLines) {
  EXPECT_THAT(split("a\nb\n\nc"), ElementsAre("a\nb\n\n", "c"));
}

TEST(BlockSplitterTest, HeadingsAndFencesNeedNoBlankLines) {
  EXPECT_THAT(split("a\n# h\nb\n```\ncode\n```\nc"),
              ElementsAre("a\n", "# h\n", "b\n", "```\ncode\n```\n", "c"));
}

TEST(BlockSplitterTest, FencesKeepBlankLinesAndWhatLooksLikeBlocks) {
  EXPECT_THAT(split("````py\n# x\n\n```\n````\n"), ElementsAre("````py\n# x\n\n```\n````\n"));
}

TEST(BlockSplitterTest, ListsGoOnAfterBlankLines) {
  EXPECT_THAT(split("- a\n\n- b\n\n  more\n\nend"), ElementsAre("- a\n\n- b\n\n  more\n\n", "end"));
}

TEST(BlockSplitterTest, FencesInListsBelongToTheList) {
  EXPECT_THAT(split("1. a\n   ```\n   x\n\n   y\n   ```\n2. b\n"),
              ElementsAre("1. a\n   ```\n   x\n\n   y\n   ```\n2. b\n"));
}

TEST(BlockSplitterTest, LongListsAreCutBeforeAnOuterItem) {
  std::string list;
  for (int i = 1; i <= 200; ++i) list += std::to_string(i) + ". an item of some forty characters\n";
  const std::vector<std::string> blocks = split(list);
  EXPECT_GT(blocks.size(), 1U);
  for (const std::string& block : blocks) EXPECT_LT(block.size(), 4200U);
}

TEST(BlockSplitterTest, NothingIsClosedBeforeItsEndIsCertain) {
  BlockSplitter splitter;
  splitter.append("a line\n\n");
  EXPECT_THAT(drain(splitter), IsEmpty());
  splitter.append("next");
  EXPECT_THAT(drain(splitter), IsEmpty());
  splitter.append(" line\n");
  EXPECT_THAT(drain(splitter), ElementsAre("a line\n\n"));
}

TEST(BlockSplitterTest, CutsDoNotDependOnHowTheTextArrives) {
  const std::string text =
      "# t\npara\n- a\n- b\n\n```c\nint x;\n\n```\n> q\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n1. "
      "x\n";
  const std::vector<std::string> whole = split(text);
  for (std::size_t size = 1; size < 9; ++size) {
    BlockSplitter splitter;
    std::vector<std::string> blocks;
    for (std::size_t at = 0; at < text.size(); at += size) {
      splitter.append(std::string_view(text).substr(at, size));
      for (std::string& block : drain(splitter)) blocks.push_back(std::move(block));
    }
    splitter.finish();
    for (std::string& block : drain(splitter)) blocks.push_back(std::move(block));
    EXPECT_EQ(blocks, whole);
  }
}

TEST(BlockSplitterTest, NoByteIsLostButBlankLinesBetweenBlocks) {
  std::string joined;
  for (const std::string& block : split("\n\na\n\n\nb\n")) joined += block;
  EXPECT_EQ(joined, "a\n\n\nb\n");
}

}  // namespace
}  // namespace notso::ui
