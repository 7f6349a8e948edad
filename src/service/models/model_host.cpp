#include "service/models/model_host.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace notso {
namespace {

// How often the host looks at who is idle, and at models that wait for their last holder.
constexpr std::chrono::milliseconds kLook{100};
constexpr std::chrono::milliseconds kDrainLook{10};
// How long those that were told of a model's end may still hold it.
constexpr std::chrono::seconds kLastHold{10};

std::chrono::steady_clock::duration seconds(double count) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(count));
}

Error is_stopping() { return {ErrorCode::kUnavailable, "the server is stopping"}; }

}  // namespace

ModelHost::ModelHost(ModelHostOptions options) : options_(std::move(options)) {
  thread_ = std::thread([this] { run(); });
}

ModelHost::~ModelHost() { stop(); }

void ModelHost::stop() {
  std::deque<Wish> dropped;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(wishes_);
  }
  changed_.notify_all();
  for (const Wish& wish : dropped) {
    for (const Then& then : wish.thens) then(tl::unexpected(is_stopping()));
  }
  if (thread_.joinable()) thread_.join();
}

// Who wants the same waits for the same loading.
void ModelHost::add_wish(const std::string& path, Then then) {
  const auto found = std::find_if(wishes_.begin(), wishes_.end(),
                                  [&](const Wish& wish) { return wish.path == path; });
  Wish& wish = found == wishes_.end() ? wishes_.emplace_back(Wish{path, {}}) : *found;
  if (then) wish.thens.push_back(std::move(then));
  changed_.notify_all();
}

void ModelHost::choose(const std::string& path, Then then) {
  std::unique_lock lock(mutex_);
  if (stopping_) {
    lock.unlock();
    if (then) then(tl::unexpected(is_stopping()));
    return;
  }
  becoming_ = path;
  trouble_.clear();
  add_wish(path, std::move(then));
}

Error ModelHost::not_ready() const {
  if (stopping_) return is_stopping();
  const std::optional<std::string>& wanted = becoming_ ? becoming_ : chosen_;
  if (wanted) {
    const int percent = loading_ == wanted ? percent_ : 0;
    return {ErrorCode::kUnavailable, "the model is being loaded: " + std::to_string(percent) + "%"};
  }
  if (!trouble_.empty()) return {ErrorCode::kUnavailable, trouble_};
  return {ErrorCode::kUnavailable,
          "there is no model yet; download one in the page, or with 'notso pull'"};
}

Result<ModelHost::Model> ModelHost::chosen() {
  const std::lock_guard lock(mutex_);
  if (chosen_ && !is_draining_ && !stopping_) {
    if (const auto found = running_.find(*chosen_); found != running_.end()) {
      found->second.used = Clock::now();
      return found->second.model;
    }
    if (!becoming_ && loading_ != chosen_) add_wish(*chosen_, {});
  }
  return tl::unexpected(not_ready());
}

ModelHost::Model ModelHost::peek() const {
  const std::lock_guard lock(mutex_);
  const auto found = chosen_ ? running_.find(*chosen_) : running_.end();
  return found == running_.end() ? nullptr : found->second.model;
}

void ModelHost::use(const std::string& path, Then then) {
  std::unique_lock lock(mutex_);
  const auto found = running_.find(path);
  if (found != running_.end() && !is_draining_ && !stopping_) {
    found->second.used = Clock::now();
    const Model model = found->second.model;
    lock.unlock();
    then(model);
    return;
  }
  if (stopping_) {
    lock.unlock();
    then(tl::unexpected(is_stopping()));
    return;
  }
  add_wish(path, std::move(then));
}

HostView ModelHost::view() const {
  const std::lock_guard lock(mutex_);
  HostView view;
  view.chosen = chosen_;
  view.becoming = becoming_;
  view.trouble = trouble_;
  view.draining = is_draining_;
  for (const auto& [path, running] : running_) {
    view.models.push_back({path, path == chosen_, true, false, 100, running.model->memory_bytes(),
                           running.model->busy()});
  }
  if (loading_)
    view.models.push_back({*loading_, loading_ == chosen_, false, true, percent_, 0, 0});
  std::stable_sort(view.models.begin(), view.models.end(),
                   [](const auto& a, const auto& b) { return a.chosen && !b.chosen; });
  return view;
}

void ModelHost::say(std::unique_lock<std::mutex>& lock, const std::string& line, bool bad) {
  if (!options_.log) return;
  lock.unlock();
  options_.log(line, bad);
  lock.lock();
}

void ModelHost::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    changed_.wait_for(lock, kLook, [&] { return stopping_ || !wishes_.empty(); });
    retire_idle();
    let_go(lock);
    if (stopping_ || wishes_.empty()) continue;
    Wish wish = std::move(wishes_.front());
    wishes_.pop_front();
    serve(lock, std::move(wish));
  }
  while (!running_.empty()) retire(running_.begin()->first);
  // Whoever still holds a model is about to let go of it, since the server has ended all requests.
  const Clock::time_point end = Clock::now() + kLastHold;
  while (!retired_.empty() && Clock::now() < end) {
    let_go(lock);
    if (!retired_.empty()) changed_.wait_for(lock, kDrainLook);
  }
}

void ModelHost::serve(std::unique_lock<std::mutex>& lock, Wish wish) {
  if (const auto found = running_.find(wish.path); found != running_.end()) {
    return serve_running(lock, wish, found->second.model);
  }
  loading_ = wish.path;
  percent_ = 0;
  const Status room = make_room(lock, wish);
  is_draining_ = false;
  if (!room) return failed(lock, wish, room.error());
  load(lock, wish);
}

void ModelHost::load(std::unique_lock<std::mutex>& lock, Wish& wish) {
  lock.unlock();
  const auto progress = [this](std::uint64_t done, std::uint64_t total) {
    const std::lock_guard guard(mutex_);
    percent_ = static_cast<int>(done * 100 / std::max<std::uint64_t>(total, 1));
  };
  Result<Model> model = options_.load(wish.path, progress);
  lock.lock();
  if (!model) return failed(lock, wish, model.error());
  running_[wish.path] = {*model, Clock::now()};
  loading_.reset();
  say(lock, "the model " + options_.name(wish.path) + " runs");
  serve_running(lock, wish, *model);
}

// The model that was chosen before stays for as long as others do.
void ModelHost::serve_running(std::unique_lock<std::mutex>& lock, Wish& wish, const Model& model) {
  if (becoming_ == wish.path) {
    chosen_ = std::exchange(becoming_, std::nullopt);
    if (options_.chose) {
      lock.unlock();
      options_.chose();
      lock.lock();
    }
  }
  answer(lock, wish, model);
}

void ModelHost::failed(std::unique_lock<std::mutex>& lock, Wish& wish, const Error& error) {
  loading_.reset();
  const std::string line =
      stopping_ ? error.message
                : "the model " + options_.name(wish.path) + " cannot be loaded: " + error.message;
  const bool was_chosen = wish.path == chosen_;
  if (becoming_ == wish.path || was_chosen) {
    trouble_ = line;
    if (becoming_ == wish.path) becoming_.reset();
    // One that answered and cannot come back is no choice any more.
    if (was_chosen) chosen_.reset();
  }
  if (chosen_ && running_.count(*chosen_) == 0) {
    add_wish(*chosen_, {});  // it had made room
  } else if (!chosen_ && !becoming_ && options_.fallback && *options_.fallback != wish.path) {
    becoming_ = options_.fallback;
    add_wish(*becoming_, {});
  }
  if (!stopping_) say(lock, line, true);
  answer(lock, wish, tl::unexpected<Error>(Error{error.code, line}));
}

void ModelHost::answer(std::unique_lock<std::mutex>& lock, Wish& wish,
                       const Result<Model>& result) {
  lock.unlock();
  for (const Then& then : wish.thens) then(result);
  wish.thens.clear();
  lock.lock();
}

bool ModelHost::fits(const std::string& path) const {
  const std::uint64_t needed = options_.needed_bytes(path);
  if (options_.memory_bytes_max > 0) {
    std::uint64_t taken = 0;
    for (const auto& [name, running] : running_) taken += running.model->memory_bytes();
    for (const auto& [name, model] : retired_) taken += model->memory_bytes();
    if (taken + needed > options_.memory_bytes_max) return false;
  }
  return needed <= options_.available_bytes();
}

// The chosen one only where there is no other.
std::optional<std::string> ModelHost::longest_idle() const {
  const auto rank = [&](const auto& entry) {
    return std::pair(entry.first == chosen_, entry.second.used);
  };
  auto best = running_.end();
  for (auto entry = running_.begin(); entry != running_.end(); ++entry) {
    if (entry->second.model->busy() > 0) continue;
    if (best == running_.end() || rank(*entry) < rank(*best)) best = entry;
  }
  return best == running_.end() ? std::nullopt : std::optional(best->first);
}

void ModelHost::end_and_retire_all(const std::string& why) {
  while (!running_.empty()) {
    running_.begin()->second.model->end_all(why);
    retire(running_.begin()->first);
  }
}

// Answers are broken off for a choice only, never because somebody named another model.
Status ModelHost::make_room(std::unique_lock<std::mutex>& lock, const Wish& wish) {
  const Clock::time_point end = Clock::now() + seconds(options_.drain_s_max);
  const Clock::time_point last = end + kLastHold;
  while (!stopping_ && !fits(wish.path)) {
    // Where nothing of ours is in the way: what the system says of its memory is no promise.
    const bool is_empty = running_.empty() && retired_.empty();
    if (is_empty && options_.memory_bytes_max == 0) return {};
    const bool is_choice = becoming_ == wish.path;
    const Clock::time_point now = Clock::now();
    if (is_empty || now >= last || (now >= end && !is_choice)) {
      return fail(is_empty ? ErrorCode::kResourceExhausted : ErrorCode::kUnavailable,
                  "there is not enough memory for it" +
                      std::string(is_empty ? "; raise model.memory_max"
                                           : " beside the models that answer now; try again when "
                                             "they are done, or choose it in the page"));
    }
    is_draining_ = is_choice;
    if (const auto idle = longest_idle()) {
      retire(*idle);
    } else if (now >= end) {
      end_and_retire_all("the server changed to the model " + options_.name(wish.path) +
                         " while this was being answered; ask again");
    }
    let_go(lock);
    if (!fits(wish.path)) changed_.wait_for(lock, kDrainLook);
  }
  if (stopping_) return tl::unexpected(is_stopping());
  return {};
}

// New requests do not find it any more; those that hold it go on.
void ModelHost::retire(const std::string& path) {
  const auto found = running_.find(path);
  if (found == running_.end()) return;
  retired_.emplace_back(path, std::move(found->second.model));
  running_.erase(found);
}

// Destroys what nobody else holds. The count cannot rise again: nobody is given a retired model.
void ModelHost::let_go(std::unique_lock<std::mutex>& lock) {
  std::vector<std::pair<std::string, Model>> gone;
  for (auto& entry : retired_) {
    if (entry.second.use_count() == 1) gone.push_back(std::move(entry));
  }
  std::erase_if(retired_, [](const auto& entry) { return entry.second == nullptr; });
  if (gone.empty()) return;
  lock.unlock();
  for (auto& [path, model] : gone) {
    model.reset();
    if (options_.log) options_.log("the model " + options_.name(path) + " is unloaded", false);
  }
  lock.lock();
}

void ModelHost::retire_idle() {
  if (options_.idle_s_max <= 0) return;
  const Clock::time_point limit = Clock::now() - seconds(options_.idle_s_max);
  std::vector<std::string> idle;
  for (auto& [path, running] : running_) {
    if (running.model->busy() > 0) running.used = Clock::now();
    if (path != chosen_ && running.used < limit) idle.push_back(path);
  }
  for (const std::string& path : idle) retire(path);
}

}  // namespace notso
