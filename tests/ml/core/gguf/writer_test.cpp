// What the writer writes, the reader reads.
#include "ml/core/gguf/writer.h"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ml/core/gguf/allocation_counter.h"
#include "ml/core/gguf/gguf_bytes.h"

namespace notso {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class WriterTest : public ::testing::Test {
 protected:
  std::shared_ptr<const GgufFile> write_and_open(const GgufWriter& writer) {
    const Status written = writer.write(temp_.path());
    EXPECT_TRUE(written) << written.error().message;
    const auto file = GgufFile::open(temp_.path());
    EXPECT_TRUE(file) << file.error().message;
    return file ? *file : nullptr;
  }

  TempFile temp_;
};

// The number that the reader finds where the writer put the extremes of T.
template <class T>
void expect_extremes(const GgufFile& file, const std::string& name) {
  using Wide = std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>;
  const auto value_of = [&](const std::string& key) {
    return static_cast<T>(std::get<Wide>(file.find(key)->data));
  };
  EXPECT_EQ(file.find(name + ".min")->type, gguf_type_of<T>());
  EXPECT_EQ(value_of(name + ".min"), std::numeric_limits<T>::min());
  EXPECT_EQ(value_of(name + ".max"), std::numeric_limits<T>::max());
}

template <class T>
void add_extremes(GgufWriter& writer, const std::string& name) {
  writer.add_number<T>(name + ".min", std::numeric_limits<T>::min());
  writer.add_number<T>(name + ".max", std::numeric_limits<T>::max());
}

TEST_F(WriterTest, IntegersOfEveryWidthComeBack) {
  GgufWriter writer;
  add_extremes<std::uint8_t>(writer, "u8");
  add_extremes<std::int8_t>(writer, "i8");
  add_extremes<std::uint16_t>(writer, "u16");
  add_extremes<std::int16_t>(writer, "i16");
  add_extremes<std::uint32_t>(writer, "u32");
  add_extremes<std::int32_t>(writer, "i32");
  add_extremes<std::uint64_t>(writer, "u64");
  add_extremes<std::int64_t>(writer, "i64");
  const auto file = write_and_open(writer);
  ASSERT_NE(file, nullptr);
  expect_extremes<std::uint8_t>(*file, "u8");
  expect_extremes<std::int8_t>(*file, "i8");
  expect_extremes<std::uint16_t>(*file, "u16");
  expect_extremes<std::int16_t>(*file, "i16");
  expect_extremes<std::uint32_t>(*file, "u32");
  expect_extremes<std::int32_t>(*file, "i32");
  expect_extremes<std::uint64_t>(*file, "u64");
  expect_extremes<std::int64_t>(*file, "i64");
}

TEST_F(WriterTest, FloatsBoolsAndStringsComeBack) {
  GgufWriter writer;
  writer.add_number("f32", 0.1f);
  writer.add_number("f64", 0.1);
  writer.add_number("yes", true);
  writer.add_number("no", false);
  writer.add_string("text", "line\nline");
  writer.add_string("empty", "");
  const auto file = write_and_open(writer);
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(file->get_float("f32").value(), static_cast<double>(0.1f));
  EXPECT_EQ(file->get_float("f64").value(), 0.1);
  EXPECT_EQ(file->get_bool("yes").value(), true);
  EXPECT_EQ(file->get_bool("no").value(), false);
  EXPECT_EQ(file->get_string("text").value(), "line\nline");
  EXPECT_EQ(file->get_string("empty").value(), "");
}

TEST_F(WriterTest, ArraysComeBack) {
  GgufWriter writer;
  const std::vector<std::int32_t> numbers = {1, -2, 2'000'000'000};
  const std::vector<float> reals = {0.5f, -1e30f};
  const std::vector<std::uint16_t> none;
  const std::vector<std::string> words = {"a", "", "\xc4\xa0the"};
  writer.add_numbers<std::int32_t>("numbers", numbers);
  writer.add_numbers<float>("reals", reals);
  writer.add_numbers<std::uint16_t>("none", none);
  writer.add_strings("words", words);
  const auto file = write_and_open(writer);
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(file->get_int_array("numbers").value(), numbers);
  EXPECT_EQ(file->get_float_array("reals").value(), reals);
  EXPECT_TRUE(file->get_int_array("none").value().empty());
  const auto read = file->get_strings("words").value();
  EXPECT_THAT(std::vector(read.begin(), read.end()), ElementsAre("a", "", "\xc4\xa0the"));
}

TEST_F(WriterTest, TensorsComeBackWithAnyAlignment) {
  const std::string a(3 * 4, 'a');
  const std::string b(2 * 34, 'b');
  for (const std::uint32_t alignment : {8u, 32u, 4096u}) {
    GgufWriter writer(alignment);
    writer.add_tensor("a", DType::kF32, {3}, std::as_bytes(std::span(a)));
    writer.add_tensor("b", DType::kQ8_0, {32, 2}, std::as_bytes(std::span(b)));
    const auto file = write_and_open(writer);
    ASSERT_NE(file, nullptr);
    EXPECT_EQ(file->alignment(), alignment);
    EXPECT_EQ(file->file().bytes().size(), writer.file_bytes());
    const auto bytes_of = [&](const char* name) {
      const auto data = file->find_tensor(name)->data;
      return std::string(reinterpret_cast<const char*>(data.data()), data.size());
    };
    EXPECT_EQ(bytes_of("a"), a);
    EXPECT_EQ(bytes_of("b"), b);
    EXPECT_THAT(file->find_tensor("b")->shape, ElementsAre(32, 2));
  }
}

TEST_F(WriterTest, ALargeTensorIsStreamedInOrderWithLittleMemory) {
  GgufWriter writer;
  std::uint64_t expected_block = 0;
  bool in_order = true;
  writer.add_tensor("w", DType::kQ6_K, {256 * 64, 512},
                    [&](std::uint64_t first_block, std::span<std::byte> out) {
                      in_order = in_order && first_block == expected_block;
                      expected_block += out.size() / 210;
                      std::fill(out.begin(), out.end(), std::byte{1});
                    });
  std::uint64_t last_done = 0;
  reset_allocations();
  ASSERT_TRUE(writer.write(temp_.path(), [&](std::uint64_t done, std::uint64_t total) {
    EXPECT_GT(done, last_done);
    EXPECT_LE(done, total);
    last_done = done;
  }));
  EXPECT_LT(peak_allocated_bytes(), 3u << 20);
  EXPECT_TRUE(in_order);
  EXPECT_EQ(expected_block, 64u * 512u);
  EXPECT_EQ(last_done, writer.file_bytes());
}

TEST_F(WriterTest, NothingIsLeftOfAFileWhoseWriterIsKilled) {
  std::string folder = std::filesystem::temp_directory_path() / "writer_test_XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const int unnamed = open(folder.c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
  if (unnamed < 0) {
    std::filesystem::remove_all(folder);
    GTEST_SKIP() << "this file system has no files without names";
  }
  close(unnamed);
  const pid_t child = fork();
  if (child == 0) {
    GgufWriter writer;
    writer.add_tensor("w", DType::kF32, {1 << 20},
                      [](std::uint64_t, std::span<std::byte>) { raise(SIGKILL); });
    static_cast<void>(writer.write(folder + "/model.gguf"));
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  std::filesystem::remove_all(folder);
}

TEST_F(WriterTest, AMissingFolderAndAFolderInTheWayAreNamed) {
  const GgufWriter writer;
  EXPECT_THAT(writer.write("/no/such/folder/x.gguf").error().message,
              HasSubstr("folder does not exist"));
  EXPECT_THAT(writer.write(std::filesystem::temp_directory_path()).error().message,
              HasSubstr("it is a folder"));
}

TEST_F(WriterTest, AFileThatCannotGrowIsReportedAndTheOldOneStays) {
  temp_.write("old");
  const auto write_under_limit = [&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100'000, 100'000};
    setrlimit(RLIMIT_FSIZE, &limit);
    GgufWriter writer;
    writer.add_tensor("w", DType::kF32, {100'000}, [](std::uint64_t, std::span<std::byte>) {});
    const Status written = writer.write(temp_.path());
    if (!written) std::fprintf(stderr, "%s\n", written.error().message.c_str());
    std::_Exit(written ? 0 : 7);
  };
  EXPECT_EXIT(write_under_limit(), ::testing::ExitedWithCode(7), "larger than this file system");
  EXPECT_EQ(std::filesystem::file_size(temp_.path()), 3u);
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(temp_.path()).parent_path())) {
    EXPECT_FALSE(entry.path().string().starts_with(temp_.path() + ".part")) << entry.path();
  }
}

}  // namespace
}  // namespace notso
