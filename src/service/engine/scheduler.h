// Which rows of which sequences go into the next step: policy alone, without threads, pages or a
// model.
//
//   1. Every answer that somebody waits for gets its next token: those rows come first.
//   2. Prompts fill the step up. While somebody reads an answer, only so far that the step takes at
//      most `slowdown_max` times what it would take without them, and so that no tile of rows is
//      left open; else up to `step_s_max`, which bounds how long a newcomer waits. The session that
//      was served least goes first, and among equals the prompt that is done the soonest.
//   3. Background work takes what is left: alone, short steps; beside answers, as long as these
//      hardly notice (and a row now and then, so that it ends some day); beside an interactive
//      prompt, nothing.
//   4. Guessed tokens go into steps without prompts, where rows are nearly free (draft_gate.h).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "service/engine/draft_gate.h"
#include "service/engine/step_cost.h"

namespace notso {

// Bounds of a step.
struct StepLimits {
  std::int32_t rows_max = 256;
  std::int32_t outputs_max = 64;     // rows with logits
  double slowdown_max = 2.3;         // by prompts, for those who read an answer
  double background_slowdown = 1.2;  // by background work, for the same
  double step_s_max = 1.0;
  double background_step_s_max = 0.3;
};

// A sequence that has its place, as the scheduler sees it.
struct StepCandidate {
  bool background = false;
  bool answering = false;       // its prompt is read: rows bring it a token
  std::int32_t pending = 1;     // tokens that are to be read, at least 1
  std::uint64_t served = 0;     // rows that its session has had
  std::uint64_t last_step = 0;  // in which it had rows
  DraftWish drafts = {};
};

// What a candidate gets: `rows` of its pending tokens, and `drafts` guessed ones behind them.
struct StepShare {
  std::size_t candidate = 0;
  std::int32_t rows = 0;
  std::int32_t drafts = 0;
};

// Plans steps. Its buffers are kept from step to step.
class Scheduler {
 public:
  explicit Scheduler(const StepLimits& limits) : limits_(limits) {}

  // The shares of the next step, in the order of the candidates' turns; each candidate at most
  // once. Empty only when there are no candidates.
  [[nodiscard]] std::span<const StepShare> plan(std::span<const StepCandidate> candidates,
                                                const StepCost& cost);

 private:
  enum class Kind : std::uint8_t { kAnswer, kPrompt };

  void plan_background(std::span<const StepCandidate> candidates, const StepCost& cost);
  void give(std::span<const StepCandidate> candidates, bool background, Kind kind,
            std::int32_t rows);
  void add_drafts(std::span<const StepCandidate> candidates, const StepCost& cost);
  [[nodiscard]] std::int32_t room(const StepCost& cost, double limit_s) const;
  [[nodiscard]] std::int32_t whole_tiles(std::int32_t rows) const;

  StepLimits limits_;
  std::vector<StepShare> shares_;
  std::vector<std::size_t> order_;
  std::vector<DraftWish> wishes_;
  std::int32_t rows_ = 0;  // in shares_
  std::uint64_t steps_ = 0;
};

// A request that waits for a place, as the queue sees it.
struct QueueCandidate {
  bool background = false;
  std::string_view session;
  std::int32_t session_running = 0;  // requests of its session that have a place
  std::uint64_t arrival = 0;
};

// The order in which requests get a place, as indices: interactive ones first; sessions take turns,
// counting what they have running; within a session, first come, first served.
[[nodiscard]] std::vector<std::size_t> queue_order(std::span<const QueueCandidate> waiting);

}  // namespace notso
