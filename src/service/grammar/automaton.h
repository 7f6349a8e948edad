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

  // Adds the tokens that may follow `config`, without the end tokens. False where that takes more
  // work than kMaxWork.
  bool add_mask(ConfigId config, std::span<std::uint64_t> mask);
  // The configuration after `bytes`, or kDead.
  ConfigId run(ConfigId config, std::string_view bytes);

  [[nodiscard]] bool is_full() const { return configs.memory_bytes() + mask_bytes_ > max_bytes_; }

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

  const SetMask* mask_of(SetId set);
  bool walk_vocabulary(SetId set, std::vector<std::uint32_t>& allowed,
                       std::vector<TrieEntry>& rests);
  bool walk_rests(ConfigId config, const TokenTrie& rests, std::span<std::uint64_t> mask);
  [[nodiscard]] bool worn_out() const { return configs.work() > kMaxWork; }

  std::shared_ptr<const GrammarVocabulary> vocabulary_;
  std::unordered_map<SetId, SetMask> masks_;
  std::size_t mask_bytes_ = 0;
  std::size_t max_bytes_;
  std::vector<ConfigId> path_;  // [depth] scratch of the walks
};

}  // namespace notso::grammar
