#include "service/engine/draft_gate.h"

#include <algorithm>

namespace notso {
namespace {

constexpr double kNewShare = 0.2;  // of one guessed token in the record
constexpr double kGainMin = 1.03;  // less is not worth the risk
// What a row is taken to cost while no step of such a size has run: little, to find out.
constexpr double kUnknownRowCost = 0.03;

// The seconds of a step, with hope where nothing is known.
double hopeful_seconds(const StepCost& cost, std::int32_t base, std::int32_t rows) {
  std::int32_t known = rows;
  while (known > base && !cost.is_known(known)) --known;
  return cost.seconds(known) * (1 + kUnknownRowCost * (rows - known));
}

void clear(std::span<DraftWish> wishes) {
  for (DraftWish& wish : wishes) {
    wish.granted = 0;
    wish.next_chance = wish.chance;
  }
}

// Grants the row that brings the most. What it brings in tokens; 0 if nobody wants one.
double grant_one(std::span<DraftWish> wishes) {
  DraftWish* best = nullptr;
  for (DraftWish& wish : wishes) {
    if (wish.granted == wish.count) continue;
    if (best == nullptr || wish.next_chance > best->next_chance) best = &wish;
  }
  if (best == nullptr) return 0;
  const double gain = best->next_chance;
  ++best->granted;
  best->next_chance *= best->chance;
  return gain;
}

}  // namespace

std::size_t DraftRecord::class_of(std::int32_t match) {
  if (match < 4) return 0;
  if (match < 6) return 1;
  return match < 12 ? 2 : 3;
}

double DraftRecord::chance(std::int32_t match) const { return chances_[class_of(match)]; }

void DraftRecord::add(std::int32_t match, std::int32_t count, std::int32_t right) {
  double& chance = chances_[class_of(match)];
  for (std::int32_t i = 0; i < right; ++i) chance += kNewShare * (1 - chance);
  if (right < count) chance -= kNewShare * chance;
  refused_ = 0;
}

void grant_drafts(const StepCost& cost, std::int32_t rows, std::int32_t tokens, std::int32_t most,
                  std::span<DraftWish> wishes) {
  clear(wishes);
  const double base_s = cost.seconds(rows);
  if (base_s <= 0 || tokens < 1) return;
  double expected = tokens;
  double best_rate = kGainMin * tokens / base_s;
  std::int32_t best_extra = 0;
  for (std::int32_t extra = 1; rows + extra <= most; ++extra) {
    const double gain = grant_one(wishes);
    if (gain == 0) break;
    expected += gain;
    const double rate = expected / hopeful_seconds(cost, rows, rows + extra);
    if (rate > best_rate) {
      best_rate = rate;
      best_extra = extra;
    }
  }
  clear(wishes);
  for (std::int32_t i = 0; i < best_extra; ++i) grant_one(wishes);
}

}  // namespace notso
