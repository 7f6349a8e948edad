#include "paced_engine.h"

#include <algorithm>

namespace notso {

PacedEngine::PacedEngine(std::size_t vocab_size,
                         std::function<Script(const std::vector<std::int32_t>& prompt)> script)
    : script_(std::move(script)), sampler_(vocab_size), logits_(vocab_size) {
  thread_ = std::thread([this] { run(); });
}

PacedEngine::~PacedEngine() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

Result<RequestId> PacedEngine::submit(EngineRequest request) {
  const std::lock_guard lock(mutex_);
  if (refusal_) return tl::unexpected<Error>(*std::exchange(refusal_, {}));
  prompts_.push_back(request.prompt);
  last_asker_ = {request.session, request.cache_scope};
  waiting_.emplace_back(++last_id_, std::move(request));
  changed_.notify_all();
  return last_id_;
}

void PacedEngine::cancel(RequestId id) {
  const std::lock_guard lock(mutex_);
  cancelled_.insert(id);
  changed_.notify_all();
}

void PacedEngine::let_through(std::int64_t tokens) {
  const std::lock_guard lock(mutex_);
  allowed_ = tokens;
  held_ = false;
  changed_.notify_all();
}

void PacedEngine::wait_until_held() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return held_; });
}

void PacedEngine::refuse_next(Error error) {
  const std::lock_guard lock(mutex_);
  refusal_ = std::move(error);
}

std::vector<std::vector<std::int32_t>> PacedEngine::prompts() const {
  const std::lock_guard lock(mutex_);
  return prompts_;
}

std::pair<std::string, std::string> PacedEngine::last_asker() const {
  const std::lock_guard lock(mutex_);
  return last_asker_;
}

void PacedEngine::run() {
  while (true) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    auto [id, request] = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    if (request.policy) answer(id, std::move(request));
  }
}

// False once the request is cancelled.
bool PacedEngine::wait_for_turn(RequestId id) {
  std::unique_lock lock(mutex_);
  if (allowed_ == 0) {
    held_ = true;
    changed_.notify_all();
  }
  changed_.wait(lock, [&] { return stopping_ || allowed_ > 0 || cancelled_.count(id) > 0; });
  if (stopping_ || cancelled_.count(id) > 0) return false;
  --allowed_;
  return true;
}

void PacedEngine::fill_logits(const std::vector<std::int32_t>& tokens) {
  std::uint64_t state = tokens.size();
  for (const std::int32_t token : tokens) {
    state = (state ^ static_cast<std::uint64_t>(token)) * 0x9E3779B97F4A7C15U;
  }
  for (float& logit : logits_) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    logit = static_cast<float>(state >> 40U) / static_cast<float>(1U << 23U);
  }
}

void PacedEngine::answer(RequestId id, EngineRequest request) {
  TokenPolicy& policy = *request.policy;
  std::vector<std::int32_t> tokens = request.prompt;
  const Script script = script_(tokens);
  RequestReport report;
  policy.queued(0, 0);
  const auto total = static_cast<std::int32_t>(tokens.size());
  policy.prompt_progress(total, total);
  std::size_t at = 0;
  while (true) {
    if (!wait_for_turn(id)) {
      report.end = RequestEnd::kCancelled;
      break;
    }
    fill_logits(tokens);
    if (script && at < script->size()) logits_[static_cast<std::size_t>((*script)[at])] = 100;
    const auto token = policy.next(logits_, sampler_);
    if (!token) {
      report.end = RequestEnd::kError;
      report.error = token.error();
      break;
    }
    if (script && at < script->size() && *token == (*script)[at]) ++at;
    tokens.push_back(*token);
    if (policy.accept(*token)) break;
  }
  policy.ended(report);
}

}  // namespace notso
