#include "app/page_setup.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "app/download_view.h"
#include "base/bytes_text.h"
#include "service/models/catalogue.h"
#include "service/models/model_folder.h"

namespace notso {
namespace {

std::string gibibytes(std::uint64_t bytes) {
  return fmt::format("{:.2f} GiB", static_cast<double>(bytes) / (std::uint64_t{1} << 30U));
}

std::string name_of(const ChatModelInfo& model) {
  if (model.name.find(model.quantisation) != std::string::npos) return model.name;
  return model.name + " " + model.quantisation;
}

// A reason as the page says it: from a capital letter to a full stop.
std::string sentence(std::string text) {
  if (text.empty()) return text;
  if (text.front() >= 'a' && text.front() <= 'z')
    text.front() = static_cast<char>(text.front() - 32);
  if (text.back() != '.') text += '.';
  return text;
}

ui::UiModel model_state(const ServerModels& models, const ops::OpsStatus& status) {
  ui::UiModel model;
  model.demo = models.runs_demo();
  if (status.model) model.name = name_of(*status.model);
  model.reason = sentence(status.readiness.reason);
  if (status.readiness.ready) {
    model.state = ui::UiModel::State::kReady;
    return model;
  }
  const HostView view = models.view();
  const bool comes = view.becoming || view.chosen;
  model.state = comes ? ui::UiModel::State::kLoading : ui::UiModel::State::kFailed;
  if (model.name.empty()) model.name = comes ? "Loading …" : "No model";
  return model;
}

std::vector<ui::UiFact> model_facts(const ops::OpsStatus& status) {
  std::vector<ui::UiFact> facts;
  if (status.model) {
    const ChatModelInfo& model = *status.model;
    facts.emplace_back("Model", model.name);
    facts.emplace_back(
        "Weights",
        fmt::format("{}, {:.2f} billion parameters, {}", model.quantisation,
                    static_cast<double>(model.parameters) / 1e9, gibibytes(model.file_bytes)));
    facts.emplace_back("Runs on", model.description);
    facts.emplace_back("Context", fmt::format("{} tokens", model.context));
  }
  facts.emplace_back("Memory", gibibytes(status.process.resident_bytes));
  if (status.engine) {
    const EngineStats& engine = *status.engine;
    facts.emplace_back(
        "Keys and values",
        fmt::format("{} of {}",
                    gibibytes((engine.pages_used + engine.pages_cached) * engine.page_bytes),
                    gibibytes(engine.pages_max * engine.page_bytes)));
    const double gap = engine.between_tokens_s.quantile(0.5);
    if (gap > 0) facts.emplace_back("Speed", fmt::format("{:.1f} tokens/s", 1 / gap));
  }
  return facts;
}

std::vector<ui::UiFact> server_facts(const ops::OpsStatus& status) {
  std::vector<ui::UiFact> facts;
  facts.emplace_back("State", status.readiness.ready ? "ready" : status.readiness.reason);
  facts.emplace_back("Conversations",
                     status.store ? "are kept" : "are not kept: " + status.store.error().message);
  if (status.engine) {
    const EngineStats& engine = *status.engine;
    facts.emplace_back("Answers", fmt::format("{} running, {} waiting, {} done", engine.running,
                                              engine.waiting, engine.done));
    facts.emplace_back("Tokens", fmt::format("{} read, {} reused, {} written", engine.prompt_tokens,
                                             engine.cached_tokens, engine.sampled_tokens));
    facts.emplace_back("First token",
                       fmt::format("{:.2f} s at the median", engine.first_token_s.quantile(0.5)));
  }
  if (status.server) {
    facts.emplace_back("Connections", fmt::format("{} open, {} of them streams",
                                                  status.server->open, status.server->streams));
  }
  facts.emplace_back("Version", status.version);
  return facts;
}

// What stands beside a model's name in the list.
std::string file_facts(const ModelInfo& model) {
  if (!model.problem.empty()) return "cannot be used: " + model.problem;
  return fmt::format("{}, {} on disk, about {} of memory", model.type, bytes_text(model.bytes),
                     bytes_text(model.memory_bytes));
}

ui::UiModelFile file_of(const ServerModels& models, const HostView& view, const ModelInfo& model) {
  ui::UiModelFile file;
  file.name = models.name_of(model.path);
  file.facts = file_facts(model);
  file.can_choose = model.problem.empty() && view.becoming != model.path &&
                    (view.chosen != model.path || view.becoming.has_value());
  for (const HostedState& hosted : view.models) {
    if (hosted.path != model.path) continue;
    file.state = hosted.loading                      ? fmt::format("Loading {}%", hosted.percent)
                 : hosted.chosen && hosted.busy == 0 ? "Answers"
                 : hosted.chosen                     ? fmt::format("Answers {} now", hosted.busy)
                 : hosted.busy > 0 ? fmt::format("Loaded, answers {} now", hosted.busy)
                                   : "Loaded";
  }
  return file;
}

ui::UiDownload download_of(const DownloadState& state) {
  using Phase = DownloadState::Phase;
  ui::UiDownload out;
  out.name = state.name;
  if (state.progress.total > 0) {
    out.percent = static_cast<int>(state.progress.done * 100 / state.progress.total);
  }
  if (state.phase == Phase::kRunning) {
    out.state = ui::UiDownload::State::kRunning;
    out.text = state.stopping ? "stopping" : download_line(state.progress, false);
  } else if (state.phase == Phase::kStopped) {
    out.state = ui::UiDownload::State::kStopped;
    out.text = fmt::format("The download of {} is stopped at {}; what has come is kept.",
                           state.name, bytes_text(state.progress.done));
  } else if (state.phase == Phase::kFailed) {
    out.state = ui::UiDownload::State::kFailed;
    out.text = fmt::format("{} cannot be downloaded: {}", state.name, state.error);
  }
  return out;
}

// What is not there yet, the one that the settings name first.
std::vector<ui::UiOffer> offers_of(ServerModels& models, const std::vector<ModelInfo>& files) {
  const auto partials = list_partial_models(models.shelf().folder());
  std::vector<ui::UiOffer> offers;
  for (const CatalogueEntry& entry : catalogue()) {
    const auto source = resolve_model_source(entry.name, Hub());
    if (!source) continue;
    const auto is_file = [&](const auto& file) { return file.name == source->file_name; };
    if (std::any_of(files.begin(), files.end(), is_file)) continue;
    ui::UiOffer offer{std::string(entry.name), std::string(entry.about), false};
    const auto part = std::find_if(partials.begin(), partials.end(), is_file);
    if (part != partials.end()) {
      offer.begun = true;
      offer.about = bytes_text(part->bytes) + " are here already";
    }
    const bool first = entry.name == models.settings().offered_model;
    offers.insert(first ? offers.begin() : offers.end(), std::move(offer));
  }
  return offers;
}

ui::UiModels models_of(ServerModels& models) {
  const HostView view = models.view();
  const std::vector<ModelInfo> files = models.shelf().list();
  ui::UiModels out;
  out.may_change = models.settings().manage_models;
  out.folder = models.shelf().folder();
  out.trouble = sentence(view.trouble);
  for (const ModelInfo& file : files) out.files.push_back(file_of(models, view, file));
  for (const HostedState& hosted : view.models) {
    if (hosted.loading) {
      out.loading =
          fmt::format("{} is being loaded: {}%", models.name_of(hosted.path), hosted.percent);
    }
  }
  if (view.becoming && out.loading.empty()) out.loading = "The model is about to be loaded.";
  out.wants_real = out.loading.empty() && (!view.chosen || models.runs_demo());
  out.download = download_of(models.downloads().state());
  out.offers = offers_of(models, files);
  return out;
}

ui::UiModelActions model_actions(ServerModels& models) {
  ui::UiModelActions actions;
  actions.models = [&models] { return models_of(models); };
  actions.choose = [&models](const std::string& name) { return models.choose(name); };
  actions.download = [&models](const std::string& name) { return models.downloads().start(name); };
  actions.cancel = [&models] {
    models.downloads().cancel();
    return Status();
  };
  actions.discard = [&models](const std::string& name) { return models.downloads().drop(name); };
  return actions;
}

}  // namespace

ui::UiContext page_context(SessionStore& store, ServerModels& models,
                           std::function<ops::OpsStatus()> status,
                           std::function<std::shared_ptr<TurnService>()> turns) {
  ui::UiContext context;
  context.store = &store;
  context.turns = std::move(turns);
  context.model = [&models, status] { return model_state(models, status()); };
  context.model_facts = [status] { return model_facts(status()); };
  context.server_facts = [status] { return server_facts(status()); };
  context.models = model_actions(models);
  return context;
}

}  // namespace notso
