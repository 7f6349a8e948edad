// The configurations of a grammar with the masks of tokens that they allow.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "service/grammar/configurations.h"
#include "service/grammar/grammar.h"
#include "service/grammar/limits.h"
#include "service/grammar/token_trie.h"

namespace notso::grammar {

// One generation of a grammar's caches. Hold `mutex` around every call.
class Automaton {
 public:
  Automaton(std::shared_ptr<const Pushdown> machine,
            std::shared_ptr<const GrammarVocabulary> vocabulary, std::size_t max_bytes);

  // Adds the tokens that may follow `config`, without the end tokens, and takes the work from
  // `work_left`. False where that takes more than there is, or than kMaxMaskWork.
  bool add_mask(ConfigId config, std::span<std::uint64_t> mask, std::uint64_t& work_left);
  // The configuration after `bytes`, or kDead.
  ConfigId run(ConfigId config, std::string_view bytes);

  [[nodiscard]] std::size_t memory_bytes() const { return configs.memory_bytes() + mask_bytes_; }
  [[nodiscard]] bool is_full() const { return memory_bytes() > max_bytes_; }

  std::mutex mutex;
  Configurations configs;

 private:
  // What one set of states allows by itself, and the rests of tokens that run over the end of its
  // rule. A few tokens are kept as a list, many as bits.
  struct SetMask {
    std::vector<std::uint64_t> bits;
    std::vector<std::uint32_t> tokens;
    TokenTrie rests;
  };

  bool add_frames(ConfigId config, std::span<std::uint64_t> mask);
  const SetMask* mask_of(SetId set);
  bool walk_vocabulary(SetId set, std::vector<std::uint32_t>& allowed,
                       std::vector<TrieEntry>& rests);
  bool walk_rests(ConfigId config, const TokenTrie& rests, std::span<std::uint64_t> mask);
  // Since the mask was begun.
  [[nodiscard]] std::uint64_t work() const {
    return configs.work() + nodes_walked_ / kNodesPerWork + rests_made_ * kWorkPerRest +
           words_joined_ / kWordsPerWork;
  }
  [[nodiscard]] bool worn_out() const { return work() > work_max_; }

  std::shared_ptr<const GrammarVocabulary> vocabulary_;
  std::unordered_map<SetId, SetMask> masks_;
  std::size_t mask_bytes_ = 0;
  std::size_t max_bytes_;
  std::vector<ConfigId> path_;  // [depth] scratch of the walks

  // Of the mask at hand.
  std::uint64_t work_max_ = 0;
  std::uint64_t nodes_walked_ = 0;
  std::uint64_t rests_made_ = 0;
  std::uint64_t words_joined_ = 0;
};

}  // namespace notso::grammar
