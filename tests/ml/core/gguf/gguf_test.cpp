// The reader on small files whose bytes the tests lay down themselves.
#include "ml/core/gguf/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ml/core/gguf/gguf_bytes.h"

namespace notso {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class GgufTest : public ::testing::Test {
 protected:
  TempFile temp_;

  Result<std::shared_ptr<const GgufFile>> open(const std::string& bytes) {
    return GgufFile::open(temp_.write(bytes));
  }
  Error error(const std::string& bytes) {
    const auto file = open(bytes);
    return file ? Error{ErrorCode::kInternal, "opened"} : file.error();
  }
};

TEST_F(GgufTest, ReadsEveryKindOfMetadata) {
  const auto file = open(every_metadata_type());
  ASSERT_TRUE(file) << file.error().message;
  const GgufFile& gguf = **file;
  EXPECT_EQ(gguf.get_uint("u8"), 200u);
  EXPECT_EQ(gguf.get_uint("u64"), 1ull << 60);
  EXPECT_EQ(gguf.get_uint("i16"), 1234u);
  EXPECT_EQ(std::get<std::int64_t>(gguf.find("i8")->data), -5);
  EXPECT_EQ(gguf.get_float("f32"), 1.5);
  EXPECT_EQ(gguf.get_float("f64"), -2.25);
  EXPECT_EQ(gguf.get_bool("yes"), true);
  EXPECT_EQ(gguf.get_string("text"), "hello");
  EXPECT_THAT(gguf.get_int_array("ints").value(), ElementsAre(1, -2, 3));
  EXPECT_THAT(gguf.get_float_array("floats").value(), ElementsAre(0.5f, 2.0f));
  const auto strings = gguf.get_strings("strings").value();
  EXPECT_THAT(std::vector(strings.begin(), strings.end()), ElementsAre("a", "", "bc"));
}

TEST_F(GgufTest, ReadsTensorsOfVersions2And3) {
  for (const std::uint32_t version : {2u, 3u}) {
    const auto file = open(two_tensors(version));
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ((*file)->version(), version);
    const GgufTensor* const tensor = (*file)->find_tensor("b");
    ASSERT_NE(tensor, nullptr);
    EXPECT_EQ(tensor->type, DType::kQ8_0);
    EXPECT_EQ(tensor->columns(), 32u);
    EXPECT_EQ(tensor->rows(), 2u);
    EXPECT_EQ(tensor->data.size(), 68u);
    EXPECT_EQ(std::to_integer<int>(tensor->data[0]), 'b');
  }
}

TEST_F(GgufTest, AMissingKeyNamesFileAndKey) {
  const auto file = open(two_tensors(3));
  ASSERT_TRUE(file);
  const auto value = (*file)->get_uint("smollm3.block_count");
  ASSERT_FALSE(value);
  EXPECT_THAT(value.error().message,
              AllOf(HasSubstr(temp_.path()), HasSubstr("'smollm3.block_count'")));
}

TEST_F(GgufTest, AKeyOfAnotherKindNamesBothKinds) {
  const auto file = open(every_metadata_type());
  ASSERT_TRUE(file);
  EXPECT_THAT((*file)->get_uint("text").error().message,
              AllOf(HasSubstr("string"), HasSubstr("whole number")));
  EXPECT_THAT((*file)->get_strings("ints").error().message, HasSubstr("array of i32"));
}

TEST_F(GgufTest, SaysWhatAFileWithoutTheMagicSeemsToBe) {
  EXPECT_THAT(error("").message, HasSubstr("is empty"));
  EXPECT_THAT(error("<!DOCTYPE html>").message, HasSubstr("web page"));
  EXPECT_THAT(error("version https://git-lfs.github.com/spec/v1").message, HasSubstr("git lfs"));
  EXPECT_THAT(error(std::string("PK\x03\x04zip")).message, HasSubstr("PyTorch"));
  EXPECT_THAT(error(std::string(100, '\0')).message, HasSubstr("unfinished download"));
  EXPECT_THAT(error(std::string("\x40\0\0\0\0\0\0\0{\"a\"", 12)).message, HasSubstr("safetensors"));
}

TEST_F(GgufTest, RefusesOldAndBigEndianVersionsByName) {
  EXPECT_THAT(error(two_tensors(1)).message, HasSubstr("version 1"));
  EXPECT_THAT(error(two_tensors(0x03000000)).message, HasSubstr("big-endian"));
  EXPECT_THAT(error(two_tensors(9)).message, HasSubstr("version 9"));
}

TEST_F(GgufTest, SaysHowManyBytesATruncatedFileMisses) {
  std::string bytes = two_tensors(3);
  bytes.resize(bytes.size() - 10);
  EXPECT_EQ(error(bytes).code, ErrorCode::kDataLoss);
  EXPECT_THAT(error(bytes).message, AllOf(HasSubstr("'b'"), HasSubstr("ends 10 bytes after")));
}

}  // namespace
}  // namespace notso
