// One wrong thing a test: each file is refused with a line that names the thing and the mend.
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <unistd.h>

#include "ml/core/gguf/allocation_counter.h"
#include "ml/core/gguf/gguf.h"
#include "ml/core/gguf/gguf_bytes.h"

namespace notso {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint32_t kString = 8;
constexpr std::uint32_t kArray = 9;

class RefusalTest : public ::testing::Test {
 protected:
  // The message for a file of these bytes, which must be refused.
  std::string refusal(const std::string& bytes) {
    const auto file = GgufFile::open(temp_.write(bytes));
    EXPECT_FALSE(file) << "the file was accepted";
    if (file) return "";
    EXPECT_THAT(file.error().message,
                AllOf(StartsWith("'" + temp_.path() + "' "), Not(HasSubstr("\n"))));
    code_ = file.error().code;
    return file.error().message;
  }
  // A file with one tensor, whose description `describe` writes, and 64 bytes of data.
  static std::string one_tensor(const Bytes& description) {
    return Bytes().header(1, 0).raw(description.done()).pad().raw(std::string(64, 'x')).done();
  }

  TempFile temp_;
  ErrorCode code_ = ErrorCode::kInternal;
};

TEST_F(RefusalTest, CountsBeyondTheCaps) {
  EXPECT_THAT(refusal(Bytes().header(kHuge, 0).done()), HasSubstr("tensors, at most 65536"));
  EXPECT_THAT(refusal(Bytes().header(0, kHuge).done()), HasSubstr("metadata pairs, at most"));
}

TEST_F(RefusalTest, CountsThatTheRestOfTheFileCannotHold) {
  EXPECT_THAT(refusal(Bytes().header(0, 60'000).done()), HasSubstr("misses 840000 bytes"));
  EXPECT_EQ(code_, ErrorCode::kDataLoss);
}

TEST_F(RefusalTest, AStringLongerThanTheCapNamesItsKey) {
  const std::string bytes = Bytes().header(0, 1).key("name", kString).u64(kHuge).done();
  EXPECT_THAT(refusal(bytes), HasSubstr("the value of 'name' says it has"));
}

TEST_F(RefusalTest, AStringBeyondTheEndSaysWhatIsMissing) {
  const std::string bytes = Bytes().header(0, 1).key("name", kString).u64(10).raw("abc").done();
  EXPECT_THAT(refusal(bytes), HasSubstr("'name' misses 7 bytes"));
}

TEST_F(RefusalTest, AnEmptyOrOverlongKey) {
  EXPECT_THAT(refusal(Bytes().header(0, 1).key("", 4).u32(1).u32(1).done()), HasSubstr("no key"));
  const std::string bytes = Bytes().header(0, 1).u64(70'000).raw(std::string(70'010, 'k')).done();
  EXPECT_THAT(refusal(bytes), HasSubstr("at most 65535 are allowed"));
}

TEST_F(RefusalTest, AnUnknownValueTypeNamesTheKey) {
  EXPECT_THAT(refusal(Bytes().header(0, 1).key("odd", 77).u64(0).done()),
              AllOf(HasSubstr("'odd'"), HasSubstr("type 77")));
}

TEST_F(RefusalTest, ArraysOfArraysAndOfUnknownTypes) {
  EXPECT_THAT(refusal(Bytes().header(0, 1).key("deep", kArray).u32(kArray).u64(1).done()),
              AllOf(HasSubstr("'deep'"), HasSubstr("array of arrays")));
  EXPECT_THAT(refusal(Bytes().header(0, 1).key("odd", kArray).u32(50).u64(1).done()),
              HasSubstr("unknown type 50"));
}

TEST_F(RefusalTest, ArrayLengthsBeyondTheCapOrTheFile) {
  EXPECT_THAT(refusal(Bytes().header(0, 1).key("long", kArray).u32(4).u64(kHuge / 4 + 2).done()),
              HasSubstr("elements, at most"));
  EXPECT_THAT(refusal(Bytes().header(0, 1).key("long", kArray).u32(4).u64(1000).done()),
              HasSubstr("misses 4000 bytes"));
  EXPECT_THAT(refusal(Bytes().header(0, 1).key("words", kArray).u32(8).u64(1000).done()),
              HasSubstr("misses 8000 bytes"));
}

TEST_F(RefusalTest, AKeyTwice) {
  const std::string bytes = Bytes().header(0, 2).key("same", 4).u32(1).key("same", 4).u32(2).done();
  EXPECT_THAT(refusal(bytes), HasSubstr("the key 'same' twice"));
}

TEST_F(RefusalTest, ATensorNameTwice) {
  Bytes bytes;
  bytes.header(2, 0).tensor("w", {8}, 0, 0).tensor("w", {8}, 0, 32).pad();
  EXPECT_THAT(refusal(bytes.raw(std::string(64, 'x')).done()), HasSubstr("tensor 'w' twice"));
}

TEST_F(RefusalTest, AlignmentsThatAreNoPowerOfTwoOrOutOfBounds) {
  for (const std::uint32_t alignment : {0u, 1u, 33u, 1u << 30, 0xffffffffu}) {
    const std::string bytes =
        Bytes().header(0, 1).key("general.alignment", 4).u32(alignment).done();
    EXPECT_THAT(refusal(bytes), HasSubstr("'general.alignment' is not a power of two"));
  }
  EXPECT_THAT(refusal(Bytes().header(0, 1).key("general.alignment", kString).string("x").done()),
              HasSubstr("'general.alignment'"));
}

TEST_F(RefusalTest, ASplitFileByName) {
  const std::string bytes =
      Bytes().header(0, 1).key("split.count", 2).number<std::uint16_t>(3).done();
  EXPECT_THAT(refusal(bytes), AllOf(HasSubstr("3 parts of a split model"), HasSubstr("--merge")));
  EXPECT_EQ(code_, ErrorCode::kUnsupported);
}

TEST_F(RefusalTest, TensorTypesThatAreNotReadByName) {
  struct Case {
    std::uint32_t raw;
    const char* name;
  };
  for (const Case& type : {Case{10, "Q2_K"}, Case{11, "Q3_K"}, Case{17, "IQ2_XS"},
                           Case{20, "IQ4_NL"}, Case{34, "TQ1_0"}, Case{39, "MXFP4"}}) {
    EXPECT_THAT(refusal(one_tensor(Bytes().tensor("blk.0.ffn_up.weight", {256}, type.raw, 0))),
                AllOf(HasSubstr("'blk.0.ffn_up.weight' has type " + std::string(type.name)),
                      HasSubstr("use a Q4_K_M")));
    EXPECT_EQ(code_, ErrorCode::kUnsupported);
  }
  EXPECT_THAT(refusal(one_tensor(Bytes().tensor("w", {256}, 999, 0))),
              HasSubstr("unknown type number 999"));
}

TEST_F(RefusalTest, ShapesThatCannotBe) {
  EXPECT_THAT(refusal(one_tensor(Bytes().tensor("w", {1, 1, 1, 1, 1}, 0, 0))),
              HasSubstr("5 dimensions, at most 4"));
  EXPECT_THAT(refusal(one_tensor(Bytes().tensor("w", {8, 0}, 0, 0))), HasSubstr("dimension of 0"));
  EXPECT_THAT(refusal(one_tensor(Bytes().tensor("w", {40}, 8, 0))), HasSubstr("multiple of 32"));
}

TEST_F(RefusalTest, ShapesWhoseProductOverflows) {
  EXPECT_THAT(refusal(one_tensor(Bytes().tensor("w", {1ull << 32, 1ull << 32, 2}, 0, 0))),
              HasSubstr("more elements than fit in 64 bits"));
  EXPECT_THAT(refusal(one_tensor(Bytes().tensor("w", {1ull << 62, 2}, 0, 0))),
              HasSubstr("more bytes than fit in 64 bits"));
  EXPECT_THAT(refusal(one_tensor(Bytes().tensor("w", {1ull << 62}, 1, kHuge - 31))),
              HasSubstr("ends beyond 64 bits"));
}

TEST_F(RefusalTest, TensorsOutsideTheFileMisalignedOrOverlapping) {
  EXPECT_THAT(refusal(one_tensor(Bytes().tensor("w", {32}, 0, 0))),
              HasSubstr("ends 64 bytes after"));
  EXPECT_THAT(refusal(one_tensor(Bytes().tensor("w", {8}, 0, 1ull << 60))),
              HasSubstr("bytes after the end of the file"));
  EXPECT_THAT(refusal(one_tensor(Bytes().tensor("w", {8}, 0, 4))),
              HasSubstr("no multiple of the alignment 32"));
  Bytes bytes;
  bytes.header(2, 0).tensor("a", {16}, 0, 0).tensor("b", {8}, 0, 32).pad();
  EXPECT_THAT(refusal(bytes.raw(std::string(64, 'x')).done()),
              HasSubstr("tensors 'a' and 'b' share bytes"));
}

TEST_F(RefusalTest, ATensorNameThatIsEmptyOrTooLong) {
  EXPECT_THAT(refusal(one_tensor(Bytes().tensor("", {8}, 0, 0))), HasSubstr("has no name"));
  EXPECT_THAT(refusal(one_tensor(Bytes().tensor(std::string(65, 'n'), {8}, 0, 0))),
              HasSubstr("at most 64 are allowed"));
}

TEST_F(RefusalTest, NamesWithControlCharactersAreEscapedInTheMessage) {
  EXPECT_THAT(refusal(one_tensor(Bytes().tensor("a\n\x1b[2J", {8}, 10, 0))),
              HasSubstr("'a\\x0a\\x1b[2J'"));
}

TEST_F(RefusalTest, AnArrayOfManyEmptyStringsIsCapped) {
  constexpr std::uint64_t kCount = (4 << 20) + 1;
  Bytes bytes;
  bytes.header(0, 1).key("words", kArray).u32(8).u64(kCount).raw(std::string(8 * kCount, '\0'));
  const std::string& path = temp_.write(bytes.done());
  reset_allocations();
  const auto file = GgufFile::open(path);
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, HasSubstr("at most 4194304 are allowed"));
  EXPECT_LT(peak_allocated_bytes(), 16u << 10);
}

TEST_F(RefusalTest, MetadataOfMoreThanAQuarterGibibyte) {
  constexpr std::uint64_t kCount = 16 << 20;
  std::uint64_t at = 0;
  for (const std::string& start : {Bytes().header(0, 3).key("a", kArray).u32(10).u64(kCount).done(),
                                   Bytes().key("b", kArray).u32(10).u64(kCount).done(),
                                   Bytes().key("c", kArray).u32(10).u64(kCount).done()}) {
    if (at == 0) temp_.write("");
    std::fstream file(temp_.path(), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(at));  // the elements are holes
    file << start;
    at += start.size() + kCount * 8;
  }
  ASSERT_EQ(truncate(temp_.path().c_str(), static_cast<off_t>(at)), 0);
  const auto file = GgufFile::open(temp_.path());
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, HasSubstr("its metadata takes more than 256 MiB; download"));
}

TEST_F(RefusalTest, WhatAFileSaysOfItselfOutlivesIt) {
  const auto file = GgufFile::open(temp_.write(Bytes()
                                                   .header(1, 1)
                                                   .key("name", kString)
                                                   .string("n")
                                                   .tensor("w", {8}, 0, 0)
                                                   .pad()
                                                   .raw(std::string(32, 'w'))
                                                   .done()));
  ASSERT_TRUE(file);
  ASSERT_EQ(truncate(temp_.path().c_str(), 0), 0);
  EXPECT_EQ((*file)->get_string("name"), "n");
  EXPECT_EQ((*file)->tensors()[0].name, "w");
}

TEST_F(RefusalTest, AFileTruncatedAfterOpeningFailsClearlyInsideTheGuard) {
  std::string bytes = Bytes().header(1, 0).tensor("w", {8, 4096}, 0, 0).pad().done();
  bytes += std::string(8 * 4096 * 4, 'w');
  const auto file = GgufFile::open(temp_.write(bytes));
  ASSERT_TRUE(file);
  ASSERT_EQ(truncate(temp_.path().c_str(), 4096), 0);
  volatile int last = 0;
  const Status read = guard_mapped_reads(
      temp_.path(), [&] { last = std::to_integer<int>((*file)->tensors()[0].data.back()); });
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kDataLoss);
  EXPECT_THAT(read.error().message, HasSubstr("was truncated"));
}

}  // namespace
}  // namespace notso
