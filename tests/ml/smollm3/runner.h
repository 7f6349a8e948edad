// Runs steps on a model that was loaded from a test file, with whatever rows a test wants in them.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ml/core/backend.h"
#include "ml/smollm3/model.h"

namespace notso::smollm3 {

// Logits of the output rows of one or more steps, one vector a row.
using Logits = std::vector<std::vector<float>>;

// Deterministic token ids below `vocab`, different for each seed.
std::vector<std::int32_t> some_tokens(std::size_t count, std::uint64_t seed,
                                      std::int32_t vocab = 100);

// The names that NOTSO_CPU takes on this machine: every supported kernel table, and "reference".
std::vector<std::string> backend_names();

// Where to run.
struct RunnerOptions {
  std::string backend = "reference";
  int threads = 1;
  KvType kv_type = KvType::kF16;
};

// A sequence's page table; pages may belong to other sequences.
struct Sequence {
  std::vector<std::byte*> pages;
  std::int32_t position = 0;
};

// Rows of one sequence in a step.
struct Part {
  Sequence* sequence;
  std::span<const std::int32_t> tokens;
};

// A loaded model with its backend and the memory of its sequences. Throws if the file does not
// load.
class Runner {
 public:
  static constexpr std::int32_t kContext = 448;
  static constexpr std::int32_t kMaxRows = 512;

  Runner(const std::string& path, const RunnerOptions& options);

  [[nodiscard]] Model& model() { return *model_; }

  // A sequence of up to kContext positions with pages of its own.
  Sequence new_sequence();

  // A sequence that continues `from`: full pages are shared, the last one is copied if it is not
  // full.
  Sequence fork(const Sequence& from);

  // One step; `outputs` are rows of it. Moves the sequences' positions.
  Logits step(std::span<const Part> parts, std::span<const std::int32_t> outputs);

  // Feeds `tokens` to `sequence` in steps of `chunk` rows; the logits of every row.
  Logits feed(Sequence& sequence, std::span<const std::int32_t> tokens, std::size_t chunk);

 private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Model> model_;
  std::vector<SequencePages> owned_;
};

}  // namespace notso::smollm3
