// What the tests of downloads share: a folder, a file of 3 MB, a misbehaving server, and requests
// that do not wait long.
#pragma once

#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "service/models/address.h"
#include "service/models/download.h"
#include "service/models/fault_server.h"
#include "service/models/sha256.h"

namespace notso {

// The SHA-256 of a text.
inline std::string sha256_of(const std::string& text) {
  Sha256 sha;
  sha.update(std::as_bytes(std::span(text)));
  return sha.finish();
}

// One server and one place to download to.
class DownloadTest : public testing::Test {
 protected:
  DownloadTest() : content_(noise(3'000'000)), server_(folder_, content_) {}

  // A request for `path` of the server, in ranges of 256 KiB.
  DownloadRequest request(const std::string& path) {
    DownloadRequest request;
    request.url = server_.url(path);
    request.path = target_;
    request.piece_bytes = std::uint64_t{256} << 10U;
    request.attempts = 5;
    request.first_pause = std::chrono::milliseconds(1);
    request.longest_pause = std::chrono::milliseconds(20);
    request.save_interval = std::chrono::milliseconds(5);
    request.spare_bytes = 0;
    request.transfer.stall_seconds = 20;
    request.progress = [this](const DownloadProgress& progress) { told_.push_back(progress); };
    return request;
  }

  // Downloads, expecting the whole file in the end.
  DownloadReport expect_whole(const DownloadRequest& wanted) {
    const auto report = download(wanted);
    EXPECT_TRUE(report) << report.error().message;
    EXPECT_TRUE(file_text(target_) == content_) << "the file differs";
    expect_no_leftovers();
    return report.value_or(DownloadReport());
  }

  // Downloads, expecting an error and nothing under the final name.
  Error expect_error(const DownloadRequest& wanted) {
    const auto report = download(wanted);
    EXPECT_FALSE(report) << "the download worked";
    EXPECT_FALSE(exists(target_));
    return report ? Error{ErrorCode::kInternal, ""} : report.error();
  }

  void expect_no_leftovers() const {
    EXPECT_FALSE(exists(target_ + ".part"));
    EXPECT_FALSE(exists(target_ + ".part.state"));
    EXPECT_FALSE(exists(target_ + ".part.state.new"));
  }

  static bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

  static bool says(const Error& error, const std::string& words) {
    return error.message.find(words) != std::string::npos;
  }

  [[nodiscard]] std::size_t bytes_sent() const { return std::stoul(server_.ask("/bytes")); }

  ScratchFolder folder_;
  std::string content_;
  FaultServer server_;
  std::string target_ = folder_ / "x.gguf";
  std::vector<DownloadProgress> told_;
};

}  // namespace notso
