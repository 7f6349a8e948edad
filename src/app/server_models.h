// The models of the server: what is on disk, what runs, what is being downloaded, and how that
// looks to the APIs, to the page and to whoever watches the server.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/served_model.h"
#include "app/settings.h"
#include "base/result.h"
#include "service/access/rate_limit.h"
#include "service/models/model_downloads.h"
#include "service/models/model_host.h"
#include "service/models/model_shelf.h"
#include "web/api/api_context.h"
#include "web/ops/ops_status.h"

namespace notso {

// Safe to use from many threads.
class ServerModels {
 public:
  // Both must outlive it. `demo` is the built-in model's file, which runs where no other does; "":
  // there is none. `progress` hears of the weights that are packed, `chose` that a chosen
  // model has come to run.
  ServerModels(const Settings& settings, RateLimiter& tokens, std::string demo,
               LoadProgress progress, std::function<void()> chose);
  ServerModels(const ServerModels&) = delete;
  ServerModels& operator=(const ServerModels&) = delete;

  // Loads the model of the settings; without one, there is none until somebody downloads one.
  // `then` hears once how that went: after a failure with a model in its place, if there is one.
  void start(std::function<void(Status)> then);

  // The model that answers where no other is named, or why none does.
  [[nodiscard]] Result<std::shared_ptr<ServedModel>> chosen();
  // The same only to look at; null if it does not run.
  [[nodiscard]] std::shared_ptr<ServedModel> peek() const;

  // As ApiContext::model and ApiContext::models.
  void find(const std::string& name, const api::TakeModel& take);
  [[nodiscard]] std::vector<api::ListedModel> listed();

  // Makes the model of this name the chosen one.
  [[nodiscard]] Status choose(const std::string& name);

  // Whether requests without a model's name would be answered now, and what went wrong.
  [[nodiscard]] ops::Readiness readiness() const;

  // Its parts.
  [[nodiscard]] HostView view() const { return host_.view(); }
  [[nodiscard]] ModelDownloads& downloads() { return downloads_; }
  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] ModelShelf& shelf() { return shelf_; }
  // Whether the built-in model is the one that answers.
  [[nodiscard]] bool runs_demo() const;
  // A model's name, as the API has it.
  [[nodiscard]] std::string name_of(const std::string& path) const;

  // Ends downloads, and lets go of all models.
  void stop();

 private:
  [[nodiscard]] ModelHostOptions host_options();
  [[nodiscard]] ModelDownloadsOptions download_options();
  [[nodiscard]] Result<std::shared_ptr<HostedModel>> load(const std::string& path,
                                                          const LoadProgress& progress);
  void take_downloaded(const std::string& path);
  [[nodiscard]] std::uint64_t needed_bytes(const std::string& path) const;
  [[nodiscard]] std::size_t kv_bytes(const std::string& path) const;

  const Settings& settings_;
  RateLimiter& tokens_;
  const std::string demo_;  // before shelf_, which is made with it
  const LoadProgress progress_;
  const std::function<void()> chose_;
  ModelShelf shelf_;
  ModelHost host_;
  ModelDownloads downloads_;
};

}  // namespace notso
