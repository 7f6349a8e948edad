#include "service/grammar/automaton.h"

#include <algorithm>
#include <utility>

namespace notso::grammar {
namespace {

void set_bit(std::span<std::uint64_t> mask, std::uint32_t token) {
  mask[token / 64] |= std::uint64_t{1} << (token % 64);
}

}  // namespace

Automaton::Automaton(std::shared_ptr<const Pushdown> machine,
                     std::shared_ptr<const GrammarVocabulary> vocabulary, std::size_t max_bytes)
    : configs(std::move(machine)), vocabulary_(std::move(vocabulary)), max_bytes_(max_bytes) {}

ConfigId Automaton::run(ConfigId config, std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size() && config != Configurations::kDead; ++i) {
    config = configs.step(config, static_cast<std::uint8_t>(bytes[i]));
  }
  return config;
}

// Walks all tokens from the set alone. A token is allowed when all its bytes can be read; where the
// rule could end within the token, what is behind that place is a rest.
bool Automaton::walk_vocabulary(SetId set, std::vector<std::uint32_t>& allowed,
                                std::vector<TrieEntry>& rests) {
  const TokenTrie& trie = vocabulary_->trie();
  path_.resize(trie.max_depth() + 1);
  path_[0] = configs.alone(set);
  std::vector<std::uint32_t> ends;  // depths on the path at which the rule could end
  for (std::uint32_t i = 0; i < trie.size();) {
    const TokenTrie::Node& node = trie.node(i);
    ++nodes_walked_;
    const ConfigId config = configs.step(path_[node.depth - 1], node.byte);
    path_[node.depth] = config;
    while (!ends.empty() && ends.back() >= node.depth) ends.pop_back();
    if (config == Configurations::kDead && ends.empty()) {
      i = node.end;
      continue;
    }
    for (const std::uint32_t token : trie.tokens_at(i)) {
      if (config != Configurations::kDead) {
        allowed.push_back(token);
        continue;
      }
      const std::string_view bytes = vocabulary_->bytes(static_cast<std::int32_t>(token));
      for (const std::uint32_t end : ends) rests.push_back({bytes.substr(end), token});
      rests_made_ += ends.size();
    }
    if (configs.accepts(config)) ends.push_back(node.depth);
    if (worn_out()) return false;
    ++i;
  }
  return true;
}

const Automaton::SetMask* Automaton::mask_of(SetId set) {
  const auto found = masks_.find(set);
  if (found != masks_.end()) return &found->second;
  SetMask mask;
  std::vector<TrieEntry> rests;
  if (!walk_vocabulary(set, mask.tokens, rests)) return nullptr;
  if (mask.tokens.size() * 32 > vocabulary_->size()) {
    mask.bits.assign(vocabulary_->mask_words(), 0);
    for (const std::uint32_t token : mask.tokens) set_bit(mask.bits, token);
    mask.tokens.clear();
  }
  mask.tokens.shrink_to_fit();
  mask.rests = TokenTrie(std::move(rests));
  mask_bytes_ += mask.bits.size() * 8 + mask.tokens.size() * 4 + mask.rests.memory_bytes() + 128;
  return &masks_.emplace(set, std::move(mask)).first->second;
}

bool Automaton::walk_rests(ConfigId config, const TokenTrie& rests, std::span<std::uint64_t> mask) {
  path_.resize(std::max<std::size_t>(path_.size(), rests.max_depth() + 1));
  path_[0] = config;
  for (std::uint32_t i = 0; i < rests.size();) {
    const TokenTrie::Node& node = rests.node(i);
    ++nodes_walked_;
    const ConfigId next = configs.step(path_[node.depth - 1], node.byte);
    path_[node.depth] = next;
    if (next == Configurations::kDead) {
      i = node.end;
      continue;
    }
    for (const std::uint32_t token : rests.tokens_at(i)) set_bit(mask, token);
    if (worn_out()) return false;
    ++i;
  }
  return true;
}

bool Automaton::add_mask(ConfigId config, std::span<std::uint64_t> mask, std::uint64_t& work_left) {
  configs.reset_work();
  nodes_walked_ = rests_made_ = words_joined_ = 0;
  work_max_ = std::min(work_left, kMaxMaskWork);
  const bool done = add_frames(config, mask) && !worn_out();
  work_left -= std::min(work_left, work());
  return done;
}

bool Automaton::add_frames(ConfigId config, std::span<std::uint64_t> mask) {
  const auto frames = configs.frames(config);
  // Walking may store new configurations and so move the words of this one.
  const std::vector<std::uint64_t> words(frames.begin(), frames.end());
  for (const std::uint64_t word : words) {
    const Configurations::Frame frame = Configurations::frame_of(word);
    const SetMask* own = mask_of(frame.set);
    if (own == nullptr) return false;
    for (std::size_t i = 0; i < own->bits.size(); ++i) mask[i] |= own->bits[i];
    for (const std::uint32_t token : own->tokens) set_bit(mask, token);
    words_joined_ += own->bits.size() + own->tokens.size();
    if (worn_out()) return false;
    if (frame.node == Configurations::kRoot || own->rests.empty()) continue;
    if (!walk_rests(configs.after(frame.node), own->rests, mask)) return false;
  }
  return true;
}

}  // namespace notso::grammar
