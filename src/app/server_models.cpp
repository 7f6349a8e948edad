#include "app/server_models.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/json_text.h"
#include "base/log.h"
#include "service/chat/system_prefix.h"
#include "service/engine/engine.h"
#include "service/models/model_folder.h"

namespace notso {
namespace {

// How many names an error lists.
constexpr std::size_t kNamesSaid = 10;
// The built-in model's name, wherever its file is.
constexpr const char* kDemoName = "demo";

// A model as its file's header has it.
ChatModelInfo info_of(const ModelInfo& model, std::string name) {
  ChatModelInfo info;
  info.name = std::move(name);
  info.path = model.path;
  info.context = model.context;
  info.created_unix_s =
      std::chrono::duration_cast<std::chrono::seconds>(model.modified.time_since_epoch()).count();
  info.file_bytes = model.bytes;
  info.quantisation = model.type;
  info.architecture = "smollm3";
  info.parameters = model.parameters;
  return info;
}

std::shared_ptr<ServedModel> served(const ModelHost::Model& model) {
  return std::static_pointer_cast<ServedModel>(model);
}

// The service, which keeps its whole model.
std::shared_ptr<ChatService> chat_of(const ModelHost::Model& model) {
  auto whole = served(model);
  ChatService* const chat = whole->chat.get();
  return {std::move(whole), chat};
}

void log_line(const std::string& line, bool bad) {
  if (bad) {
    log_error(line);
  } else {
    log_info(line);
  }
}

}  // namespace

ServerModels::ServerModels(const Settings& settings, RateLimiter& tokens, std::string demo,
                           LoadProgress progress, std::function<void()> chose)
    : settings_(settings),
      tokens_(tokens),
      demo_(std::move(demo)),
      progress_(std::move(progress)),
      chose_(std::move(chose)),
      shelf_(models_folder(), settings.model_path, demo_),
      host_(host_options()),
      downloads_(download_options()) {}

ModelHostOptions ServerModels::host_options() {
  ModelHostOptions options;
  options.load = [this](const std::string& path, const LoadProgress& progress) {
    return load(path, progress);
  };
  options.needed_bytes = [this](const std::string& path) { return needed_bytes(path); };
  options.available_bytes = available_memory_bytes;
  options.name = [this](const std::string& path) { return name_of(path); };
  options.log = log_line;
  options.chose = chose_;
  if (!demo_.empty()) options.fallback = demo_;
  options.memory_bytes_max = settings_.model_memory_max.bytes;
  options.idle_s_max = settings_.model_idle_seconds_max;
  options.drain_s_max = settings_.drain_seconds_max;
  return options;
}

ModelDownloadsOptions ServerModels::download_options() {
  ModelDownloadsOptions options;
  options.folder = shelf_.folder();
  options.hub = hub_from_environment();
  options.done = [this](const std::string& path) { take_downloaded(path); };
  options.log = log_line;
  return options;
}

// A model that somebody chose stays, whoever has another one downloaded.
void ServerModels::take_downloaded(const std::string& path) {
  const HostView view = host_.view();
  const auto is_free = [&](const auto& model) { return !model || *model == demo_; };
  if (is_free(view.chosen) && is_free(view.becoming)) return host_.choose(path);
  const std::string& stays = view.becoming ? *view.becoming : *view.chosen;
  log_info(name_of(path) + " is here and can be chosen; " + name_of(stays) + " goes on answering");
}

std::uint64_t ServerModels::needed_bytes(const std::string& path) const {
  std::error_code error;
  const std::uint64_t bytes = std::filesystem::file_size(path, error);
  return (error ? 0 : bytes) + std::max<std::uint64_t>(settings_.kv_memory.bytes, kLeastKvBytes);
}

// What is set, or what suits the machine, within what all models together may take.
std::size_t ServerModels::kv_bytes(const std::string& path) const {
  if (settings_.kv_memory.bytes != 0) return settings_.kv_memory.bytes;
  std::size_t bytes = default_kv_bytes_max();
  if (settings_.model_memory_max.bytes == 0) return bytes;
  std::uint64_t taken = needed_bytes(path) - kLeastKvBytes;
  for (const HostedState& model : host_.view().models) taken += model.memory_bytes;
  const std::uint64_t most = settings_.model_memory_max.bytes;
  return std::max<std::size_t>(kLeastKvBytes,
                               std::min<std::uint64_t>(bytes, most - std::min(taken, most)));
}

Result<std::shared_ptr<HostedModel>> ServerModels::load(const std::string& path,
                                                        const LoadProgress& progress) {
  ServedModelWish wish;
  wish.path = path;
  wish.kv_bytes = kv_bytes(path);
  // What the settings say of a model is meant for the one that they name.
  if (path == demo_) {
    wish.name = kDemoName;
  } else if (path == settings_.model_path) {
    wish.name = settings_.model_name;
    wish.tokenizer_path = settings_.tokenizer_path;
  }
  auto model =
      load_served_model(settings_, wish, tokens_, [&](std::uint64_t done, std::uint64_t total) {
        progress(done, total);
        if (progress_) progress_(done, total);
      });
  if (!model) return pass_on(model);
  // Where each owner has prefixes of their own, nobody would find these.
  if (settings_.prefix_cache && settings_.share_prefixes) {
    if (const Status warmed = warm_system_prefixes(*(*model)->chat); !warmed) {
      log_warning("the system prompt is not read ahead", {{"why", warmed.error().message}});
    }
  }
  return std::shared_ptr<HostedModel>(std::move(*model));
}

void ServerModels::start(std::function<void(Status)> then) {
  const std::string first = settings_.model_path.empty() ? demo_ : settings_.model_path;
  if (first.empty()) return then({});
  host_.choose(first, [this, first, then = std::move(then)](const auto& model) {
    const Status loaded = model ? Status() : tl::unexpected(model.error());
    if (model || demo_.empty() || first == demo_) return then(loaded);
    host_.use(demo_, [then, loaded](const auto& /*demo*/) { then(loaded); });
  });
}

Result<std::shared_ptr<ServedModel>> ServerModels::chosen() {
  auto model = host_.chosen();
  if (!model) return pass_on(model);
  return served(*model);
}

std::shared_ptr<ServedModel> ServerModels::peek() const { return served(host_.peek()); }

bool ServerModels::runs_demo() const { return !demo_.empty() && host_.view().chosen == demo_; }

std::string ServerModels::name_of(const std::string& path) const {
  if (path == demo_) return kDemoName;
  if (path == settings_.model_path && !settings_.model_name.empty()) return settings_.model_name;
  return printable(std::filesystem::path(path).stem().string());
}

std::vector<api::ListedModel> ServerModels::listed() {
  const HostView view = host_.view();
  std::vector<api::ListedModel> models;
  for (const ModelInfo& model : shelf_.list()) {
    if (!model.problem.empty()) continue;
    const bool runs = std::any_of(view.models.begin(), view.models.end(), [&](const auto& hosted) {
      return hosted.running && hosted.path == model.path;
    });
    models.push_back({info_of(model, name_of(model.path)), runs});
  }
  // The one that answers says what it is itself: its device, and the context that it has room for.
  if (const auto running = peek()) {
    const ChatModelInfo& info = running->chat->info();
    std::erase_if(models, [&](const auto& listed) { return listed.info.path == info.path; });
    models.insert(models.begin(), {info, true});
  }
  return models;
}

void ServerModels::find(const std::string& name, const api::TakeModel& take) {
  const auto give = [take](Result<ModelHost::Model> model) {
    if (!model) return take(pass_on(model));
    take(chat_of(*model));
  };
  if (name.empty() || name == "default") return give(host_.chosen());
  if (name == kDemoName && !demo_.empty()) return host_.use(demo_, give);
  const auto models = listed();
  for (const api::ListedModel& model : models) {
    if (api::names_model(name, model.info)) return host_.use(model.info.path, give);
  }
  if (const auto model = shelf_.find(name)) return host_.use(model->path, give);
  std::string names;
  for (std::size_t i = 0; i < std::min(models.size(), kNamesSaid); ++i) {
    names += (i == 0 ? "" : ", ") + models[i].info.name;
  }
  if (models.size() > kNamesSaid) names += ", ...";
  take(fail(ErrorCode::kNotFound,
            "there is no model '" + name + "' here; " +
                (names.empty() ? "there is none at all yet" : "there are: " + names)));
}

Status ServerModels::choose(const std::string& name) {
  for (const api::ListedModel& model : listed()) {
    if (!api::names_model(name, model.info)) continue;
    host_.choose(model.info.path);
    return {};
  }
  return fail(ErrorCode::kNotFound, "there is no model '" + name + "' on this machine");
}

ops::Readiness ServerModels::readiness() const {
  const HostView view = host_.view();
  if (view.draining && view.becoming) {
    return {false, "making room for " + name_of(*view.becoming) + ": running answers may end"};
  }
  if (host_.peek() != nullptr) return {true, view.trouble};
  const std::optional<std::string>& wanted = view.becoming ? view.becoming : view.chosen;
  if (!wanted) {
    return {false, !view.trouble.empty() ? view.trouble
                                         : "there is no model yet; download one in the page, or "
                                           "with 'notso pull'"};
  }
  for (const HostedState& model : view.models) {
    if (model.loading && model.path == *wanted) {
      return {false, "the model is being loaded: " + std::to_string(model.percent) + "%"};
    }
  }
  if (view.becoming) return {false, "the model is being loaded: 0%"};
  return {false, "the model made room for another one; it is loaded again when it is asked for"};
}

void ServerModels::stop() {
  downloads_.stop();
  host_.stop();
}

}  // namespace notso
