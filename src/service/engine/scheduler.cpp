#include "service/engine/scheduler.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace notso {
namespace {

// More pending tokens than this (a run of forced ones) are read like a piece of a prompt.
constexpr std::int32_t kAnswerRowsMax = 8;
// A piece of a prompt while nothing is known about the machine.
constexpr std::int32_t kFirstRows = 32;
// Backends compute rows in tiles of so many, and a tile that is not full costs about as much as one
// that is. (Five rows took twice the time of one where four took 1.4 times.)
constexpr std::int32_t kTileRows = 4;
// Background work gets at least a row in one of so many steps.
constexpr std::uint64_t kBackgroundEvery = 16;

bool is_answer(const StepCandidate& candidate) {
  return candidate.answering && candidate.pending <= kAnswerRowsMax;
}

}  // namespace

std::span<const StepShare> Scheduler::plan(std::span<const StepCandidate> candidates,
                                           const StepCost& cost) {
  shares_.clear();
  rows_ = 0;
  ++steps_;
  give(candidates, false, Kind::kAnswer, limits_.rows_max);
  const std::int32_t answer_rows = rows_;
  if (rows_ == 0) {
    give(candidates, false, Kind::kPrompt, std::max(room(cost, limits_.step_s_max), kTileRows));
  } else {
    const std::int32_t rows = room(cost, limits_.slowdown_max * cost.seconds(rows_));
    give(candidates, false, Kind::kPrompt, whole_tiles(rows));
  }
  if (rows_ == answer_rows) plan_background(candidates, cost);
  return shares_;
}

// Fills up a step that has no interactive prompts.
void Scheduler::plan_background(std::span<const StepCandidate> candidates, const StepCost& cost) {
  const bool is_alone = rows_ == 0;
  double limit_s = limits_.background_step_s_max;
  std::int32_t rows = limits_.rows_max;
  const auto least = is_alone || steps_ % kBackgroundEvery == 0 ? 1 : 0;
  if (!is_alone) {
    limit_s = limits_.background_slowdown * cost.seconds(rows_);
    rows = std::max(room(cost, limit_s), least);
  }
  const std::int32_t before = rows_;
  give(candidates, true, Kind::kAnswer, rows);
  const std::int32_t answers = rows_;
  give(candidates, true, Kind::kPrompt, std::max(room(cost, limit_s), before == rows_ ? least : 0));
  if (rows_ == answers) add_drafts(candidates, cost);
}

// How many rows more the step may have.
std::int32_t Scheduler::room(const StepCost& cost, double limit_s) const {
  const bool is_known = cost.seconds(1) > 0;
  const std::int32_t most = is_known ? limits_.rows_max : std::min(kFirstRows, limits_.rows_max);
  return cost.rows_within(limit_s, most) - rows_;
}

// At most `rows` rows, so that the step ends with a full tile; but at least half a tile, whatever
// that seems to cost: a prompt must come to an end, and costs are learned by running.
std::int32_t Scheduler::whole_tiles(std::int32_t rows) const {
  const std::int32_t open = kTileRows - rows_ % kTileRows;
  const std::int32_t least = open < kTileRows / 2 ? open + kTileRows : open;
  return std::max(least, rows - (rows_ + rows) % kTileRows);
}

// Gives up to `rows` rows to the candidates of one kind, in the order of their turns. An answer
// gets all that it needs for its next token, or nothing.
void Scheduler::give(std::span<const StepCandidate> candidates, bool background, Kind kind,
                     std::int32_t rows) {
  order_.clear();
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const bool is_kind = is_answer(candidates[i]) == (kind == Kind::kAnswer);
    if (candidates[i].background == background && is_kind) order_.push_back(i);
  }
  std::sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
    const auto key = [&](std::size_t i) {
      const StepCandidate& c = candidates[i];
      return kind == Kind::kAnswer ? std::tuple(c.last_step, std::int32_t{0}, i)
                                   : std::tuple(c.served, c.pending, i);
    };
    return key(a) < key(b);
  });
  std::int32_t left = std::min(rows, limits_.rows_max - rows_);
  for (const std::size_t i : order_) {
    if (static_cast<std::int32_t>(shares_.size()) == limits_.outputs_max) return;
    const std::int32_t pending = candidates[i].pending;
    if (left < 1 || (kind == Kind::kAnswer && pending > left)) continue;
    const std::int32_t share = std::min(pending, left);
    shares_.push_back({i, share, 0});
    rows_ += share;
    left -= share;
  }
}

// Adds guessed tokens to a step of answers alone.
void Scheduler::add_drafts(std::span<const StepCandidate> candidates, const StepCost& cost) {
  wishes_.clear();
  for (const StepShare& share : shares_) wishes_.push_back(candidates[share.candidate].drafts);
  const auto outputs = static_cast<std::int32_t>(shares_.size());
  const std::int32_t extra = std::min(limits_.rows_max - rows_, limits_.outputs_max - outputs);
  grant_drafts(cost, rows_, outputs, rows_ + extra, wishes_);
  for (std::size_t i = 0; i < shares_.size(); ++i) {
    shares_[i].drafts = wishes_[i].granted;
    rows_ += wishes_[i].granted;
  }
}

std::vector<std::size_t> queue_order(std::span<const QueueCandidate> waiting) {
  std::vector<std::size_t> order(waiting.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return waiting[a].arrival < waiting[b].arrival; });
  // A request's turn: how many of its session have a place, or wait in front of it.
  std::map<std::string_view, std::int32_t> turns;
  std::vector<std::int32_t> turn(waiting.size());
  for (const std::size_t i : order) {
    const auto [at, is_new] = turns.try_emplace(waiting[i].session, waiting[i].session_running);
    turn[i] = waiting[i].session.empty() ? 0 : at->second++;
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::tuple(waiting[a].background, turn[a]) < std::tuple(waiting[b].background, turn[b]);
  });
  return order;
}

}  // namespace notso
