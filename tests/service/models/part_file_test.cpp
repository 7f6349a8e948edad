#include "service/models/part_file.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <unistd.h>

#include "service/models/download_fixture.h"

namespace notso {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// A part file of four pieces of 10 bytes and one of 2, with 15 bytes there.
void leave_half(const std::string& path) {
  ASSERT_TRUE(remove_part_file(path));
  auto part = PartFile::open(path, DiskCalls::real());
  ASSERT_TRUE(part);
  ASSERT_EQ(part->begin("id", 42, 10).value(), 0U);
  ASSERT_EQ(part->pieces().size(), 5U);
  EXPECT_TRUE(part->write(part->pieces()[0], bytes_of("0123456789")));
  EXPECT_TRUE(part->write(part->pieces()[2], bytes_of("abcde")));
  EXPECT_TRUE(part->save_state());
}

// What a new part file takes up.
std::uint64_t taken_up(const std::string& path, const std::string& identity, std::uint64_t bytes) {
  auto part = PartFile::open(path, DiskCalls::real());
  return part.value().begin(identity, bytes, 10).value();
}

TEST(PartFile, takes_up_what_an_earlier_one_left) {
  const ScratchFolder folder;
  leave_half(folder / "x");
  EXPECT_EQ(taken_up(folder / "x", "id", 42), 15U);
}

TEST(PartFile, starts_over_for_another_file_or_none_that_is_known) {
  const ScratchFolder folder;
  for (const char* const identity : {"other", ""}) {
    leave_half(folder / "x");
    EXPECT_EQ(taken_up(folder / "x", identity, 42), 0U);
    EXPECT_EQ(file_text(folder / "x.part"), "");
  }
  leave_half(folder / "x");
  EXPECT_EQ(taken_up(folder / "x", "id", 43), 0U);
}

TEST(PartFile, keeps_the_pieces_that_it_has_when_their_length_is_set_otherwise) {
  const ScratchFolder folder;
  leave_half(folder / "x");
  auto part = PartFile::open(folder / "x", DiskCalls::real());
  EXPECT_EQ(part.value().begin("id", 42, 21).value(), 15U);
  EXPECT_EQ(part.value().pieces().size(), 5U);
}

TEST(PartFile, believes_no_state_that_is_damaged_or_promises_too_much) {
  const ScratchFolder folder;
  leave_half(folder / "x");
  const std::string good = file_text(folder / "x.part.state");
  for (const std::string& bad :
       {std::string(), good.substr(0, good.size() / 2), "notso-part 2" + good.substr(12),
        std::string("notso-part 1\nid\n42 0\n"), std::string("notso-part 1\nid\n42 10\n11 0 0 0 0"),
        std::string("notso-part 1\nid\n42 10\n10 10 10 10 2"),  // more than the file has
        std::string("notso-part 1\nid\n42 10\n-1 0 0 0 0"),
        std::string("notso-part 1\nid\n42 10\n99999999999999999999999 0 0 0 0")}) {
    leave_half(folder / "x");
    write_text(folder / "x.part.state", bad);
    EXPECT_EQ(taken_up(folder / "x", "id", 42), 0U) << bad;
  }
}

TEST(PartFile, refuses_absurd_lengths) {
  const ScratchFolder folder;
  auto part = PartFile::open(folder / "x", DiskCalls::real());
  ASSERT_TRUE(part);
  EXPECT_FALSE(part->begin("id", ~std::uint64_t{0}, 10));
  // However small the pieces ought to be, there are not many.
  ASSERT_TRUE(part->begin("id", std::uint64_t{1} << 36U, 1));
  EXPECT_LE(part->pieces().size(), std::size_t{1} << 16U);
}

TEST(PartFile, follows_no_symbolic_link) {
  const ScratchFolder folder;
  write_text(folder / "precious", "precious");
  ASSERT_EQ(symlink((folder / "precious").c_str(), (folder / "x.part").c_str()), 0);
  EXPECT_FALSE(PartFile::open(folder / "x", DiskCalls::real()));
  EXPECT_EQ(file_text(folder / "precious"), "precious");
}

TEST(PartFile, is_locked_while_it_is_open) {
  const ScratchFolder folder;
  auto first = PartFile::open(folder / "x", DiskCalls::real());
  ASSERT_TRUE(first);
  EXPECT_FALSE(PartFile::open(folder / "x", DiskCalls::real()));
}

TEST(PartFile, is_not_removed_while_it_is_open) {
  const ScratchFolder folder;
  leave_half(folder / "x");
  {
    auto first = PartFile::open(folder / "x", DiskCalls::real());
    ASSERT_TRUE(first);
    const auto removed = remove_part_file(folder / "x");
    ASSERT_FALSE(removed);
    EXPECT_EQ(removed.error().code, ErrorCode::kUnavailable);
  }
  EXPECT_EQ(taken_up(folder / "x", "id", 42), 15U);
  EXPECT_TRUE(remove_part_file(folder / "x").value());
  EXPECT_FALSE(remove_part_file(folder / "x").value());
}

TEST(PartFile, does_not_give_the_final_name_to_what_took_its_place) {
  const ScratchFolder folder;
  auto part = PartFile::open(folder / "x", DiskCalls::real());
  ASSERT_TRUE(part);
  ASSERT_EQ(unlink((folder / "x.part").c_str()), 0);
  EXPECT_FALSE(part->finish());
  write_text(folder / "x.part", "another's first bytes");
  const Status finished = part->finish();
  ASSERT_FALSE(finished);
  EXPECT_NE(finished.error().message.find("was removed or replaced"), std::string::npos);
  EXPECT_NE(access((folder / "x").c_str(), F_OK), 0);
  EXPECT_EQ(file_text(folder / "x.part"), "another's first bytes");
}

}  // namespace
}  // namespace notso
