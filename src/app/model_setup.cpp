#include "app/model_setup.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <future>

#include "app/app_paths.h"
#include "app/progress.h"
#include "app/settings.h"
#include "base/environment.h"
#include "base/json_text.h"
#include "ml/core/cpu/cpu_backend.h"
#include "ml/smollm3/synth.h"
#include "service/engine/kv_budget.h"
#include "service/models/choose_model.h"
#include "service/models/demo_model.h"
#include "service/models/model_folder.h"

namespace notso {
namespace {

// Remembers the use of models in their folder; other files are none of our business.
void note_loaded(const std::string& path) {
  std::error_code error;
  const auto folder = std::filesystem::path(path).parent_path();
  if (std::filesystem::equivalent(folder, models_folder(), error)) note_model_used(path);
}

Result<std::unique_ptr<Backend>> make_backend(const ModelFlags& flags) {
  CpuOptions options;
  options.threads = flags.threads;
  options.table = environment("NOTSO_CPU");
  if (!flags.no_pack_cache) options.cache_folder = cache_folder();
  return make_cpu_backend(options);
}

// The longest context that one conversation could fill within the plan's memory, in whole pages.
std::int32_t fitting_context(const smollm3::Config& config, const Backend& backend,
                             const smollm3::ModelOptions& options, const ModelPlan& plan) {
  const smollm3::KvLayout layout(config, backend, options.kv_type);
  const std::size_t bytes =
      kv_bytes_for_pages(plan.kv_bytes_max, layout.page_bytes(), plan.kv_on_disk);
  const std::size_t pages = bytes / layout.page_bytes();
  const std::size_t trained = static_cast<std::size_t>(config.context);
  return static_cast<std::int32_t>(
      std::max<std::size_t>(std::min(trained, pages * kKvPageTokens), kKvPageTokens));
}

}  // namespace

void add_model_flags(CLI::App& command, ModelFlags& flags) {
  command
      .add_option("-m,--model", flags.path,
                  "The model: a SmolLM3 GGUF file or a name that 'notso models' shows (default: "
                  "the setting model.path, else the newest downloaded)")
      ->type_name("MODEL");
  command.add_option("--ctx", flags.context, "Longest context in tokens")
      ->check(CLI::Range(16, smollm3::kMaxContext))
      ->capture_default_str();
  add_machine_flags(command, flags);
}

void add_machine_flags(CLI::App& command, ModelFlags& flags) {
  command.add_option("--threads", flags.threads, "Threads (0: one for each physical core)")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  command.add_option("--kv", flags.kv, "Element type of the key/value cache")
      ->check(CLI::IsMember({"f16", "q8_0"}))
      ->capture_default_str();
  command.add_flag("--no-pack-cache", flags.no_pack_cache,
                   "Pack the weights in memory instead of keeping them in the cache folder");
}

Result<std::string> synthetic_model_path(const std::string& size) {
  const std::string folder = cache_folder();
  if (folder.empty()) {
    return fail(ErrorCode::kUnavailable,
                "--synthetic needs a cache folder; set HOME, XDG_CACHE_HOME or NOTSO_HOME");
  }
  if (auto made = make_folder(folder); !made) return pass_on(made);
  std::error_code error;
  const std::string path = folder + "/synthetic-" + size + ".gguf";
  if (std::filesystem::exists(path, error)) return path;
  SynthOptions options;
  options.size = *synth_size_from_name(size);
  ProgressBar bar("writing " + path, "B");
  const auto written = write_synthetic_model(
      path, options, [&](std::uint64_t done, std::uint64_t total) { bar.update(done, total); });
  if (!written) return tl::unexpected<Error>(written.error());
  return path;
}

Result<std::string> choose_model_path(const std::string& wish) {
  const auto is_path = [](const std::string& text) {
    const std::string extension = std::filesystem::path(text).extension();
    return text.find('/') != std::string::npos || extension == ".gguf" || extension == ".GGUF";
  };
  std::string named = wish;
  std::string source;
  if (named.empty()) {
    auto resolved = resolve_settings({}, process_environment(), "");
    if (!resolved) return pass_on(resolved);
    named = resolved->settings.model_path;
    source = resolved->sources.at("model.path") + ": ";
  }
  std::error_code error;
  // A file's name is also looked for among the downloaded ones, if there is no such file here.
  if (is_path(named) && !std::filesystem::exists(named, error)) {
    return find_model(models_folder(), named).value_or(named);
  }
  if (is_path(named)) return named;
  auto choice = choose_model({named, "", models_folder()});
  if (!choice) return fail(choice.error().code, source + choice.error().message);
  for (const std::string& note : choice->notes) {
    std::fprintf(stderr, "notso: passed over: %s\n", printable(note).c_str());
  }
  if (!choice->path.empty()) return choice->path;
  if (choice->reason == ModelChoice::Reason::kDemo) {
    std::fprintf(
        stderr,
        "notso: there is no %s, so this is the built-in demo; 'notso pull' downloads "
        "SmolLM3-3B (1.92 GB)\n",
        choice->notes.empty() ? "model on this machine yet" : "usable model on this machine");
  }
  return demo_model_path();
}

Result<std::string> demo_model_path() {
  // Where nothing can be kept (a read-only system, a full disk, no home), the demo runs all the
  // same.
  const std::string folder = cache_folder();
  if (folder.empty()) return demo_model_in_memory();
  auto written = write_demo_model(folder);
  return written ? written : demo_model_in_memory();
}

Result<LoadedModel> load_model(const ModelPlan& plan, const LoadProgress& progress) {
  ModelFlags flags = plan.flags;
  auto path = choose_model_path(flags.path);
  if (!path) return pass_on(path);
  flags.path = *path;
  auto file = GgufFile::open(flags.path);
  if (!file) return pass_on(file);
  // An unsuitable file or vocabulary is refused before anything is packed.
  const auto config = smollm3::read_config(**file);
  if (!config) return tl::unexpected(config.error());
  auto tokenizer = std::async(std::launch::async, [&] {
    return plan.tokenizer_path.empty() ? Tokenizer::from_gguf(**file)
                                       : Tokenizer::from_json_file(plan.tokenizer_path);
  });
  auto backend = make_backend(flags);
  if (!backend) return pass_on(backend);
  smollm3::ModelOptions options;
  options.kv_type = flags.kv == "q8_0" ? KvType::kQ8_0 : KvType::kF16;
  options.context = flags.context;
  if (options.context == 0) options.context = fitting_context(*config, **backend, options, plan);
  options.max_rows = plan.max_rows;
  options.max_outputs = plan.max_outputs;
  auto vocabulary = tokenizer.get();
  if (!vocabulary) return pass_on(vocabulary);
  if ((*vocabulary)->vocab_size() > config->vocab) {
    return fail(ErrorCode::kInvalidArgument,
                flags.path + ": the vocabulary has " + std::to_string((*vocabulary)->vocab_size()) +
                    " tokens, but the model only " + std::to_string(config->vocab) +
                    "; get the file again");
  }
  auto model = smollm3::Model::load(*file, **backend, options, progress);
  if (!model) return pass_on(model);
  LoadedModel loaded;
  loaded.file = std::move(*file);
  loaded.tokenizer = std::move(*vocabulary);
  loaded.backend = std::move(*backend);
  loaded.model = std::move(*model);
  note_loaded(flags.path);
  return loaded;
}

Result<LoadedModel> load_model(const ModelFlags& flags, std::int32_t max_outputs) {
  ModelPlan plan;
  plan.flags = flags;
  plan.max_outputs = max_outputs;
  ProgressBar bar("packing weights", "B");
  return load_model(plan,
                    [&](std::uint64_t done, std::uint64_t total) { bar.update(done, total); });
}

}  // namespace notso
