// What every command that runs the model has in common: its flags, and opening file, tokenizer,
// backend and model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "app/command.h"
#include "base/result.h"
#include "ml/core/backend.h"
#include "ml/core/gguf/gguf.h"
#include "ml/core/tokenizer/tokenizer.h"
#include "ml/smollm3/model.h"

namespace notso {

// Flags of the model and the machine.
struct ModelFlags {
  std::string path;
  int threads = 0;
  std::int32_t context = 4096;
  std::string kv = "f16";
  bool no_pack_cache = false;
};

// Adds the flags to a subcommand.
void add_model_flags(CLI::App& command, ModelFlags& flags);

// Adds the flags of the machine alone: threads, cache type, packing.
void add_machine_flags(CLI::App& command, ModelFlags& flags);

// The file that a person means by `wish`: a path as it is, a model's name, or with "" what the
// configuration names (model.path, MODEL_PATH) and then the newest downloaded model; where there is
// none, the built-in demo, and a line on stderr that says so.
[[nodiscard]] Result<std::string> choose_model_path(const std::string& wish);

// A model ready to run. The members are destroyed in reverse order, so the model goes before its
// backend.
struct LoadedModel {
  std::shared_ptr<const GgufFile> file;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<smollm3::Model> model;
};

// Everything that loading depends on.
struct ModelPlan {
  ModelFlags flags;             // a context of 0: as long as fits, see below
  std::string tokenizer_path;   // a tokenizer.json in place of the file's own; "": none
  std::int32_t max_rows = 512;  // of one step
  std::int32_t max_outputs = 1;
  // What keys and values may take in all; where the flags leave it open, the context is what the
  // model was trained for, or less where this holds less.
  std::size_t kv_bytes_max = 0;
  bool kv_on_disk = false;  // kept there too, which takes a page of that
};

// Opens everything; loading the tokenizer and the weights goes on side by side. The kernel table is
// NOTSO_CPU's, the sidecar folder that of cache_folder().
[[nodiscard]] Result<LoadedModel> load_model(const ModelPlan& plan, const LoadProgress& progress);

// The same for a command: shows progress on stderr.
[[nodiscard]] Result<LoadedModel> load_model(const ModelFlags& flags, std::int32_t max_outputs);

// The path of a synthetic model ("tiny", "small", "full") in that folder, written if it is not
// there yet.
[[nodiscard]] Result<std::string> synthetic_model_path(const std::string& size);

// The path of the built-in demo model in that folder, written out if it is not there yet.
[[nodiscard]] Result<std::string> demo_model_path();

}  // namespace notso
