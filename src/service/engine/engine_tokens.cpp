// What becomes of a step's rows: progress of a prompt, or tokens. Guessed tokens are checked here.
//
// The rows of a share are [certain ... certain, guess 1, ..., guess k], the logits those of the
// last certain row and of the guesses. The policy draws from the first; if it draws guess 1, the
// second row was computed for the right sequence, and it draws from that, and so on. A draw depends
// on the seed and the position alone, so the tokens are those that would have come one at a time.
// The first draw that differs from the guess is a right token too; the rows behind it are cut off.

#include <algorithm>
#include <utility>

#include "service/engine/engine_loop.h"
#include "service/engine/policy_call.h"

namespace notso {

std::optional<EngineLoop::Ending> EngineLoop::take_rows(ActiveRequest& request,
                                                        const StepShare& share,
                                                        std::span<const float> logits) {
  request.read += share.rows;
  if (request.pending() > 0 || !request.asked.policy) {
    share_prefix(request, request.read / kKvPageTokens * kKvPageTokens);
    return request.pending() == 0 ? finish_reading(request) : tell_progress(request);
  }
  if (auto ending = finish_reading(request)) return ending;
  if (auto ending = overdue(request)) return ending;
  auto ending = take_tokens(request, share.drafts, logits);
  cache_->truncate(request.kv, request.read);
  if (ending) return ending;
  share_prefix(request, request.read / kKvPageTokens * kKvPageTokens);
  return take_forced(request);
}

// Takes one token, and one more for each guess that was right.
std::optional<EngineLoop::Ending> EngineLoop::take_tokens(ActiveRequest& request,
                                                          std::int32_t drafts,
                                                          std::span<const float> logits) {
  const std::size_t vocab = model_.vocab_size();
  std::optional<Ending> ending;
  std::int32_t right = 0;
  while (true) {
    ending = take_token(request, logits.subspan(static_cast<std::size_t>(right) * vocab, vocab));
    if (ending || right == drafts) break;
    const auto guess = request.tokens[static_cast<std::size_t>(request.draft.from + right)];
    if (request.tokens.back() != guess) break;
    ++request.read;
    ++right;
  }
  if (drafts > 0) request.draft_record.add(request.draft.match, drafts, right);
  if (drafts == 0 && request.draft.count > 0) request.draft_record.refuse();
  request.report.draft_tokens += drafts;
  request.report.accepted_tokens += right;
  stats_.draft_tokens += static_cast<std::uint64_t>(drafts);
  stats_.accepted_tokens += static_cast<std::uint64_t>(right);
  return ending;
}

// Takes the next token, by logits[vocab] or (none given) because it is forced.
std::optional<EngineLoop::Ending> EngineLoop::take_token(ActiveRequest& request,
                                                         std::span<const float> logits) {
  TokenPolicy& policy = *request.asked.policy;
  const Status chosen = call_policy([&]() -> Status {
    if (!policy.is_forced() && !all_finite(logits)) {
      request.is_spoiled = true;
      return fail(ErrorCode::kInternal, "the model's logits after " +
                                            std::to_string(request.size()) +
                                            " tokens are not finite; its file may be damaged");
    }
    const auto token = policy.next(logits, sampler_);
    if (!token) return tl::unexpected<Error>(token.error());
    if (*token < 0 || static_cast<std::size_t>(*token) >= model_.vocab_size()) {
      return fail(ErrorCode::kInternal, "token " + std::to_string(*token) + " does not exist");
    }
    request.tokens.push_back(*token);
    return {};
  });
  if (!chosen) return Ending{RequestEnd::kError, chosen.error()};
  take_time(request);
  const auto over = call_policy([&] { return policy.accept(request.tokens.back()); });
  if (!over) return Ending{RequestEnd::kError, over.error()};
  if (*over) return Ending{RequestEnd::kDone, {ErrorCode::kInternal, ""}};
  if (request.size() < model_.context()) return std::nullopt;
  return Ending{RequestEnd::kLength, {ErrorCode::kInternal, ""}};
}

// Takes the tokens that are certain, without logits; they are read in the next step.
std::optional<EngineLoop::Ending> EngineLoop::take_forced(ActiveRequest& request) {
  while (true) {
    const auto forced = call_policy([&] { return request.asked.policy->is_forced(); });
    if (!forced) return Ending{RequestEnd::kError, forced.error()};
    if (!*forced) return std::nullopt;
    if (auto ending = take_token(request, {})) return ending;
  }
}

void EngineLoop::take_time(ActiveRequest& request) {
  ++request.report.sampled_tokens;
  ++stats_.sampled_tokens;
  if (request.first_s < 0) {
    request.first_s = now_s_;
    request.report.first_token_s = now_s_ - request.submitted_s;
    stats_.first_token_s.add(request.report.first_token_s);
  } else {
    stats_.between_tokens_s.add(now_s_ - request.token_from_s);
  }
  request.token_from_s = now_s_;
}

// All tokens are read: the first time, that is the prompt's end.
std::optional<EngineLoop::Ending> EngineLoop::finish_reading(ActiveRequest& request) {
  if (!request.prompt_is_read) {
    share_prefix(request, request.read);
    request.prompt_is_read = true;
    request.read_s = now_s_;
    request.token_from_s = now_s_;
    request.answer_from_s = now_s_;
    request.report.prompt_s = now_s_ - request.started_s;
    request.report.cached_tokens = std::min(request.kv.cached_positions(), request.prompt_size);
    stats_.prompt_tokens += static_cast<std::uint64_t>(request.prompt_size);
    stats_.cached_tokens += static_cast<std::uint64_t>(request.report.cached_tokens);
    request.told_progress = std::min(request.told_progress, request.prompt_size - 1);
    if (auto ending = tell_progress(request)) return ending;
  }
  if (request.asked.policy) return std::nullopt;
  return Ending{RequestEnd::kDone, {ErrorCode::kInternal, ""}};
}

std::optional<EngineLoop::Ending> EngineLoop::tell_progress(ActiveRequest& request) {
  const std::int32_t done = std::min(request.read, request.prompt_size);
  if (!request.asked.policy || done <= request.told_progress) return std::nullopt;
  request.told_progress = done;
  const Status told =
      call_policy([&] { request.asked.policy->prompt_progress(done, request.prompt_size); });
  if (told) return std::nullopt;
  return Ending{RequestEnd::kError, told.error()};
}

// Lets others find the first `tokens` tokens.
void EngineLoop::share_prefix(ActiveRequest& request, std::int32_t tokens) {
  if (!options_.prefix_cache || tokens <= request.published) return;
  cache_->publish(request.kv, std::span(request.tokens).first(static_cast<std::size_t>(tokens)));
  request.published = tokens;
}

}  // namespace notso
