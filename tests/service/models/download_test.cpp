#include "service/models/download.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <fcntl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "service/models/download_fixture.h"

namespace notso {
namespace {

using Phase = DownloadProgress::Phase;

TEST_F(DownloadTest, fetches_a_file_in_ranges_over_several_connections) {
  const auto report = expect_whole(request("/plain/x.gguf"));
  EXPECT_EQ(report.bytes, content_.size());
  EXPECT_EQ(report.sha256, sha256_of(content_));
  EXPECT_FALSE(report.verified);
  const std::string log = server_.ask("/log");
  // 3,000,000 bytes in pieces of 262,144.
  EXPECT_EQ(std::count(log.begin(), log.end(), '{'), 1 + 12);
}

TEST_F(DownloadTest, checks_the_hash_that_the_hub_names_in_its_redirect) {
  EXPECT_TRUE(expect_whole(request("/hub/x.gguf")).verified);
}

TEST_F(DownloadTest, checks_the_hash_that_it_is_given) {
  auto wanted = request("/plain/x.gguf");
  wanted.sha256 = sha256_of(content_);
  std::transform(wanted.sha256.begin(), wanted.sha256.end(), wanted.sha256.begin(), ::toupper);
  EXPECT_TRUE(expect_whole(wanted).verified);
}

// A second: progress is told ten times as often.
const std::string kSlowFile = "/slow/x.gguf?ms=20";

TEST_F(DownloadTest, tells_how_far_it_is_until_it_is_done) {
  expect_whole(request(kSlowFile));
  ASSERT_GE(told_.size(), 4U);
  EXPECT_EQ(told_.front().phase, Phase::kAsking);
  EXPECT_EQ(told_.back().phase, Phase::kDone);
  const auto moving = std::find_if(told_.begin(), told_.end(), [](const DownloadProgress& told) {
    return told.phase == Phase::kDownloading && told.done > 0;
  });
  ASSERT_NE(moving, told_.end());
  EXPECT_EQ(moving->total, content_.size());
  EXPECT_GT(moving->bytes_per_s, 0);
  EXPECT_TRUE(moving->seconds_left);
}

TEST_F(DownloadTest, works_without_ranges_and_without_a_length) {
  expect_whole(request("/norange/x.gguf"));
  unlink(target_.c_str());
  expect_whole(request("/chunked/x.gguf"));
}

TEST_F(DownloadTest, uses_one_stream_where_nothing_tells_versions_apart) {
  expect_whole(request("/unmarked/x.gguf"));
  const std::string log = server_.ask("/log");
  EXPECT_EQ(std::count(log.begin(), log.end(), '{'), 2);
}

TEST_F(DownloadTest, goes_on_where_a_cancelled_download_stopped) {
  std::stop_source stop;
  auto wanted = request(kSlowFile);
  wanted.stop = stop.get_token();
  wanted.progress = [&](const DownloadProgress& progress) {
    if (progress.done > 1'000'000) stop.request_stop();
  };
  const Error error = expect_error(wanted);
  EXPECT_EQ(error.code, ErrorCode::kCancelled);
  const auto report = expect_whole(request("/slow/x.gguf?ms=0"));
  EXPECT_GT(report.resumed, 900'000U);
  EXPECT_LT(bytes_sent(), content_.size() + 1'500'000);
}

TEST_F(DownloadTest, is_cancelled_at_once_from_another_thread) {
  std::stop_source stop;
  auto wanted = request("/stalls/x.gguf");
  wanted.stop = stop.get_token();
  wanted.connections = 1;
  std::atomic<bool> moving = false;
  wanted.progress = [&](const DownloadProgress& progress) {
    if (progress.phase == Phase::kDownloading) moving = true;
  };
  std::jthread other([&] {
    while (!moving) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    stop.request_stop();
  });
  EXPECT_EQ(expect_error(wanted).code, ErrorCode::kCancelled);
}

TEST_F(DownloadTest, survives_kill_9_at_any_moment_and_goes_on) {
  int kills = 0;
  for (int attempt = 0; attempt < 40 && !exists(target_); ++attempt) {
    const pid_t child = fork();
    if (child == 0) {
      auto wanted = request("/slow/x.gguf?ms=10");
      wanted.progress = {};
      wanted.sha256 = sha256_of(content_);
      _exit(download(wanted) ? 0 : 1);
    }
    usleep(20'000U + 15'000U * static_cast<unsigned>(attempt));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) ++kills;
    // Never a part of the file under its name.
    if (exists(target_)) {
      EXPECT_EQ(file_text(target_).size(), content_.size());
    }
  }
  EXPECT_GT(kills, 0);
  if (!exists(target_)) expect_whole(request("/plain/x.gguf"));
  EXPECT_TRUE(file_text(target_) == content_);
}

TEST_F(DownloadTest, starts_over_when_the_part_is_of_another_file) {
  write_text(target_ + ".part", "something else");
  write_text(target_ + ".part.state", "notso-part 1\nvalidator:\"old\"\n3000000 262144\n1 2 3\n");
  EXPECT_EQ(expect_whole(request("/plain/x.gguf")).resumed, 0U);
}

TEST_F(DownloadTest, starts_over_once_when_what_was_left_behind_is_spoiled) {
  std::stop_source stop;
  auto wanted = request(kSlowFile);
  wanted.sha256 = sha256_of(content_);
  wanted.stop = stop.get_token();
  wanted.progress = [&](const DownloadProgress& progress) {
    if (progress.done > 1'000'000) stop.request_stop();
  };
  expect_error(wanted);
  // Flip one byte at the front, which is there already.
  const int fd = open((target_ + ".part").c_str(), O_WRONLY);
  const char wrong = static_cast<char>(~content_[10]);
  ASSERT_EQ(pwrite(fd, &wrong, 1, 10), 1);
  close(fd);
  auto again = request("/plain/x.gguf");
  again.sha256 = sha256_of(content_);
  EXPECT_TRUE(expect_whole(again).verified);
}

TEST_F(DownloadTest, leaves_a_file_that_another_process_downloads_alone) {
  auto held = PartFile::open(target_, DiskCalls::real());
  ASSERT_TRUE(held);
  const Error error = expect_error(request("/plain/x.gguf"));
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_TRUE(says(error, "another process"));
}

TEST_F(DownloadTest, discards_what_is_not_accepted) {
  auto wanted = request("/html/x.gguf");
  wanted.accept = [](const std::string& path) -> Status {
    EXPECT_EQ(file_text(path), "<html>Please sign in</html>");
    return fail(ErrorCode::kInvalidArgument, "that is no model");
  };
  EXPECT_EQ(expect_error(wanted).message, "that is no model");
  expect_no_leftovers();
}

TEST_F(DownloadTest, refuses_a_hash_that_is_none) {
  auto wanted = request("/plain/x.gguf");
  wanted.sha256 = "12345";
  EXPECT_TRUE(says(expect_error(wanted), "64 hexadecimal digits"));
}

}  // namespace
}  // namespace notso
