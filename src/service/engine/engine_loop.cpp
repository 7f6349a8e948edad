#include "service/engine/engine_loop.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/check.h"
#include "service/engine/policy_call.h"

namespace notso {
namespace {

// Guesses are not even looked for when more streams than this answer: their rows fill the step.
constexpr std::int32_t kDraftStreamsMax = 8;
constexpr std::int32_t kProbeTokens = 2;
constexpr double kProbeChance = 0.95;
// Tokens that an answer has room for before its memory grows.
constexpr std::size_t kUsualAnswer = 512;
// Seconds that the cache may take to write at the end.
constexpr double kFlushSeconds = 5;

double steady_seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

EngineOptions settle(EngineOptions options, const StepModel& model) {
  options.step_rows_max = std::clamp(options.step_rows_max, 1, model.max_rows());
  options.running_max =
      std::clamp(options.running_max, 1, std::min(options.step_rows_max, model.max_outputs()));
  if (options.kv_bytes_max == 0) options.kv_bytes_max = default_kv_bytes_max();
  if (!options.clock) options.clock = steady_seconds;
  return options;
}

StepLimits limits_of(const EngineOptions& options, const StepModel& model) {
  StepLimits limits;
  limits.rows_max = options.step_rows_max;
  limits.outputs_max = model.max_outputs();
  return limits;
}

template <typename Requests>
std::int32_t count_background(const Requests& requests) {
  return static_cast<std::int32_t>(std::ranges::count_if(
      requests, [](const auto& request) { return request->is_background(); }));
}

}  // namespace

Result<std::unique_ptr<EngineLoop>> EngineLoop::make(StepModel& model, EngineOptions options) {
  options = settle(std::move(options), model);
  KvCacheOptions cache_options;
  cache_options.page_bytes = model.page_bytes();
  cache_options.bytes_max = options.kv_bytes_max;
  cache_options.positions_max = model.context();
  cache_options.identity = model.identity();
  cache_options.folder = options.prefix_cache ? options.kv_folder : "";
  cache_options.disk_bytes_max = options.kv_disk_bytes_max;
  cache_options.log = options.log;
  auto cache = KvCache::make(std::move(cache_options));
  if (!cache) return pass_on(cache);
  return std::unique_ptr<EngineLoop>(new EngineLoop(model, std::move(options), std::move(*cache)));
}

EngineLoop::EngineLoop(StepModel& model, EngineOptions options, std::unique_ptr<KvCache> cache)
    : model_(model),
      options_(std::move(options)),
      cache_(std::move(cache)),
      sampler_(model.vocab_size()),
      scheduler_(limits_of(options_, model)),
      logits_(model.vocab_size() * static_cast<std::size_t>(model.max_outputs())),
      pages_max_(cache_->stats().pages_max) {
  running_.reserve(static_cast<std::size_t>(options_.running_max));
}

EngineLoop::~EngineLoop() = default;

Status EngineLoop::check(const EngineRequest& request) const {
  const std::size_t size = request.prompt.size();
  const auto context = static_cast<std::size_t>(model_.context());
  if (size == 0) return fail(ErrorCode::kInvalidArgument, "the prompt is empty");
  if (size + (request.policy ? 1 : 0) > context) {
    return fail(ErrorCode::kInvalidArgument,
                "the prompt has " + std::to_string(size) + " tokens, but the context only " +
                    std::to_string(context) + ", the answer included; shorten the prompt");
  }
  const auto vocab = static_cast<std::int64_t>(model_.vocab_size());
  for (const std::int32_t token : request.prompt) {
    if (token >= 0 && token < vocab) continue;
    return fail(ErrorCode::kInvalidArgument, "token " + std::to_string(token) +
                                                 " is not in the vocabulary (0 to " +
                                                 std::to_string(vocab - 1) + ")");
  }
  if (kv_pages_for(size + (request.policy ? 1 : 0)) <= pages_max_) return {};
  return fail(ErrorCode::kResourceExhausted,
              "the prompt has " + std::to_string(size) + " tokens, but the memory for keys and " +
                  "values only holds " + std::to_string(pages_max_ * kKvPageTokens) +
                  "; give it more, or shorten the prompt");
}

void EngineLoop::add(RequestId id, EngineRequest request, double submitted_s) {
  try {
    enqueue(id, request, submitted_s);
  } catch (const std::bad_alloc&) {
    RequestReport report;
    report.end = RequestEnd::kError;
    report.error = out_of_memory();
    ++stats_.failed;
    if (request.policy) static_cast<void>(call_policy([&] { request.policy->ended(report); }));
  }
}

// `request` keeps its policy until nothing can fail any more.
void EngineLoop::enqueue(RequestId id, EngineRequest& request, double submitted_s) {
  auto active = std::make_unique<ActiveRequest>();
  active->id = id;
  active->tokens = std::move(request.prompt);
  active->prompt_size = active->size();
  active->tokens.reserve(active->tokens.size() + kUsualAnswer);
  active->session = request.session;
  active->session += request.session.empty() ? std::to_string(id) : std::string("/");
  active->submitted_s = submitted_s;
  active->report.prompt_tokens = active->prompt_size;
  waiting_.reserve(waiting_.size() + 1);
  // A newcomer has had as much as whoever had least, or it would be served alone until then.
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  for (const auto& [name, share] : sessions_) least = std::min(least, share.served);
  if (sessions_.empty()) least = 0;
  SessionShare& share = sessions_.try_emplace(active->session, SessionShare{least}).first->second;
  ++share.requests;
  active->share = &share;
  active->asked = std::move(request);
  waiting_.push_back(std::move(active));
  queue_changed_ = true;
}

bool EngineLoop::step() {
  try {
    now_s_ = options_.clock();
    end_overdue();
    admit();
    adopt_prefixes();
    if (schedule() && run()) publish();
    cache_->maintain(now_s_);
    failed_allocations_ = 0;
  } catch (const std::bad_alloc&) {
    survive_failed_allocation();
  }
  return !waiting_.empty() || !running_.empty();
}

void EngineLoop::maintain() { cache_->maintain(options_.clock()); }

// Takes over what others have read meanwhile.
void EngineLoop::adopt_prefixes() {
  if (!options_.prefix_cache) return;
  for (std::size_t i = 0; i < running_.size(); ++i) {
    ActiveRequest& request = *running_[i];
    if (request.pending() < kKvPageTokens || follows(request)) continue;
    if (cache_->adopt(request.kv, request.tokens, request.cacheable()) == 0) continue;
    request.read = request.kv.positions();
    request.published = std::max(request.published, request.read);
    auto ending = request.pending() == 0 ? finish_reading(request) : tell_progress(request);
    if (!ending) continue;
    end_running(request, std::move(*ending));
    --i;
  }
}

// Plans a step and provides its pages. False if nobody has anything to do.
bool EngineLoop::schedule() {
  do {
    collect_candidates();
    const auto plan = scheduler_.plan(candidates_, cost_);
    shares_.assign(plan.begin(), plan.end());
  } while (!shares_.empty() && !provide_pages());
  return !shares_.empty();
}

void EngineLoop::collect_candidates() {
  candidates_.clear();
  candidate_requests_.clear();
  const auto answering =
      std::count_if(running_.begin(), running_.end(),
                    [](const Request& request) { return request->prompt_is_read; });
  for (const Request& request : running_) {
    if (follows(*request)) continue;
    StepCandidate candidate;
    candidate.background = request->is_background();
    candidate.answering = request->prompt_is_read;
    candidate.pending = request->pending();
    candidate.served = request->share->served;
    candidate.last_step = request->last_step;
    if (answering <= kDraftStreamsMax) candidate.drafts = propose_draft(*request);
    candidates_.push_back(candidate);
    candidate_requests_.push_back(request.get());
  }
}

// Looks for a guess of what the request's next tokens are.
DraftWish EngineLoop::propose_draft(ActiveRequest& request) const {
  request.draft = {};
  if (!options_.drafts || !request.asked.drafts || !request.prompt_is_read) return {};
  const std::int32_t most = std::min(options_.draft_tokens_max, model_.context() - request.size());
  request.draft_index.extend(request.tokens);
  request.draft = request.draft_index.find(request.tokens, most);
  DraftWish wish;
  wish.count = request.draft.count;
  wish.chance = request.draft_record.chance(request.draft.match);
  if (request.draft_record.wants_probe()) {
    wish.count = std::min(wish.count, kProbeTokens);
    wish.chance = kProbeChance;
  }
  return wish;
}

// Makes the pages that the shares need. If there are not enough, somebody gives way (the newest of
// the background, or the newest of all), and it is false: plan again.
bool EngineLoop::provide_pages() {
  for (StepShare& share : shares_) {
    ActiveRequest& request = *candidate_requests_[share.candidate];
    const Status grown = grow(request, share);
    if (grown) continue;
    for (const Request& other : running_) cache_->truncate(other->kv, other->read);
    if (running_.size() == 1) {
      // An answer that has all the pages there are is as long as it can be here.
      const bool is_full = request.prompt_is_read && request.kv.pages().size() == pages_max_;
      const Ending full{RequestEnd::kLength, {ErrorCode::kInternal, ""}};
      end_running(request, is_full ? full : Ending{RequestEnd::kError, grown.error()});
    } else {
      give_back_pages(first_to_give_way());
    }
    return false;
  }
  return true;
}

// Guesses are not worth somebody else's pages.
Status EngineLoop::grow(ActiveRequest& request, StepShare& share) {
  const std::int32_t needed = request.read + share.rows;
  if (share.drafts > 0) {
    if (cache_->grow(request.kv, needed + share.drafts)) return {};
    share.drafts = 0;
  }
  return cache_->grow(request.kv, needed);
}

// How many rows of a share need logits: the last one that is certain, and the guesses.
std::int32_t EngineLoop::outputs_of(const StepShare& share) const {
  const ActiveRequest& request = *candidate_requests_[share.candidate];
  const bool gives_token = request.asked.policy && share.rows == request.pending();
  return gives_token ? 1 + share.drafts : 0;
}

void EngineLoop::fill_input() {
  tokens_.clear();
  sequences_.clear();
  output_rows_.clear();
  for (const StepShare& share : shares_) {
    const ActiveRequest& request = *candidate_requests_[share.candidate];
    const auto first_row = static_cast<std::int32_t>(tokens_.size());
    const auto pending = request.tokens.begin() + request.read;
    tokens_.insert(tokens_.end(), pending, pending + share.rows);
    const auto guessed = request.tokens.begin() + request.draft.from;
    tokens_.insert(tokens_.end(), guessed, guessed + share.drafts);
    sequences_.push_back({request.kv.pages(), request.read, first_row, share.rows + share.drafts});
    const std::int32_t outputs = outputs_of(share);
    for (std::int32_t i = 0; i < outputs; ++i) {
      output_rows_.push_back(first_row + share.rows - 1 + i);
    }
  }
}

// Runs the planned step. A model that throws has failed for everybody in it.
bool EngineLoop::run() {
  fill_input();
  const auto rows = static_cast<std::int32_t>(tokens_.size());
  const auto logits = std::span(logits_).first(output_rows_.size() * model_.vocab_size());
  const double begin_s = options_.clock();
  const Status done = call_policy([&] {
    model_.run({tokens_, {sequences_, rows}, output_rows_}, logits);
  });
  // Without memory a step is tried again, once the caches are dropped.
  if (!done && done.error().code == ErrorCode::kResourceExhausted) throw std::bad_alloc();
  now_s_ = options_.clock();
  ++step_;
  for (const StepShare& share : shares_) {
    ActiveRequest& request = *candidate_requests_[share.candidate];
    request.last_step = step_;
    if (!done) {
      request.is_spoiled = true;
      end_running(request, {RequestEnd::kError, done.error()});
    }
  }
  if (!done) return false;
  const double step_s = now_s_ - begin_s;
  cost_.add(rows, step_s);
  hold_clocks(step_s);
  ++stats_.steps;
  stats_.step_rows += static_cast<std::uint64_t>(rows);
  stats_.busy_s += step_s;
  stats_.step_s.add(step_s);
  return true;
}

// Time in which a request was not let on does not count against its limits: it gave its pages up,
// reads again what it had read, or stood back behind interactive ones.
void EngineLoop::hold_clocks(double step_s) {
  const auto hold = [&](ActiveRequest& request) {
    request.token_from_s += step_s;
    request.answer_from_s += step_s;
  };
  for (const Request& request : waiting_) hold(*request);
  for (const Request& request : running_) {
    const bool stood_back = request->is_background() && request->last_step != step_;
    const bool reads_again = request->pending() >= kKvPageTokens;
    if (stood_back || reads_again) hold(*request);
  }
}

// Hands out what the step gave.
void EngineLoop::publish() {
  std::size_t output = 0;
  for (const StepShare& share : shares_) {
    ActiveRequest& request = *candidate_requests_[share.candidate];
    const auto outputs = static_cast<std::size_t>(outputs_of(share));
    const auto logits = std::span<const float>(logits_).subspan(output * model_.vocab_size(),
                                                                outputs * model_.vocab_size());
    output += outputs;
    request.share->served += static_cast<std::uint64_t>(share.rows + share.drafts);
    if (auto ending = take_rows(request, share, logits)) {
      end_running(request, std::move(*ending));
    }
  }
}

void EngineLoop::end_all() {
  const Error stopped{ErrorCode::kCancelled, ""};
  while (!running_.empty()) end_running(*running_.back(), {RequestEnd::kCancelled, stopped});
  while (!waiting_.empty()) {
    Request request = std::move(waiting_.back());
    waiting_.pop_back();
    finish(std::move(request), {RequestEnd::kCancelled, stopped});
  }
  static_cast<void>(cache_->flush(kFlushSeconds));
}

EngineStats EngineLoop::stats() const {
  EngineStats stats = stats_;
  const KvCacheStats cache = cache_->stats();
  stats.waiting = waiting();
  stats.running = running();
  stats.background_waiting = count_background(waiting_);
  stats.background_running = count_background(running_);
  stats.page_bytes = cache.page_bytes;
  stats.pages_max = cache.pages_max;
  stats.pages_used = cache.pages_used;
  stats.pages_cached = cache.pages_cached;
  stats.pages_evicted = cache.pages_evicted;
  stats.pages_stored = cache.pages_stored;
  stats.pages_restored = cache.pages_restored;
  return stats;
}

}  // namespace notso
