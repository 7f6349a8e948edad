#include "service/engine/fake_model.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>

#include "base/check.h"

namespace notso {
namespace {

struct Entry {
  std::int32_t token;
  std::int32_t position;
};

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15U;
  return hash ^ (hash >> 31U);
}

Entry read_entry(std::span<std::byte* const> pages, std::int32_t position) {
  Entry entry;
  const std::byte* page = pages[static_cast<std::size_t>(position / kKvPageTokens)];
  std::memcpy(&entry, page + static_cast<std::size_t>(position % kKvPageTokens) * sizeof(Entry),
              sizeof(Entry));
  return entry;
}

void write_entry(std::span<std::byte* const> pages, Entry entry) {
  std::byte* page = pages[static_cast<std::size_t>(entry.position / kKvPageTokens)];
  std::memcpy(page + static_cast<std::size_t>(entry.position % kKvPageTokens) * sizeof(Entry),
              &entry, sizeof(Entry));
}

}  // namespace

void FakeModel::run(const StepInput& input, std::span<float> logits) {
  if (before_step) before_step(input);
  const auto step_rows = static_cast<std::int32_t>(input.tokens.size());
  NOTSO_CHECK(step_rows >= 1 && step_rows <= options_.max_rows);
  NOTSO_CHECK(logits.size() == input.output_rows.size() * kVocab);
  NOTSO_CHECK(static_cast<std::int32_t>(input.output_rows.size()) <= options_.max_outputs);
  for (const SequenceRows& sequence : input.rows.sequences) {
    for (std::int32_t i = 0; i < sequence.row_count; ++i) {
      const std::int32_t token = input.tokens[static_cast<std::size_t>(sequence.first_row + i)];
      NOTSO_CHECK(sequence.first_position + i < options_.context);
      write_entry(sequence.pages, {token, sequence.first_position + i});
    }
  }
  std::size_t output = 0;
  for (const SequenceRows& sequence : input.rows.sequences) {
    while (output < input.output_rows.size() &&
           input.output_rows[output] < sequence.first_row + sequence.row_count) {
      const std::int32_t row = input.output_rows[output] - sequence.first_row;
      answer(sequence, sequence.first_position + row, logits.subspan(output * kVocab, kVocab));
      ++output;
    }
  }
  ++steps;
  rows += step_rows;
  most_rows = std::max(most_rows, step_rows);
  *now_s_ = *now_s_ + options_.cost(step_rows);
}

// Seven times out of eight the token before decides alone, so that the text repeats itself and
// guesses come true; the hash of everything decides the rest.
void FakeModel::answer(const SequenceRows& sequence, std::int32_t position,
                       std::span<float> logits) const {
  std::uint64_t hash = 1;
  bool is_poisoned = false;
  Entry entry{};
  for (std::int32_t i = 0; i <= position; ++i) {
    entry = read_entry(sequence.pages, i);
    hash = mix(mix(hash, static_cast<std::uint32_t>(entry.token)),
               static_cast<std::uint32_t>(entry.position));
    is_poisoned = is_poisoned || entry.token == poison;
  }
  for (std::size_t v = 0; v < kVocab; ++v) {
    logits[v] = static_cast<float>(mix(hash, v) >> 40U) * 0x1p-22F;
  }
  const auto usual = static_cast<std::size_t>(entry.token * 7 + 3) % kVocab;
  if (hash % 8 != 0) logits[usual] += 6;
  if (is_poisoned) logits[5] = std::numeric_limits<float>::quiet_NaN();
}

std::function<double()> FakeModel::clock() {
  return [now_s = now_s_] { return now_s->load(); };
}

ScriptPolicy::ScriptPolicy(const Script& script, std::span<const std::int32_t> prompt,
                           std::shared_ptr<Outcome> outcome, std::function<double()> clock)
    : script_(script),
      prompt_size_(prompt.size()),
      outcome_(std::move(outcome)),
      clock_(std::move(clock)) {
  params_.temperature = script.temperature;
  params_.repetition_penalty = script.repetition_penalty;
  params_.seed = script.seed;
  if (params_.has_penalties()) {
    history_ = TokenHistory(FakeModel::kVocab, static_cast<std::size_t>(params_.repetition_window));
    history_.add_prompt(prompt);
  }
}

void ScriptPolicy::queued(std::int32_t position, double) {
  outcome_->positions.push_back(position);
}

void ScriptPolicy::prompt_progress(std::int32_t done, std::int32_t) {
  outcome_->progress.push_back(done);
}

bool ScriptPolicy::is_forced() const {
  if (script_.forced_every == 0) return false;
  const auto at = static_cast<std::int32_t>(outcome_->tokens.size()) % (script_.forced_every + 3);
  return at >= script_.forced_every;
}

Result<std::int32_t> ScriptPolicy::next(std::span<const float> logits, Sampler& sampler) {
  const std::size_t count = outcome_->tokens.size();
  if (is_forced()) return static_cast<std::int32_t>(count * 5 % FakeModel::kVocab);
  return sampler.sample(logits, params_, history_, prompt_size_ + count);
}

bool ScriptPolicy::accept(std::int32_t token) {
  outcome_->tokens.push_back(token);
  if (clock_) outcome_->times_s.push_back(clock_());
  history_.add_sampled(token);
  if (on_token) on_token(outcome_->tokens.size());
  return static_cast<std::int32_t>(outcome_->tokens.size()) >= script_.tokens_max;
}

void ScriptPolicy::ended(const RequestReport& report) {
  outcome_->report = report;
  ++outcome_->ends;
  if (on_end) on_end();
}

std::vector<std::int32_t> tokens_alone(const FakeModelOptions& options,
                                       std::span<const std::int32_t> prompt, const Script& script) {
  FakeModelOptions whole = options;
  whole.max_rows = options.context;
  FakeModel model(whole);
  Sampler sampler(FakeModel::kVocab);
  const auto outcome = std::make_shared<Outcome>();
  ScriptPolicy policy(script, prompt, outcome);
  std::vector<std::byte> memory(FakeModel::kPageBytes *
                                static_cast<std::size_t>(options.context / kKvPageTokens + 1));
  std::vector<std::byte*> pages;
  for (std::size_t at = 0; at < memory.size(); at += FakeModel::kPageBytes) {
    pages.push_back(memory.data() + at);
  }
  std::vector<std::int32_t> pending(prompt.begin(), prompt.end());
  std::int32_t read = 0;
  std::vector<float> logits(FakeModel::kVocab);
  while (true) {
    const auto rows = static_cast<std::int32_t>(pending.size());
    const SequenceRows sequence{pages, read, 0, rows};
    const std::int32_t last = rows - 1;
    model.run({pending, {{&sequence, 1}, rows}, {&last, 1}}, logits);
    read += rows;
    pending = {*policy.next(logits, sampler)};
    if (policy.accept(pending[0]) || read + 1 >= options.context) return outcome->tokens;
  }
}

std::vector<std::int32_t> made_up_prompt(std::size_t size, std::uint64_t seed) {
  std::vector<std::int32_t> tokens;
  std::uint64_t hash = seed;
  for (std::size_t i = 0; i < size; ++i) {
    hash = mix(hash, i + 1);
    tokens.push_back(static_cast<std::int32_t>(hash % FakeModel::kVocab));
  }
  return tokens;
}

}  // namespace notso
