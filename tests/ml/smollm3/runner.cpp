#include "ml/smollm3/runner.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <stdexcept>

#include "ml/core/cpu/cpu_backend.h"
#include "ml/core/cpu/kernel_table.h"
#include "ml/smollm3/synth_blocks.h"

namespace notso::smollm3 {
namespace {

template <class T>
T value_or_throw(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

}  // namespace

std::vector<std::int32_t> some_tokens(std::size_t count, std::uint64_t seed, std::int32_t vocab) {
  RandomStream random(seed);
  std::vector<std::int32_t> tokens(count);
  for (auto& token : tokens) {
    token = static_cast<std::int32_t>(random.next() % static_cast<std::uint64_t>(vocab));
  }
  return tokens;
}

std::vector<std::string> backend_names() {
  std::vector<std::string> names;
  for (const KernelTable* table : kernel_tables()) {
    if (table->supported()) names.emplace_back(table->name);
  }
  names.emplace_back("reference");
  return names;
}

Runner::Runner(const std::string& path, const RunnerOptions& options) {
  auto file = value_or_throw(GgufFile::open(path));
  backend_ = value_or_throw(make_cpu_backend({options.threads, options.backend, ""}));
  const ModelOptions model_options{kContext, kMaxRows, kMaxRows, options.kv_type};
  model_ = value_or_throw(Model::load(file, *backend_, model_options));
}

Sequence Runner::new_sequence() {
  owned_.push_back(value_or_throw(SequencePages::make(model_->kv_layout(), kContext)));
  const auto table = owned_.back().table();
  return {{table.begin(), table.end()}, 0};
}

Sequence Runner::fork(const Sequence& from) {
  Sequence copy = new_sequence();
  copy.position = from.position;
  const auto full = static_cast<std::size_t>(from.position / kKvPageTokens);
  std::copy_n(from.pages.begin(), full, copy.pages.begin());
  if (from.position % kKvPageTokens != 0) {
    std::memcpy(copy.pages[full], from.pages[full], model_->kv_layout().page_bytes());
  }
  return copy;
}

Logits Runner::step(std::span<const Part> parts, std::span<const std::int32_t> outputs) {
  std::vector<std::int32_t> tokens;
  std::vector<SequenceRows> sequences;
  for (const Part& part : parts) {
    const auto rows = static_cast<std::int32_t>(part.tokens.size());
    const auto first = static_cast<std::int32_t>(tokens.size());
    sequences.push_back({part.sequence->pages, part.sequence->position, first, rows});
    tokens.insert(tokens.end(), part.tokens.begin(), part.tokens.end());
    part.sequence->position += rows;
  }
  const auto vocab = static_cast<std::size_t>(model_->config().vocab);
  std::vector<float> flat(outputs.size() * vocab);
  model_->forward({tokens, {sequences, static_cast<std::int32_t>(tokens.size())}, outputs}, flat);
  Logits logits;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto* row = flat.data() + i * vocab;
    logits.emplace_back(row, row + vocab);
  }
  return logits;
}

Logits Runner::feed(Sequence& sequence, std::span<const std::int32_t> tokens, std::size_t chunk) {
  Logits all;
  for (std::size_t at = 0; at < tokens.size(); at += chunk) {
    const auto part = tokens.subspan(at, std::min(chunk, tokens.size() - at));
    std::vector<std::int32_t> outputs(part.size());
    std::iota(outputs.begin(), outputs.end(), 0);
    for (auto& row : step(std::vector<Part>{{&sequence, part}}, outputs)) {
      all.push_back(std::move(row));
    }
  }
  return all;
}

}  // namespace notso::smollm3
