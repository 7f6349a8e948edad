// Who has a place in the engine: the queue's turns, pages for newcomers, and whose are taken back.

#include <algorithm>
#include <utility>

#include "service/engine/engine_loop.h"
#include "service/engine/policy_call.h"

namespace notso {
namespace {

// Pages that a request still needs for its tokens and one more.
std::size_t missing_pages(const ActiveRequest& request) {
  const std::size_t needed = kv_pages_for(request.tokens.size() + 1);
  return needed - std::min(needed, request.kv.pages().size());
}

}  // namespace

// Gives places to those whose turn it is. Nobody overtakes a request that waits for pages.
void EngineLoop::admit() {
  while (!waiting_.empty()) {
    order_queue();
    const ActiveRequest& next = *waiting_.front();
    if (running() < options_.running_max && has_room_for(next)) {
      Request request = std::move(waiting_.front());
      waiting_.erase(waiting_.begin());
      start(std::move(request));
    } else if (!make_room_for(next)) {
      break;
    }
  }
  tell_positions();
}

// Whether the pages suffice for all that run and for this one. Whoever is alone gets a try.
bool EngineLoop::has_room_for(const ActiveRequest& request) const {
  if (running_.empty()) return true;
  std::size_t needed = missing_pages(request);
  for (const Request& other : running_) needed += missing_pages(*other);
  return needed <= cache_->available_pages();
}

// Takes the place of a background request for an interactive one.
bool EngineLoop::make_room_for(const ActiveRequest& request) {
  if (request.is_background() || running_.empty()) return false;
  const std::size_t victim = first_to_give_way();
  if (!running_[victim]->is_background()) return false;
  give_back_pages(victim);
  return true;
}

// Who loses its pages first: the newest background request; without one, the newest of all.
std::size_t EngineLoop::first_to_give_way() const {
  for (std::size_t i = running_.size(); i-- > 0;) {
    if (running_[i]->is_background()) return i;
  }
  return running_.size() - 1;
}

// Sends a running request back to the queue. What it has read stays in the cache for as long as
// nobody wants the memory, and is read again otherwise.
void EngineLoop::give_back_pages(std::size_t running_index) {
  waiting_.reserve(waiting_.size() + 1);
  Request request = std::move(running_[running_index]);
  running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(running_index));
  try {
    keep_pages(*request);
  } catch (const std::bad_alloc&) {
    // It is all read again.
  }
  request->kv = KvSequence();
  request->read = 0;
  request->published = 0;
  request->leader = 0;
  --request->share->running;
  waiting_.push_back(std::move(request));
  queue_changed_ = true;
}

void EngineLoop::start(Request request) {
  ActiveRequest& started = *request;
  if (started.started_s < 0) {
    started.started_s = now_s_;
    started.report.queue_s = now_s_ - started.submitted_s;
    stats_.queue_s.add(started.report.queue_s);
  }
  const std::int32_t most = options_.prefix_cache ? started.cacheable() : 0;
  try {
    started.kv = cache_->open(started.asked.cache_scope, started.tokens, most);
  } catch (const std::bad_alloc&) {
    finish(std::move(request), {RequestEnd::kError, out_of_memory()});
    return;
  }
  started.read = started.kv.positions();
  started.published = started.read;
  ++started.share->running;
  running_.push_back(std::move(request));
  queue_changed_ = true;
  find_leader(started);
  auto ending = started.pending() == 0 ? finish_reading(started) : tell_progress(started);
  if (ending) end_running(started, std::move(*ending));
}

// Looks for a request that is reading what this one would have to read too. Waiting for it costs
// less than both reading the same.
void EngineLoop::find_leader(ActiveRequest& request) const {
  request.leader = 0;
  if (!options_.prefix_cache) return;
  std::int32_t best = request.read + kKvPageTokens - 1;
  for (const Request& other : running_) {
    if (other.get() == &request || other->prompt_is_read || other->read < request.read) continue;
    if (other->asked.cache_scope != request.asked.cache_scope) continue;
    if (other->is_background() && !request.is_background()) continue;
    const auto differs = std::mismatch(request.tokens.begin(), request.tokens.end(),
                                       other->tokens.begin(), other->tokens.end());
    const auto alike = static_cast<std::int32_t>(differs.first - request.tokens.begin());
    if (alike <= best) continue;
    best = alike;
    request.leader = other->id;
    request.leader_shares = alike;
  }
}

// Whether a request still waits for its leader.
bool EngineLoop::follows(ActiveRequest& request) const {
  if (request.leader == 0) return false;
  const auto leader = std::find_if(running_.begin(), running_.end(), [&](const Request& other) {
    return other->id == request.leader;
  });
  const bool is_ahead = leader != running_.end() && !(*leader)->prompt_is_read &&
                        (*leader)->published < request.leader_shares;
  if (!is_ahead) request.leader = 0;
  return is_ahead;
}

void EngineLoop::order_queue() {
  if (!queue_changed_) return;
  std::vector<QueueCandidate> candidates;
  for (const Request& request : waiting_) {
    candidates.push_back(
        {request->is_background(), request->session, request->share->running, request->id});
  }
  Requests ordered;
  ordered.reserve(waiting_.size());
  for (const std::size_t i : queue_order(candidates)) ordered.push_back(std::move(waiting_[i]));
  waiting_ = std::move(ordered);
  queue_changed_ = false;
}

// Tells those whose place in the queue has changed.
void EngineLoop::tell_positions() {
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    ActiveRequest& request = *waiting_[i];
    const auto position = static_cast<std::int32_t>(i);
    if (request.told_position == position || request.started_s >= 0 || !request.asked.policy) {
      continue;
    }
    request.told_position = position;
    const Status told =
        call_policy([&] { request.asked.policy->queued(position, expected_wait_s(position)); });
    if (told) continue;
    Request failed = std::move(waiting_[i]);
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    finish(std::move(failed), {RequestEnd::kError, told.error()});
    --i;
  }
}

double EngineLoop::expected_wait_s(std::int32_t position) const {
  // A guess to begin with, until a request has ended.
  constexpr double kFirstGuess = 10;
  const bool is_free = running() < options_.running_max && position == 0 &&
                       (running_.empty() || cache_->available_pages() > 1);
  if (is_free && waiting_.empty()) return 0;
  const double each_s = request_s_ > 0 ? request_s_ : kFirstGuess;
  return each_s * (position + 1) / std::max(running(), 1);
}

}  // namespace notso
