// The page's downloads, from a hub that misbehaves.
#include "service/models/model_downloads.h"

#include <atomic>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ml/smollm3/synth.h"
#include "service/models/download_fixture.h"
#include "service/models/model_folder.h"
#include "service/models/part_file.h"

namespace notso {
namespace {

using ::testing::HasSubstr;
using Phase = DownloadState::Phase;

// Names in the catalogue whose files nothing is known of beforehand.
constexpr const char* kName = "Q6_K";
constexpr const char* kFile = "SmolLM3-3B-Q6_K.gguf";

class ModelDownloadsTest : public testing::Test {
 protected:
  ModelDownloadsTest() : content_(model_text(source_)), server_(source_, content_) {}

  static std::string model_text(const ScratchFolder& folder) {
    EXPECT_TRUE(write_synthetic_model(folder / "model", SynthOptions()));
    return file_text(folder / "model");
  }

  // Downloads from the server in this mode of it.
  ModelDownloadsOptions options(const std::string& mode) {
    ModelDownloadsOptions options;
    options.folder = folder_ / "models";
    options.hub.endpoint = server_.url("/" + mode);
    options.done = [this](const std::string& path) {
      EXPECT_EQ(path, target());
      ++done_;
    };
    options.adjust = [](DownloadRequest& request) {
      request.attempts = 3;
      request.first_pause = std::chrono::milliseconds(1);
      request.longest_pause = std::chrono::milliseconds(10);
      request.save_interval = std::chrono::milliseconds(5);
      request.spare_bytes = 0;
    };
    return options;
  }

  static DownloadState wait_end(const ModelDownloads& downloads) {
    while (downloads.state().phase == Phase::kRunning) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return downloads.state();
  }

  static void wait_for_bytes(const ModelDownloads& downloads) {
    while (downloads.state().phase == Phase::kRunning && downloads.state().progress.done == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }

  [[nodiscard]] std::string target() const { return folder_ / (std::string("models/") + kFile); }
  [[nodiscard]] bool has_part() const { return access((target() + ".part").c_str(), F_OK) == 0; }

  ScratchFolder source_;
  ScratchFolder folder_;
  std::string content_;
  FaultServer server_;
  std::atomic<int> done_{0};
};

TEST_F(ModelDownloadsTest, fetches_a_model_and_says_that_it_is_there) {
  ModelDownloads downloads(options("plain"));
  EXPECT_EQ(downloads.state().phase, Phase::kNone);
  ASSERT_TRUE(downloads.start(kName));
  const DownloadState state = wait_end(downloads);
  EXPECT_EQ(state.phase, Phase::kDone) << state.error;
  EXPECT_EQ(state.file, kFile);
  EXPECT_TRUE(file_text(target()) == content_);
  downloads.stop();
  EXPECT_EQ(done_, 1);
}

TEST_F(ModelDownloadsTest, a_cancelled_download_goes_on_where_it_was_in_another_run) {
  {
    ModelDownloads downloads(options("slow"));
    ASSERT_TRUE(downloads.start(kName));
    wait_for_bytes(downloads);
    downloads.cancel();
    EXPECT_EQ(wait_end(downloads).phase, Phase::kStopped);
    EXPECT_TRUE(has_part());
  }
  ModelDownloads again(options("plain"));
  EXPECT_EQ(again.state().phase, Phase::kNone);
  ASSERT_TRUE(again.start(kName));
  const DownloadState state = wait_end(again);
  EXPECT_EQ(state.phase, Phase::kDone) << state.error;
  EXPECT_FALSE(has_part());
  EXPECT_TRUE(file_text(target()) == content_);
}

TEST_F(ModelDownloadsTest, one_comes_at_a_time_and_the_same_once) {
  ModelDownloads downloads(options("slow"));
  ASSERT_TRUE(downloads.start(kName));
  EXPECT_TRUE(downloads.start(kName));
  const Status other = downloads.start("F16");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(other.error().message, HasSubstr("Q6_K is being downloaded"));
}

TEST_F(ModelDownloadsTest, a_failure_is_one_line_and_a_new_start_tries_again) {
  ModelDownloads downloads(options("gone"));
  ASSERT_TRUE(downloads.start(kName));
  const DownloadState state = wait_end(downloads);
  EXPECT_EQ(state.phase, Phase::kFailed);
  EXPECT_NE(state.error, "");
  EXPECT_EQ(state.error.find('\n'), std::string::npos);
  ASSERT_TRUE(downloads.start(kName));
  EXPECT_EQ(wait_end(downloads).phase, Phase::kFailed);
  EXPECT_EQ(done_, 0);
}

TEST_F(ModelDownloadsTest, what_is_no_model_does_not_stay) {
  ModelDownloads downloads(options("html"));
  ASSERT_TRUE(downloads.start(kName));
  EXPECT_EQ(wait_end(downloads).phase, Phase::kFailed);
  EXPECT_FALSE(has_part());
  EXPECT_NE(access(target().c_str(), F_OK), 0);
}

TEST_F(ModelDownloadsTest, what_has_come_can_be_thrown_away) {
  ModelDownloads downloads(options("slow"));
  ASSERT_TRUE(downloads.start(kName));
  wait_for_bytes(downloads);
  EXPECT_FALSE(downloads.drop(kName));
  downloads.cancel();
  (void)wait_end(downloads);
  EXPECT_TRUE(downloads.drop(kName));
  EXPECT_FALSE(has_part());
  EXPECT_EQ(downloads.state().phase, Phase::kNone);
}

TEST_F(ModelDownloadsTest, what_another_process_downloads_is_not_thrown_away) {
  ModelDownloads downloads(options("plain"));
  ASSERT_TRUE(make_folder(folder_ / "models"));
  const auto coming = PartFile::open(target(), DiskCalls::real());
  ASSERT_TRUE(coming);
  const Status dropped = downloads.drop(kName);
  ASSERT_FALSE(dropped);
  EXPECT_THAT(dropped.error().message, HasSubstr("by another process"));
  EXPECT_TRUE(has_part());
}

TEST_F(ModelDownloadsTest, only_names_of_the_catalogue_lead_anywhere) {
  ModelDownloads downloads(options("plain"));
  for (const char* name : {"", "q6_k", "hf:a/b/c.gguf", "http://127.0.0.1/x.gguf", "../x"}) {
    EXPECT_FALSE(downloads.start(name)) << name;
    EXPECT_FALSE(downloads.drop(name)) << name;
  }
  EXPECT_EQ(server_.ask("/log"), "[]");
}

TEST_F(ModelDownloadsTest, a_disk_that_is_full_is_said) {
  ModelDownloadsOptions full = options("plain");
  full.adjust = [](DownloadRequest& request) {
    request.disk.free_bytes = [](const std::string&) { return std::uint64_t{1000}; };
  };
  ModelDownloads downloads(full);
  ASSERT_TRUE(downloads.start(kName));
  EXPECT_THAT(wait_end(downloads).error, HasSubstr("not enough room"));
}

}  // namespace
}  // namespace notso
