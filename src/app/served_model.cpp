#include "app/served_model.h"

#include <algorithm>
#include <filesystem>
#include <sys/stat.h>

#include "app/app_paths.h"
#include "base/json_text.h"
#include "base/log.h"
#include "service/access/metered_engine.h"
#include "service/models/model_folder.h"

namespace notso {
namespace {

ChatModelInfo model_info(const ServedModelWish& wish, const ServedModel& model) {
  const GgufFile& file = *model.loaded.file;
  ChatModelInfo info;
  info.path = wish.path;
  info.name =
      wish.name.empty() ? printable(std::filesystem::path(info.path).stem().string()) : wish.name;
  info.description = model.loaded.backend->description();
  info.context = model.steps->context();
  struct stat facts {};
  if (stat(info.path.c_str(), &facts) == 0) info.created_unix_s = facts.st_mtim.tv_sec;
  info.file_bytes = file.file().bytes().size();
  info.quantisation = describe_model(info.path).type;
  info.architecture = "smollm3";  // else it would not have loaded
  for (const GgufTensor& tensor : file.tensors()) {
    info.parameters += tensor.columns() * tensor.rows();
  }
  return info;
}

// Where the model's prefixes are kept between runs; "": nowhere.
std::string kv_folder(const Settings& settings, const ServedModelWish& wish) {
  return settings.prefix_cache && settings.kv_on_disk ? prefixes_folder(wish.path) : "";
}

EngineOptions engine_options(const Settings& settings, const ServedModelWish& wish) {
  EngineOptions options;
  options.step_rows_max = static_cast<std::int32_t>(settings.step_rows_max);
  options.running_max = static_cast<std::int32_t>(settings.streams_max);
  options.queue_max = static_cast<std::int32_t>(settings.queue_max);
  options.kv_bytes_max = wish.kv_bytes;
  options.prefix_cache = settings.prefix_cache;
  options.drafts = settings.drafts;
  options.draft_tokens_max = static_cast<std::int32_t>(settings.draft_tokens_max);
  options.token_s_max = settings.token_seconds_max;
  options.answer_s_max = settings.answer_seconds_max;
  options.queue_s_max = settings.queue_seconds_max;
  options.kv_folder = kv_folder(settings, wish);
  options.kv_disk_bytes_max = settings.kv_disk.bytes;
  options.log = [](const std::string& line) { log_warning("prefix cache", {{"what", line}}); };
  return options;
}

ModelPlan model_plan(const Settings& settings, const ServedModelWish& wish) {
  ModelPlan plan;
  plan.flags.path = wish.path;
  plan.flags.threads = static_cast<int>(settings.threads);
  plan.flags.context = static_cast<std::int32_t>(settings.context);
  plan.flags.kv = settings.kv_type;
  plan.flags.no_pack_cache = !settings.pack_cache;
  plan.tokenizer_path = wish.tokenizer_path;
  plan.max_rows = static_cast<std::int32_t>(settings.step_rows_max);
  plan.max_outputs = static_cast<std::int32_t>(
      std::min(settings.step_rows_max, settings.streams_max + settings.draft_tokens_max));
  plan.kv_bytes_max = wish.kv_bytes;
  plan.kv_on_disk = !kv_folder(settings, wish).empty();
  return plan;
}

}  // namespace

Status check_model_file(const Settings& settings) {
  const auto file = GgufFile::open(settings.model_path);
  if (!file) return tl::unexpected(file.error());
  const auto config = smollm3::read_config(**file);
  if (!config) return tl::unexpected(config.error());
  if (!settings.tokenizer_path.empty() && !std::filesystem::exists(settings.tokenizer_path)) {
    return fail(ErrorCode::kNotFound, "cannot open the tokenizer '" + settings.tokenizer_path +
                                          "': no such file; check the path");
  }
  return {};
}

std::uint64_t ServedModel::memory_bytes() const {
  const EngineStats stats = engine->stats();
  return loaded.file->file().bytes().size() + stats.page_bytes * stats.pages_max;
}

std::size_t ServedModel::busy() const { return engine->busy(); }

void ServedModel::end_all(const std::string& why) { engine->end_all(why); }

Result<std::shared_ptr<ServedModel>> load_served_model(const Settings& settings,
                                                       const ServedModelWish& wish,
                                                       RateLimiter& tokens,
                                                       const LoadProgress& progress) {
  auto model = std::make_shared<ServedModel>();
  auto loaded = load_model(model_plan(settings, wish), progress);
  if (!loaded) return pass_on(loaded);
  model->loaded = std::move(*loaded);
  auto steps =
      SmolLm3StepModel::make(*model->loaded.model, *model->loaded.file, *model->loaded.backend);
  if (!steps) return pass_on(steps);
  model->steps = std::move(*steps);
  auto engine = Engine::start(*model->steps, engine_options(settings, wish));
  if (!engine) return pass_on(engine);
  if (settings.tokens_per_minute > 0) {
    *engine = std::make_unique<MeteredEngine>(std::move(*engine), tokens);
  }
  model->engine = std::make_unique<InterruptibleEngine>(std::move(*engine));
  auto prompts = PromptBuilder::from_gguf(*model->loaded.file, model->loaded.tokenizer);
  if (!prompts) return pass_on(prompts);
  model->chat = std::make_unique<ChatService>(*model->engine, model->loaded.tokenizer, *prompts,
                                              model_info(wish, *model), model->steps->vocab_size());
  return model;
}

}  // namespace notso
