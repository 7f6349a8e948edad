#include "service/chat/answer.h"

#include <algorithm>
#include <utility>

namespace notso {
namespace {

bool is_set(const std::atomic<bool>* flag) {
  return flag != nullptr && flag->load(std::memory_order_relaxed);
}

}  // namespace

Result<std::unique_ptr<Answerer>> Answerer::make(smollm3::Model& model,
                                                 std::shared_ptr<const Tokenizer> tokenizer,
                                                 AnswererOptions options) {
  auto pages = smollm3::SequencePages::make(model.kv_layout(), model.options().context);
  if (!pages) return pass_on(pages);
  options.prompt_chunk = std::clamp(options.prompt_chunk, 1, model.options().max_rows);
  return std::unique_ptr<Answerer>(
      new Answerer(model, std::move(tokenizer), std::move(*pages), std::move(options)));
}

Answerer::Answerer(smollm3::Model& model, std::shared_ptr<const Tokenizer> tokenizer,
                   smollm3::SequencePages pages, AnswererOptions options)
    : model_(model),
      options_(std::move(options)),
      vocabulary_(std::move(tokenizer), static_cast<std::size_t>(model.config().vocab)),
      pages_(std::move(pages)),
      sampler_(vocabulary_.size()),
      logits_(vocabulary_.size()) {}

Status Answerer::answer(std::span<const TokenId> prompt, const AnswerOptions& options,
                        const AnswerSinks& sinks, const std::atomic<bool>* cancel) {
  auto state = AnswerState::make(vocabulary_, options, prompt, model_.options().context);
  if (!state) return pass_on(state);
  Run run{**state, sinks, cancel, options_.clock()};
  if (!read_prompt(prompt, run)) {
    report_end(run, FinishReason::kCancelled);
    return {};
  }
  report_end(run, generate(run));
  return {};
}

// False if it was cancelled; what is read stays.
bool Answerer::read_prompt(std::span<const TokenId> prompt, Run& run) {
  const auto differs =
      std::mismatch(resident_.begin(), resident_.end(), prompt.begin(), prompt.end()).first;
  // The last token is always read, for its logits.
  const auto kept =
      std::min(static_cast<std::size_t>(differs - resident_.begin()), prompt.size() - 1);
  resident_.resize(kept);
  run.cached = static_cast<std::int32_t>(kept);
  const auto chunk = static_cast<std::size_t>(options_.prompt_chunk);
  while (resident_.size() < prompt.size()) {
    if (is_set(run.cancel)) break;
    const auto rest = prompt.subspan(resident_.size());
    read(rest.first(std::min(chunk, rest.size())), rest.size() <= chunk);
    if (run.sinks.prompt_progress) {
      run.sinks.prompt_progress(static_cast<std::int32_t>(resident_.size()),
                                static_cast<std::int32_t>(prompt.size()));
    }
  }
  run.read_s = run.last_s = options_.clock();
  return resident_.size() == prompt.size();
}

Result<FinishReason> Answerer::generate(Run& run) {
  std::vector<TokenId> unread;
  std::vector<ChatEvent> events;
  while (true) {
    if (is_set(run.cancel)) return FinishReason::kCancelled;
    const double now = options_.clock();
    if (now - run.last_s > options_.token_s_max || now - run.read_s > options_.answer_s_max) {
      return FinishReason::kTimeout;
    }
    const auto token = run.state.next(logits_, sampler_);
    if (!token) return tl::unexpected<Error>(token.error());
    unread.push_back(*token);
    events.clear();
    const bool over = run.state.accept(*token, events);
    run.last_s = options_.clock();
    if (run.first_s == 0) run.first_s = run.last_s;
    run.sinks.events(events);
    if (over) return run.state.reason();
    if (run.state.is_forced()) continue;
    const auto chunk = static_cast<std::size_t>(options_.prompt_chunk);
    for (std::size_t at = 0; at < unread.size(); at += chunk) {
      const auto rest = std::span(unread).subspan(at);
      read(rest.first(std::min(chunk, rest.size())), rest.size() <= chunk);
    }
    unread.clear();
  }
}

void Answerer::read(std::span<const TokenId> tokens, bool want_logits) {
  const auto rows = static_cast<std::int32_t>(tokens.size());
  const SequenceRows sequence{pages_.table(), static_cast<std::int32_t>(resident_.size()), 0, rows};
  const std::int32_t last = rows - 1;
  const smollm3::Batch batch{tokens, {{&sequence, 1}, rows}, {&last, want_logits ? 1U : 0U}};
  model_.forward(batch, std::span(logits_).first(want_logits ? logits_.size() : 0));
  resident_.insert(resident_.end(), tokens.begin(), tokens.end());
}

void Answerer::report_end(Run& run, const Result<FinishReason>& end) {
  std::vector<ChatEvent> events;
  Finished finished = run.state.finish(end.value_or(FinishReason::kError), events);
  if (!end) finished.error = end.error().message;
  const double now = options_.clock();
  finished.usage.cached_tokens = run.cached;
  finished.usage.prompt_s = run.read_s - run.begin_s;
  if (run.first_s > 0) {
    finished.usage.first_token_s = run.first_s - run.begin_s;
    finished.usage.completion_s = now - run.read_s;
  }
  events.emplace_back(std::move(finished));
  run.sinks.events(events);
}

}  // namespace notso
