// Servers, networks and disks at their worst.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/models/download_fixture.h"

namespace notso {
namespace {

TEST_F(DownloadTest, gets_the_file_from_a_server_that_cuts_every_connection) {
  expect_whole(request("/cut/x.gguf?bytes=100000"));
}

TEST_F(DownloadTest, gives_up_on_a_server_that_sends_nothing_and_keeps_what_came) {
  auto wanted = request("/cut/x.gguf?bytes=0");
  const Error error = expect_error(wanted);
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_TRUE(says(error, "5 attempts failed")) << error.message;
}

TEST_F(DownloadTest, begins_again_after_a_cut_where_there_are_no_ranges) {
  expect_whole(request("/norange-cut/x.gguf"));
}

TEST_F(DownloadTest, tries_again_after_a_stall) {
  auto wanted = request("/stalls/x.gguf");
  wanted.transfer.stall_seconds = 1;
  expect_whole(wanted);
}

TEST_F(DownloadTest, waits_while_the_server_is_busy) {
  expect_whole(request("/busy/x.gguf?times=3"));
  EXPECT_TRUE(std::any_of(told_.begin(), told_.end(), [](const DownloadProgress& told) {
    return told.phase == DownloadProgress::Phase::kWaiting && !told.note.empty();
  }));
}

TEST_F(DownloadTest, makes_do_with_one_connection_where_more_are_refused) {
  auto wanted = request("/few/x.gguf");
  wanted.attempts = 20;
  expect_whole(wanted);
}

TEST_F(DownloadTest, asks_for_a_new_address_when_the_signed_one_expires) {
  auto wanted = request("/expiring/x.gguf");
  wanted.connections = 1;
  EXPECT_TRUE(expect_whole(wanted).verified);
}

TEST_F(DownloadTest, does_not_believe_a_content_length_that_is_too_long) {
  const Error error = expect_error(request("/short/x.gguf"));
  EXPECT_EQ(error.code, ErrorCode::kDataLoss);
  EXPECT_TRUE(says(error, "announces"));
  EXPECT_EQ(expect_error(request("/norange-short/x.gguf")).code, ErrorCode::kUnavailable);
}

TEST_F(DownloadTest, does_not_take_more_than_was_announced) {
  const Error error = expect_error(request("/long/x.gguf"));
  EXPECT_EQ(error.code, ErrorCode::kDataLoss);
  EXPECT_TRUE(says(error, "more than it announced"));
}

TEST_F(DownloadTest, does_with_one_stream_where_ranges_are_of_another_length) {
  expect_whole(request("/two-totals/x.gguf"));
}

TEST_F(DownloadTest, does_with_one_stream_where_ranges_are_only_pretended) {
  expect_whole(request("/pretends-ranges/x.gguf"));
}

TEST_F(DownloadTest, starts_over_when_the_file_changes_midway) {
  std::reverse(content_.begin(), content_.end());
  expect_whole(request("/change/x.gguf"));
}

TEST_F(DownloadTest, sees_a_silent_change_by_the_hash) {
  auto wanted = request("/silent-change/x.gguf");
  wanted.sha256 = sha256_of(content_);
  const Error error = expect_error(wanted);
  EXPECT_EQ(error.code, ErrorCode::kDataLoss);
  EXPECT_TRUE(says(error, wanted.sha256));
  expect_no_leftovers();
}

TEST_F(DownloadTest, throws_away_what_has_the_wrong_hash) {
  const Error error = expect_error(request("/hub-wrong-hash/x.gguf"));
  EXPECT_EQ(error.code, ErrorCode::kDataLoss);
  EXPECT_TRUE(says(error, "thrown away"));
  expect_no_leftovers();
}

TEST_F(DownloadTest, fetches_nothing_when_hub_and_wish_disagree_about_hash_or_length) {
  auto wanted = request("/hub/x.gguf");
  wanted.sha256 = sha256_of("another");
  EXPECT_TRUE(says(expect_error(wanted), "not " + wanted.sha256));
  auto longer = request("/plain/x.gguf");
  longer.bytes = 5;
  EXPECT_TRUE(says(expect_error(longer), "has 3000000 bytes, not 5"));
  EXPECT_TRUE(says(expect_error(request("/hub-wrong-size/x.gguf")), "3000004 bytes"));
  EXPECT_LT(bytes_sent(), 100'000U);
}

TEST_F(DownloadTest, says_what_to_do_about_missing_and_empty_files) {
  EXPECT_EQ(expect_error(request("/gone/x.gguf")).code, ErrorCode::kNotFound);
  EXPECT_TRUE(says(expect_error(request("/empty/x.gguf")), "is empty"));
}

TEST_F(DownloadTest, follows_some_redirects_but_no_loop) {
  expect_whole(request("/hops/x.gguf?n=5"));
  unlink(target_.c_str());
  EXPECT_TRUE(says(expect_error(request("/hops/x.gguf?n=30")), "redirects"));
  EXPECT_TRUE(says(expect_error(request("/loop/x.gguf")), "redirects"));
}

TEST_F(DownloadTest, follows_no_redirect_to_the_file_system) {
  EXPECT_TRUE(says(expect_error(request("/to/x.gguf?url=file:///etc/passwd")), "redirects to"));
}

TEST_F(DownloadTest, sends_the_token_to_its_own_host_only) {
  auto wanted = request("/other-host/x.gguf");
  wanted.token = {"secret", *origin_of(server_.root())};
  expect_whole(wanted);
  const std::string log = server_.ask("/log");
  EXPECT_NE(
      log.find("\"host\": \"127.0.0.1:" + server_.port() + "\", \"token\": \"Bearer secret\""),
      std::string::npos);
  EXPECT_EQ(log.find("\"host\": \"localhost:" + server_.port() + "\", \"token\": \"Bearer"),
            std::string::npos);
}

TEST_F(DownloadTest, asks_for_a_token_where_one_is_wanted) {
  EXPECT_TRUE(says(expect_error(request("/token/x.gguf")), "set HF_TOKEN"));
  auto wrong = request("/token/x.gguf");
  wrong.token = {"wrong", *origin_of(server_.root())};
  EXPECT_TRUE(says(expect_error(wrong), "may not read this file"));
  auto right = request("/token/x.gguf");
  right.token = {"secret", *origin_of(server_.root())};
  expect_whole(right);
}

TEST_F(DownloadTest, gives_up_when_nobody_answers) {
  auto wanted = request("/plain/x.gguf");
  wanted.url = "http://127.0.0.1:1/x.gguf";
  const Error error = expect_error(wanted);
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_TRUE(says(error, "check the network"));
}

TEST_F(DownloadTest, follows_no_redirect_from_https_to_http) {
  const std::string certificate = folder_ / "tls.pem";
  const std::string command =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
      "-nodes -days 2 -subj /CN=127.0.0.1 -addext "
      "subjectAltName=IP:127.0.0.1 -keyout " +
      certificate + ".key -out " + certificate + ".crt 2>/dev/null && cat " + certificate +
      ".key " + certificate + ".crt >" + certificate;
  if (std::system(command.c_str()) != 0) GTEST_SKIP() << "no openssl here to make a certificate";
  const FaultServer secure(folder_, content_, certificate);
  auto wanted = request("");
  wanted.url = secure.url("/plain/x.gguf");
  EXPECT_TRUE(says(expect_error(wanted), "certificate"));
  wanted.transfer.ca_file = certificate + ".crt";
  expect_whole(wanted);
  unlink(target_.c_str());
  wanted.url = secure.url("/to/x.gguf?url=" + server_.url("/plain/x.gguf"));
  EXPECT_TRUE(says(expect_error(wanted), "from https to http"));
}

TEST_F(DownloadTest, looks_for_room_on_the_disk_before_it_begins) {
  auto wanted = request("/plain/x.gguf");
  wanted.spare_bytes = 1000;
  wanted.disk.free_bytes = [this](const std::string&) { return content_.size() + 999; };
  const Error error = expect_error(wanted);
  EXPECT_EQ(error.code, ErrorCode::kResourceExhausted);
  EXPECT_LT(bytes_sent(), 100'000U);
  wanted.disk.free_bytes = [this](const std::string&) { return content_.size() + 1000; };
  expect_whole(wanted);
}

TEST_F(DownloadTest, keeps_what_came_whichever_write_fails_and_goes_on) {
  for (const int error : {ENOSPC, EIO}) {
    for (const int failing : {1, 2, 5, 11}) {
      ASSERT_TRUE(remove_part_file(target_));
      auto wanted = request("/plain/x.gguf");
      int writes = 0;
      wanted.disk.write = [&](int fd, const void* data, std::size_t bytes, off_t offset) {
        if (++writes < failing) return pwrite(fd, data, bytes, offset);
        errno = error;
        return ssize_t{-1};
      };
      const Error failed = expect_error(wanted);
      EXPECT_EQ(failed.code,
                error == ENOSPC ? ErrorCode::kResourceExhausted : ErrorCode::kUnavailable)
          << failed.message;
      EXPECT_TRUE(says(failed, error == ENOSPC ? "make room" : "check the disk"));
    }
  }
  const auto report = expect_whole(request("/plain/x.gguf"));
  EXPECT_LE(report.resumed, content_.size());
}

TEST_F(DownloadTest, writes_the_rest_after_short_writes) {
  auto wanted = request("/plain/x.gguf");
  wanted.disk.write = [](int fd, const void* data, std::size_t bytes, off_t offset) {
    return pwrite(fd, data, std::min<std::size_t>(bytes, 7777), offset);
  };
  expect_whole(wanted);
}

TEST_F(DownloadTest, reports_a_failed_synchronisation_or_renaming) {
  auto wanted = request("/plain/x.gguf");
  wanted.disk.sync = [](int) {
    errno = EIO;
    return -1;
  };
  EXPECT_TRUE(says(expect_error(wanted), "check the disk"));
  wanted = request("/plain/x.gguf");
  wanted.disk.rename = [](const char*, const char*) {
    errno = EACCES;
    return -1;
  };
  EXPECT_TRUE(says(expect_error(wanted), "its name"));
}

TEST_F(DownloadTest, goes_on_after_a_disk_that_was_really_full) {
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1'000'000, 1'000'000};
    setrlimit(RLIMIT_FSIZE, &limit);
    auto wanted = request("/plain/x.gguf");
    wanted.progress = {};
    wanted.connections = 1;
    const auto report = download(wanted);
    _exit(!report && report.error().code == ErrorCode::kResourceExhausted ? 42 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 42);
  EXPECT_FALSE(exists(target_));
  EXPECT_GT(expect_whole(request("/plain/x.gguf")).resumed, 700'000U);
}

TEST_F(DownloadTest, says_which_folder_cannot_be_written) {
  auto wanted = request("/plain/x.gguf");
  wanted.path = folder_ / "none/x.gguf";
  EXPECT_TRUE(says(expect_error(wanted), "cannot write '" + wanted.path + ".part'"));
}

}  // namespace
}  // namespace notso
