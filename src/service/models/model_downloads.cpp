#include "service/models/model_downloads.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <utility>

#include "base/bytes_text.h"
#include "base/environment.h"
#include "service/models/address.h"
#include "service/models/model_folder.h"
#include "service/models/part_file.h"

namespace notso {
namespace {

// Names of the catalogue only: what a page posts leads to no other address.
Result<ModelSource> source_of(std::string_view name, const Hub& hub) {
  const auto entries = catalogue();
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const CatalogueEntry& entry) { return entry.name == name; });
  if (found != entries.end()) return resolve_model_source(found->name, hub);
  return fail(ErrorCode::kNotFound,
              "there is no model called '" + std::string(name) + "' to download");
}

}  // namespace

DownloadRequest model_request(const ModelSource& source, const Hub& hub, const std::string& path) {
  DownloadRequest request;
  request.url = source.url;
  request.path = path;
  request.sha256 = source.sha256;
  request.bytes = source.bytes;
  if (const auto origin = origin_of(hub.endpoint); origin) request.token = {hub.token, *origin};
  request.transfer.ca_file = environment("CURL_CA_BUNDLE");
  request.accept = check_model_file;
  return request;
}

ModelDownloads::ModelDownloads(ModelDownloadsOptions options) : options_(std::move(options)) {}

ModelDownloads::~ModelDownloads() { stop(); }

Status ModelDownloads::start(std::string_view name) {
  const std::lock_guard control(control_);
  const auto source = source_of(name, options_.hub);
  if (!source) return tl::unexpected(source.error());
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return fail(ErrorCode::kUnavailable, "the server is stopping");
    if (state_.phase == DownloadState::Phase::kRunning) {
      if (state_.name == name && !state_.stopping) return {};
      return fail(ErrorCode::kUnavailable,
                  state_.stopping ? "the download is just being stopped; try again"
                                  : state_.name + " is being downloaded; wait, or cancel it");
    }
  }
  if (const Status made = make_folder(options_.folder); !made) return made;
  {
    const std::lock_guard lock(mutex_);
    state_ = {};
    state_.phase = DownloadState::Phase::kRunning;
    state_.name = std::string(name);
    state_.file = source->file_name;
  }
  // A limit on the size of files is an error to report, not a signal to die of.
  std::signal(SIGXFSZ, SIG_IGN);
  thread_ =
      std::jthread([this, source = *source](const std::stop_token& stop) { run(source, stop); });
  return {};
}

void ModelDownloads::run(const ModelSource& source, const std::stop_token& stop) {
  const std::string path = (std::filesystem::path(options_.folder) / source.file_name).string();
  DownloadRequest request = model_request(source, options_.hub, path);
  request.progress = [this](const DownloadProgress& progress) {
    const std::lock_guard lock(mutex_);
    state_.progress = progress;
  };
  request.stop = stop;
  if (options_.adjust) options_.adjust(request);
  // Another program may have put it there meanwhile.
  std::error_code error;
  Result<DownloadReport> result = DownloadReport{};
  result->bytes = std::filesystem::file_size(path, error);
  if (error) result = download(request);
  report(source, result, stop.stop_requested());
  if (result && options_.done) options_.done(path);
}

void ModelDownloads::report(const ModelSource& source, const Result<DownloadReport>& report,
                            bool stopped) {
  std::string line = source.file_name;
  {
    const std::lock_guard lock(mutex_);
    state_.stopping = false;
    if (report) {
      state_.phase = DownloadState::Phase::kDone;
      line += " is downloaded, " + bytes_text(report->bytes);
    } else if (stopped) {
      state_.phase = DownloadState::Phase::kStopped;
      line += ": the download is stopped; what has come is kept";
    } else {
      state_.phase = DownloadState::Phase::kFailed;
      state_.error = report.error().message;
      line += " cannot be downloaded: " + report.error().message;
    }
  }
  if (options_.log) options_.log(line, !report && !stopped);
}

void ModelDownloads::cancel() {
  const std::lock_guard control(control_);
  {
    const std::lock_guard lock(mutex_);
    if (state_.phase != DownloadState::Phase::kRunning) return;
    state_.stopping = true;
  }
  thread_.request_stop();
}

Status ModelDownloads::drop(std::string_view name) {
  const auto source = source_of(name, options_.hub);
  if (!source) return tl::unexpected(source.error());
  const std::lock_guard control(control_);
  const std::lock_guard lock(mutex_);
  if (state_.name == name && state_.phase == DownloadState::Phase::kRunning) {
    return fail(ErrorCode::kUnavailable, state_.name + " is being downloaded; cancel that first");
  }
  const std::string path = (std::filesystem::path(options_.folder) / source->file_name).string();
  if (auto removed = remove_part_file(path); !removed) return pass_on(removed);
  if (state_.name == name) state_ = {};
  return {};
}

DownloadState ModelDownloads::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void ModelDownloads::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  cancel();
  const std::lock_guard control(control_);
  if (thread_.joinable()) thread_.join();
}

}  // namespace notso
