// The engine without its thread: requests go in, and every call of step() plans a step, runs it and
// hands its tokens out. Everything here belongs to one thread, so there are no locks, and tests can
// look at what is between two steps.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "service/engine/active_request.h"
#include "service/engine/engine.h"
#include "service/engine/kv_cache.h"
#include "service/engine/sampler.h"
#include "service/engine/scheduler.h"
#include "service/engine/step_cost.h"
#include "service/engine/step_model.h"

namespace notso {

// The loop's state. `model` must outlive it.
class EngineLoop {
 public:
  // Sets the cache up. Errors are its own: a budget below one page, no address space.
  static Result<std::unique_ptr<EngineLoop>> make(StepModel& model, EngineOptions options);
  EngineLoop(const EngineLoop&) = delete;
  EngineLoop& operator=(const EngineLoop&) = delete;
  ~EngineLoop();

  // Whether the request can run at all: tokens, context, pages. Safe from any thread, as are the
  // next two.
  [[nodiscard]] Status check(const EngineRequest& request) const;
  [[nodiscard]] const EngineOptions& options() const { return options_; }
  // The clock's time.
  [[nodiscard]] double now_s() const { return options_.clock(); }

  // `counted` is called whenever a request has ended and is counted, before its policy hears of it.
  void set_counted(std::function<void()> counted) { counted_ = std::move(counted); }

  // Takes a request that check() allows. It waits until step() has a place for it.
  void add(RequestId id, EngineRequest request, double submitted_s);

  // Ends a request; its pages are free when this returns.
  void cancel(RequestId id);

  // Schedules, runs and publishes one step. False if there is nothing to do.
  bool step();

  // Takes care of what the cache does behind the scenes; call it about once a second when idle.
  void maintain();

  // Ends all requests as cancelled, and gives the cache some seconds to write what is to be kept.
  void end_all();

  // Forgets all prefixes that nobody uses.
  void drop_caches() { cache_->drop_all(); }

  [[nodiscard]] std::int32_t waiting() const { return static_cast<std::int32_t>(waiting_.size()); }
  [[nodiscard]] std::int32_t running() const { return static_cast<std::int32_t>(running_.size()); }
  // Seconds until a place is free for a request with so many before it: a guess.
  [[nodiscard]] double expected_wait_s(std::int32_t position) const;
  // The counts, the cache's included.
  [[nodiscard]] EngineStats stats() const;

 private:
  using Request = std::unique_ptr<ActiveRequest>;
  using Requests = std::vector<Request>;

  EngineLoop(StepModel& model, EngineOptions options, std::unique_ptr<KvCache> cache);

  // Why a request is over.
  struct Ending {
    RequestEnd end;
    Error error;
  };

  static Error out_of_memory();

  // engine_admission.cpp: who has a place.
  void admit();
  [[nodiscard]] bool has_room_for(const ActiveRequest& request) const;
  bool make_room_for(const ActiveRequest& request);
  void start(Request request);
  void find_leader(ActiveRequest& request) const;
  [[nodiscard]] bool follows(ActiveRequest& request) const;
  void give_back_pages(std::size_t running_index);
  [[nodiscard]] std::size_t first_to_give_way() const;
  void order_queue();
  void tell_positions();

  // engine_end.cpp: how requests end.
  void finish(Request request, Ending ending);
  void keep_pages(ActiveRequest& request);
  void end_running(const ActiveRequest& request, Ending ending);
  void end_overdue();
  [[nodiscard]] std::optional<Ending> overdue(const ActiveRequest& request) const;
  void count_end(const ActiveRequest& request, RequestEnd end);
  void survive_failed_allocation();

  // engine_loop.cpp: the step.
  void enqueue(RequestId id, EngineRequest& request, double submitted_s);
  void adopt_prefixes();
  bool schedule();
  void collect_candidates();
  [[nodiscard]] DraftWish propose_draft(ActiveRequest& request) const;
  bool provide_pages();
  Status grow(ActiveRequest& request, StepShare& share);
  bool run();
  void fill_input();
  [[nodiscard]] std::int32_t outputs_of(const StepShare& share) const;
  void publish();
  void hold_clocks(double step_s);

  // engine_tokens.cpp: what becomes of a step's rows.
  std::optional<Ending> take_rows(ActiveRequest& request, const StepShare& share,
                                  std::span<const float> logits);
  std::optional<Ending> take_tokens(ActiveRequest& request, std::int32_t drafts,
                                    std::span<const float> logits);
  std::optional<Ending> take_token(ActiveRequest& request, std::span<const float> logits);
  std::optional<Ending> take_forced(ActiveRequest& request);
  void take_time(ActiveRequest& request);
  std::optional<Ending> finish_reading(ActiveRequest& request);
  std::optional<Ending> tell_progress(ActiveRequest& request);
  void share_prefix(ActiveRequest& request, std::int32_t tokens);

  StepModel& model_;
  EngineOptions options_;
  std::unique_ptr<KvCache> cache_;
  Sampler sampler_;
  Scheduler scheduler_;
  StepCost cost_;

  std::map<std::string, SessionShare> sessions_;
  Requests waiting_;  // in the order of their turns, once order_queue() has run
  Requests running_;  // in the order in which they got their places
  bool queue_changed_ = false;

  // The step at hand.
  double now_s_ = 0;
  std::uint64_t step_ = 0;
  std::vector<StepCandidate> candidates_;
  std::vector<ActiveRequest*> candidate_requests_;  // [candidates_]
  std::vector<StepShare> shares_;
  std::vector<std::int32_t> tokens_;       // [rows]
  std::vector<SequenceRows> sequences_;    // [shares]
  std::vector<std::int32_t> output_rows_;  // [outputs]
  std::vector<float> logits_;              // [outputs][vocab]

  std::size_t pages_max_ = 0;
  int failed_allocations_ = 0;  // one after the other
  EngineStats stats_;
  std::function<void()> counted_;
  double request_s_ = 0;  // that a request runs, smoothed; 0: none has ended yet
};

}  // namespace notso
