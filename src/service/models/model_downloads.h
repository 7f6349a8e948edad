// The downloads that a server makes for its page: one at a time, on a thread of its own, looked at
// and cancelled from any other. What has come stays on disk, so that a cancelled or broken one, or
// one that a restart cut off, goes on where it was.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include "base/result.h"
#include "service/models/catalogue.h"
#include "service/models/download.h"

namespace notso {

// What downloads a model of this source to `path`: with the hub's token, which only the hub sees,
// the certificates of $CURL_CA_BUNDLE, and no file accepted that is no model.
[[nodiscard]] DownloadRequest model_request(const ModelSource& source, const Hub& hub,
                                            const std::string& path);

// How it stands with the latest download, or with what an earlier run of the program left.
struct DownloadState {
  enum class Phase : std::uint8_t {
    kNone,     // nothing was asked for
    kRunning,  // see progress
    kStopped,  // somebody cancelled it
    kFailed,   // see error
    kDone,     // the file is there
  };
  Phase phase = Phase::kNone;
  bool stopping = false;  // it runs, but somebody has cancelled it
  std::string name;       // in the catalogue
  std::string file;       // of the model
  DownloadProgress progress;
  std::string error;
};

// What the downloads need.
struct ModelDownloadsOptions {
  std::string folder;  // of the models; made where it is missing
  Hub hub;
  // The file is there and checked; from the downloading thread.
  std::function<void(const std::string& path)> done;
  // Takes a line about what happened; may be empty.
  std::function<void(const std::string& line, bool bad)> log;
  // Changes what is not said above: limits, pauses, certificates.
  std::function<void(DownloadRequest& request)> adjust;
};

// Safe to use from many threads.
class ModelDownloads {
 public:
  explicit ModelDownloads(ModelDownloadsOptions options);
  ModelDownloads(const ModelDownloads&) = delete;
  ModelDownloads& operator=(const ModelDownloads&) = delete;
  // As stop().
  ~ModelDownloads();

  // Begins to download the model of this catalogue name, or goes on with it. Refused while another
  // is coming, or a cancelled one is not quite over (kUnavailable); the same again is no error.
  [[nodiscard]] Status start(std::string_view name);

  // Ends the running download within a moment; what has come stays.
  void cancel();

  // Removes what has come of this catalogue name. Refused while it is coming, to this process or
  // another.
  [[nodiscard]] Status drop(std::string_view name);

  // How it stands.
  [[nodiscard]] DownloadState state() const;

  // Ends what runs and waits for it.
  void stop();

 private:
  void run(const ModelSource& source, const std::stop_token& stop);
  void report(const ModelSource& source, const Result<DownloadReport>& report, bool stopped);

  const ModelDownloadsOptions options_;
  std::mutex control_;  // of those who start and stop; taken first
  mutable std::mutex mutex_;
  DownloadState state_;   // under mutex_
  bool stopped_ = false;  // under mutex_: nothing more begins
  std::jthread thread_;   // under control_
};

}  // namespace notso
