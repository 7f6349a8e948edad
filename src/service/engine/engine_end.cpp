// How requests end: by themselves, by a cancel, by a time limit, by an error.

#include <algorithm>
#include <sstream>
#include <utility>

#include "service/engine/engine_loop.h"
#include "service/engine/policy_call.h"

namespace notso {
namespace {

std::string seconds_text(double seconds) {
  std::ostringstream text;
  text << seconds << " s";
  return text.str();
}

}  // namespace

void EngineLoop::cancel(RequestId id) {
  const Ending cancelled{RequestEnd::kCancelled, {ErrorCode::kCancelled, ""}};
  const auto is_asked = [&](const Request& request) { return request->id == id; };
  if (const auto at = std::find_if(running_.begin(), running_.end(), is_asked);
      at != running_.end()) {
    now_s_ = options_.clock();
    end_running(**at, cancelled);
  } else if (const auto place = std::find_if(waiting_.begin(), waiting_.end(), is_asked);
             place != waiting_.end()) {
    now_s_ = options_.clock();
    Request request = std::move(*place);
    waiting_.erase(place);
    finish(std::move(request), cancelled);
  }
}

void EngineLoop::end_running(const ActiveRequest& request, Ending ending) {
  const auto at = std::find_if(running_.begin(), running_.end(),
                               [&](const Request& other) { return other.get() == &request; });
  Request ended = std::move(*at);
  running_.erase(at);
  --ended->share->running;
  finish(std::move(ended), std::move(ending));
}

// Ends a request that is in no list any more. Its pages go to the cache before its policy hears.
void EngineLoop::finish(Request request, Ending ending) {
  queue_changed_ = true;
  try {
    keep_pages(*request);
  } catch (const std::bad_alloc&) {
    // The cache goes without them.
  }
  request->kv = KvSequence();
  if (--request->share->requests == 0) sessions_.erase(request->session);
  request->share = nullptr;
  count_end(*request, ending.end);
  RequestReport& report = request->report;
  report.end = ending.end;
  report.error = std::move(ending.error);
  if (request->started_s < 0) report.queue_s = now_s_ - request->submitted_s;
  if (request->first_s >= 0) report.decode_s = now_s_ - request->first_s;
  if (counted_) counted_();
  if (request->asked.policy) {
    // There is nothing left that a failure here could end.
    static_cast<void>(call_policy([&] { request->asked.policy->ended(report); }));
  }
}

// Leaves what the request has read to the cache. Where the model failed on it, the cache forgets
// even what it knew of it: its first pages were found by others before anybody saw their logits.
void EngineLoop::keep_pages(ActiveRequest& request) {
  if (!options_.prefix_cache || request.read == 0) return;
  const auto read = std::span(request.tokens).first(static_cast<std::size_t>(request.read));
  if (request.is_spoiled) return cache_->remove(request.asked.cache_scope, read);
  cache_->close(std::move(request.kv), read);
  if (!request.asked.pin || request.read < request.prompt_size) return;
  cache_->pin(request.asked.cache_scope, read.first(static_cast<std::size_t>(request.prompt_size)));
}

void EngineLoop::count_end(const ActiveRequest& request, RequestEnd end) {
  switch (end) {
    case RequestEnd::kDone:
    case RequestEnd::kLength:
      ++stats_.done;
      break;
    case RequestEnd::kCancelled:
      ++stats_.cancelled;
      break;
    case RequestEnd::kTimeout:
      ++stats_.timed_out;
      break;
    case RequestEnd::kError:
      ++stats_.failed;
      break;
  }
  constexpr double kNewShare = 0.1;
  if (request.started_s < 0 || !request.asked.policy) return;
  const double ran_s = now_s_ - request.started_s;
  request_s_ = request_s_ == 0 ? ran_s : request_s_ + kNewShare * (ran_s - request_s_);
}

// Ends whoever is over one of its time limits.
void EngineLoop::end_overdue() {
  for (std::size_t i = 0; i < running_.size(); ++i) {
    auto ending = overdue(*running_[i]);
    if (!ending) continue;
    end_running(*running_[i], std::move(*ending));
    --i;
  }
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    auto ending = overdue(*waiting_[i]);
    if (!ending) continue;
    Request request = std::move(waiting_[i]);
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    finish(std::move(request), std::move(*ending));
    --i;
  }
}

// The limit that a request is over, if any.
std::optional<EngineLoop::Ending> EngineLoop::overdue(const ActiveRequest& request) const {
  const auto timeout = [](const std::string& what, double limit_s) {
    return Ending{RequestEnd::kTimeout,
                  {ErrorCode::kDeadlineExceeded, what + " within " + seconds_text(limit_s)}};
  };
  const EngineRequest& asked = request.asked;
  if (request.started_s < 0) {
    const double limit_s = asked.queue_s_max.value_or(options_.queue_s_max);
    if (now_s_ - request.submitted_s <= limit_s) return std::nullopt;
    return timeout("the request's turn did not come", limit_s);
  }
  if (!request.prompt_is_read) return std::nullopt;
  const double token_s = asked.token_s_max.value_or(options_.token_s_max);
  if (now_s_ - request.token_from_s > token_s) return timeout("no new token came", token_s);
  const double answer_s = asked.answer_s_max.value_or(options_.answer_s_max);
  if (now_s_ - request.answer_from_s <= answer_s) return std::nullopt;
  return timeout("the answer did not end", answer_s);
}

Error EngineLoop::out_of_memory() {
  return {ErrorCode::kResourceExhausted, "there is not enough memory to go on"};
}

// Memory ran out between two requests' work. First the caches go; if that does not help, the newest
// request. One that had read all of its tokens, and was not let on, reads the last one again: what
// comes next hangs on that row.
void EngineLoop::survive_failed_allocation() {
  ++failed_allocations_;
  for (const Request& request : running_) {
    request->read = std::min(request->read, request->size() - 1);
    cache_->truncate(request->kv, request->read);
  }
  if (failed_allocations_ == 1) {
    cache_->shrink(options_.kv_bytes_max);
    return;
  }
  const Ending refused{RequestEnd::kError, out_of_memory()};
  if (!running_.empty()) {
    end_running(*running_[first_to_give_way()], refused);
  } else if (!waiting_.empty()) {
    Request request = std::move(waiting_.back());
    waiting_.pop_back();
    finish(std::move(request), refused);
  }
}

}  // namespace notso
