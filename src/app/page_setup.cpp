#include "app/page_setup.h"

#include <fmt/format.h>
#include <utility>

namespace notso {
namespace {

std::string gibibytes(std::uint64_t bytes) {
  return fmt::format("{:.2f} GiB", static_cast<double>(bytes) / (std::uint64_t{1} << 30U));
}

std::string name_of(const ChatModelInfo& model) {
  if (model.name.find(model.quantisation) != std::string::npos) return model.name;
  return model.name + " " + model.quantisation;
}

ui::UiModel model_state(const ops::OpsStatus& status) {
  ui::UiModel model;
  if (status.model) model.name = name_of(*status.model);
  if (status.readiness.ready) {
    model.state = ui::UiModel::State::kReady;
    return model;
  }
  model.reason = status.readiness.reason;
  const bool fails = model.reason.find("cannot") != std::string::npos;
  model.state = fails ? ui::UiModel::State::kFailed : ui::UiModel::State::kLoading;
  if (model.name.empty()) model.name = fails ? "No model" : "Loading …";
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

}  // namespace

ui::UiContext page_context(SessionStore& store, std::function<ops::OpsStatus()> status,
                           std::function<std::shared_ptr<TurnService>()> turns,
                           std::string version) {
  ui::UiContext context;
  context.store = &store;
  context.turns = std::move(turns);
  context.model = [status] { return model_state(status()); };
  context.model_facts = [status] { return model_facts(status()); };
  context.server_facts = [status] { return server_facts(status()); };
  context.models = [] { return std::vector<ui::UiFact>(); };
  context.version = std::move(version);
  return context;
}

}  // namespace notso
