// Decides how many guessed tokens are worth a place in a step. A guess that is right saves a whole
// step; one that is wrong costs what its row costs. Both are measured: how often guesses of a
// sequence come true, by how much of the text before them agreed, and what steps take by rows.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "service/engine/step_cost.h"

namespace notso {

// How often the guesses of one sequence come true.
class DraftRecord {
 public:
  // The chance that a token of a guess with `match` agreeing tokens before it is right, given that
  // all before it in the guess are.
  [[nodiscard]] double chance(std::int32_t match) const;

  // Takes in that of `count` guessed tokens the first `right` were right.
  void add(std::int32_t match, std::int32_t count, std::int32_t right);

  // Counts a guess that the gate did not let pass.
  void refuse() { ++refused_; }

  // Whether so many were refused that one should be tried, as text and machine change.
  [[nodiscard]] bool wants_probe() const { return refused_ >= kProbeEvery; }

 private:
  static constexpr std::int32_t kProbeEvery = 48;
  static std::size_t class_of(std::int32_t match);

  std::array<double, 4> chances_ = {0.45, 0.6, 0.75, 0.85};  // by length of the match
  std::int32_t refused_ = 0;
};

// A sequence that has a guess: at most `count` tokens, each right with `chance` if those before it
// are. `granted` is the answer.
struct DraftWish {
  std::int32_t count = 0;
  double chance = 0;
  std::int32_t granted = 0;
  double next_chance = 0;  // scratch: that one more row brings a token
};

// Grants the rows that give the most tokens a second in a step that has `rows` rows and gives
// `tokens` tokens without guesses; at most `most` rows in all.
void grant_drafts(const StepCost& cost, std::int32_t rows, std::int32_t tokens, std::int32_t most,
                  std::span<DraftWish> wishes);

}  // namespace notso
