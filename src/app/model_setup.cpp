#include "app/model_setup.h"

#include <cstdlib>
#include <filesystem>
#include <future>

#include "app/app_paths.h"
#include "app/progress.h"
#include "ml/core/cpu/cpu_backend.h"
#include "ml/smollm3/synth.h"

namespace notso {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Result<std::unique_ptr<Backend>> make_backend(const ModelFlags& flags) {
  CpuOptions options;
  options.threads = flags.threads;
  options.table = environment("NOTSO_CPU");
  if (!flags.no_pack_cache) options.cache_folder = cache_folder();
  return make_cpu_backend(options);
}

}  // namespace

void add_model_flags(CLI::App& command, ModelFlags& flags) {
  command.add_option("-m,--model", flags.path, "The model: a SmolLM3 GGUF file")
      ->type_name("FILE.gguf")
      ->required();
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
  std::error_code error;
  std::filesystem::create_directories(folder, error);
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

Result<LoadedModel> load_model(const ModelFlags& flags, std::int32_t max_outputs) {
  auto file = GgufFile::open(flags.path);
  if (!file) return pass_on(file);
  // An unsuitable file is refused before anything is packed.
  if (auto config = smollm3::read_config(**file); !config) return pass_on(config);
  auto tokenizer = std::async(std::launch::async, [&] { return Tokenizer::from_gguf(**file); });
  auto backend = make_backend(flags);
  if (!backend) return pass_on(backend);
  smollm3::ModelOptions options;
  options.context = flags.context;
  options.max_outputs = max_outputs;
  options.kv_type = flags.kv == "q8_0" ? KvType::kQ8_0 : KvType::kF16;
  ProgressBar bar("packing weights", "B");
  auto model = smollm3::Model::load(
      *file, **backend, options,
      [&](std::uint64_t done, std::uint64_t total) { bar.update(done, total); });
  LoadedModel loaded;
  auto vocabulary = tokenizer.get();
  if (!vocabulary) return pass_on(vocabulary);
  if (!model) return pass_on(model);
  if ((*vocabulary)->vocab_size() > (*model)->config().vocab) {
    return fail(ErrorCode::kInvalidArgument,
                flags.path + ": the vocabulary has " + std::to_string((*vocabulary)->vocab_size()) +
                    " tokens, but the model only " + std::to_string((*model)->config().vocab) +
                    "; get the file again");
  }
  loaded.file = std::move(*file);
  loaded.tokenizer = std::move(*vocabulary);
  loaded.backend = std::move(*backend);
  loaded.model = std::move(*model);
  return loaded;
}

}  // namespace notso
