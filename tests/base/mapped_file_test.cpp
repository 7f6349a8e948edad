#include "base/mapped_file.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace notso {
namespace {

using ::testing::HasSubstr;

// A folder that goes away with the test.
class MappedFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "mapped_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& bytes) const {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  std::string folder_;
};

// Reads every page, so that a missing one faults.
std::size_t sum(std::span<const std::byte> bytes) {
  std::size_t total = 0;
  for (const std::byte b : bytes) total += std::to_integer<std::size_t>(b);
  return total;
}

TEST_F(MappedFileTest, HoldsTheBytesOfTheFile) {
  const auto file = MappedFile::open(write("a", "abc"));
  ASSERT_TRUE(file);
  EXPECT_EQ(file->bytes().size(), 3u);
  EXPECT_EQ(sum(file->bytes()), std::size_t{'a' + 'b' + 'c'});
}

TEST_F(MappedFileTest, AnEmptyFileIsAnEmptySpan) {
  const auto file = MappedFile::open(write("empty", ""));
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->bytes().empty());
}

TEST_F(MappedFileTest, AMissingFileIsNotFoundByName) {
  const auto file = MappedFile::open(folder_ + "/none");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(file.error().message, HasSubstr(folder_ + "/none"));
}

TEST_F(MappedFileTest, AFolderIsRefused) {
  const auto file = MappedFile::open(folder_);
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, HasSubstr("is a folder"));
}

TEST_F(MappedFileTest, APipeIsRefusedWithoutWaiting) {
  const std::string path = folder_ + "/pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const auto file = MappedFile::open(path);
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, HasSubstr("not a regular file"));
}

TEST_F(MappedFileTest, MovingKeepsTheMappingAlive) {
  auto first = MappedFile::open(write("a", "abc"));
  ASSERT_TRUE(first);
  MappedFile second = std::move(*first);
  EXPECT_EQ(second.bytes().size(), 3u);
  MappedFile third;
  third = std::move(second);
  EXPECT_EQ(sum(third.bytes()), std::size_t{'a' + 'b' + 'c'});
}

TEST_F(MappedFileTest, ReleasedPagesCanBeReadAgain) {
  const auto file = MappedFile::open(write("a", std::string(100'000, '\1')));
  ASSERT_TRUE(file);
  file->release_pages(1, 90'000);
  file->release_pages(99'999, 1'000'000);
  EXPECT_EQ(sum(file->bytes()), 100'000u);
}

TEST_F(MappedFileTest, ATruncatedFileFailsInsideTheGuard) {
  const std::string path = write("a", std::string(100'000, '\1'));
  const auto file = MappedFile::open(path);
  ASSERT_TRUE(file);
  ASSERT_EQ(truncate(path.c_str(), 100), 0);
  volatile std::size_t total = 0;
  const Status status = guard_mapped_reads(path, [&] { total = sum(file->bytes()); });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kDataLoss);
  EXPECT_THAT(status.error().message, HasSubstr(path));
}

TEST_F(MappedFileTest, TheGuardWorksAgainAfterAFault) {
  const std::string path = write("a", std::string(100'000, '\1'));
  const auto file = MappedFile::open(path);
  ASSERT_TRUE(file);
  ASSERT_EQ(truncate(path.c_str(), 100), 0);
  volatile std::size_t total = 0;
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(guard_mapped_reads(path, [&] { total = sum(file->bytes()); }));
    EXPECT_TRUE(guard_mapped_reads(path, [&] { total = sum(file->bytes().first(100)); }));
  }
}

TEST_F(MappedFileTest, AFaultOutsideTheGuardEndsTheProgramWithOneLine) {
  const std::string path = write("a", std::string(100'000, '\1'));
  const auto file = MappedFile::open(path);
  ASSERT_TRUE(file);
  ASSERT_EQ(truncate(path.c_str(), 100), 0);
  EXPECT_EXIT(
      {
        install_mapped_fault_handler();
        volatile std::size_t total = sum(file->bytes());
        static_cast<void>(total);
      },
      ::testing::ExitedWithCode(1), "model file was truncated");
}

TEST_F(MappedFileTest, AForeignBusErrorReachesTheHandlerThatWasThereBefore) {
  EXPECT_EXIT(
      {
        std::signal(SIGBUS, [](int) { _exit(42); });
        install_mapped_fault_handler();
        raise(SIGBUS);
      },
      ::testing::ExitedWithCode(42), "");
}

TEST_F(MappedFileTest, AForeignBusErrorWithoutHandlerKills) {
  EXPECT_EXIT(
      {
        std::signal(SIGBUS, SIG_DFL);
        install_mapped_fault_handler();
        raise(SIGBUS);
      },
      ::testing::KilledBySignal(SIGBUS), "");
}

}  // namespace
}  // namespace notso
