// Draws random answers from a grammar as the product does: a model's logits, the grammar's mask and
// the sampler decide each token. The model is the tiny synthetic one, whose text is noise.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "service/chat/answer_fixture.h"
#include "service/chat/answer_state.h"

namespace notso {

class ModelSampler {
 public:
  // How the answers so far came about.
  struct Counts {
    std::size_t answers = 0;
    std::size_t tokens = 0;
    std::size_t steered = 0;    // were longer than they should be: tokens that close got a bias
    std::size_t completed = 0;  // did not end even so: got the shortest ending
  };

  // The same seed gives the same answers on the same machine.
  explicit ModelSampler(std::uint64_t seed);

  // `count` answers at temperature 1.5, each with a seed of its own. An answer that cannot go on or
  // cannot be ended fails them all.
  Result<std::vector<std::string>> answers(const GrammarSource& source, std::size_t count);

  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  struct Drawn;

  Drawn begin(const std::shared_ptr<Grammar>& grammar);
  Status run_together(std::vector<Drawn>& drawn);
  void run_model(const std::vector<Drawn*>& open);
  Result<bool> advance(Drawn& answer, std::span<const float> logits);
  Result<bool> complete(Drawn& answer);

  TinyModel tiny_;
  AnswerVocabulary vocabulary_;
  Sampler sampler_;
  SamplingParams free_;
  SamplingParams closing_;  // the same with a bias for what closes something
  std::uint64_t next_seed_;
  Counts counts_;
  std::vector<smollm3::SequencePages> pages_;  // [kTogether]
  std::vector<float> logits_;                  // [kTogether * vocab]
  std::vector<std::uint64_t> mask_;            // [a bit for each token]
};

}  // namespace notso
