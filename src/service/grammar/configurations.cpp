#include "service/grammar/configurations.h"

#include <algorithm>
#include <utility>

#include "service/grammar/limits.h"

namespace notso::grammar {
namespace {

// The state that stands for the end of the grammar, and the word that marks an accepting
// configuration; it sorts behind every frame.
constexpr StateId kEnd = 0xFFFFFFFF;
constexpr std::uint64_t kAcceptWord = ~std::uint64_t{0};

std::uint64_t pack(std::uint32_t high, std::uint32_t low) {
  return (std::uint64_t{high} << 32) | low;
}

std::uint64_t hash_of(std::span<const std::uint64_t> words) {
  std::uint64_t hash = 0x9E3779B97F4A7C15u + words.size();
  for (const std::uint64_t word : words) {
    hash = (hash ^ word) * 0xFF51AFD7ED558CCDu;
    hash ^= hash >> 32;
  }
  return hash;
}

template <class T>
void sort_unique(std::vector<T>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

}  // namespace

WordsPool::WordsPool() : slots_(256, 0) {}

std::uint32_t WordsPool::intern(std::span<const std::uint64_t> words) {
  const std::uint64_t hash = hash_of(words);
  std::size_t slot = hash & (slots_.size() - 1);
  for (; slots_[slot] != 0; slot = (slot + 1) & (slots_.size() - 1)) {
    const std::uint32_t id = slots_[slot] - 1;
    if (hashes_[id] == hash && std::ranges::equal(at(id), words)) return id;
  }
  slots_[slot] = size() + 1;
  words_.insert(words_.end(), words.begin(), words.end());
  first_.push_back(words_.size());
  hashes_.push_back(hash);
  if (size() * 2 > slots_.size()) grow();
  return size() - 1;
}

void WordsPool::grow() {
  slots_.assign(slots_.size() * 2, 0);
  for (std::uint32_t id = 0; id < size(); ++id) {
    std::size_t slot = hashes_[id] & (slots_.size() - 1);
    while (slots_[slot] != 0) slot = (slot + 1) & (slots_.size() - 1);
    slots_[slot] = id + 1;
  }
}

std::size_t WordsPool::memory_bytes() const {
  return words_.size() * 8 + first_.size() * 16 + slots_.size() * 4;
}

Configurations::Configurations(std::shared_ptr<const Pushdown> machine)
    : machine_(std::move(machine)) {
  configs_.intern({});
  const std::uint64_t end = pack(kEnd, 0);
  nodes_.intern({&end, 1});
  pending_.push_back({machine_->rule_start[machine_->root], kRoot});
  start_ = close();
}

// Follows skips from one item to the states that read bytes, and notes calls. Where a rule ends,
// what is below goes on; a rule that was only just entered needs no such return, because passing it
// without a byte is a skip edge of its caller.
void Configurations::visit(Item first, bool may_return) {
  std::vector<Item> work{first};
  while (!work.empty()) {
    const Item item = work.back();
    work.pop_back();
    if (item.state == kEnd) {
      accepts_ = true;
      continue;
    }
    if (!visited_.insert(pack(item.node, item.state)).second) continue;
    if (visited_.size() > kMaxItems) return;
    for (const StateId next : machine_->skips.of(item.state)) work.push_back({next, item.node});
    if (!machine_->bytes.of(item.state).empty()) scanned_.push_back(pack(item.node, item.state));
    for (const CallEdge& call : machine_->calls.of(item.state)) {
      calls_.push_back({machine_->rule_rank[call.rule], call.rule, {call.target, item.node}});
      std::push_heap(calls_.begin(), calls_.end(),
                     [](const Call& a, const Call& b) { return a.rank > b.rank; });
    }
    if (machine_->is_final[item.state] && may_return) {
      for (const std::uint64_t edge : nodes_.at(item.node)) {
        work.push_back({static_cast<StateId>(edge >> 32), static_cast<NodeId>(edge)});
      }
    }
  }
}

// Enters the called rules, lowest rank first: by then every caller of a rule is in the heap.
void Configurations::enter_calls() {
  const auto later = [](const Call& a, const Call& b) { return a.rank > b.rank; };
  std::vector<std::uint64_t> edges;
  while (!calls_.empty() && visited_.size() <= kMaxItems) {
    const RuleId rule = calls_.front().rule;
    edges.clear();
    while (!calls_.empty() && calls_.front().rule == rule) {
      const Item back = calls_.front().back;
      const bool is_last =
          machine_->is_final[back.state] && machine_->bytes.of(back.state).empty() &&
          machine_->calls.of(back.state).empty() && machine_->skips.of(back.state).empty();
      if (is_last) {
        const auto below = nodes_.at(back.node);
        edges.insert(edges.end(), below.begin(), below.end());
      } else {
        edges.push_back(pack(back.state, back.node));
      }
      std::pop_heap(calls_.begin(), calls_.end(), later);
      calls_.pop_back();
    }
    sort_unique(edges);
    work_ += edges.size();
    visit({machine_->rule_start[rule], nodes_.intern(edges)}, false);
  }
}

ConfigId Configurations::close() {
  if (visited_.bucket_count() > 8192) visited_ = {};
  visited_.clear();
  scanned_.clear();
  calls_.clear();
  accepts_ = false;
  for (const Item& item : pending_) visit(item, true);
  pending_.clear();
  enter_calls();
  work_ += visited_.size() + 1;
  if (visited_.size() > kMaxItems) return kDead;
  return intern_scanned();
}

ConfigId Configurations::intern_scanned() {
  sort_unique(scanned_);
  std::vector<std::uint64_t> frames;
  std::vector<std::uint64_t> states;
  for (std::size_t i = 0; i < scanned_.size(); ++i) {
    states.push_back(static_cast<StateId>(scanned_[i]));
    const auto node = static_cast<NodeId>(scanned_[i] >> 32);
    if (i + 1 == scanned_.size() || static_cast<NodeId>(scanned_[i + 1] >> 32) != node) {
      frames.push_back(pack(node, sets_.intern(states)));
      states.clear();
    }
  }
  if (accepts_) frames.push_back(kAcceptWord);
  return configs_.intern(frames);
}

bool Configurations::accepts(ConfigId config) const {
  const auto words = configs_.at(config);
  return !words.empty() && words.back() == kAcceptWord;
}

std::span<const std::uint64_t> Configurations::frames(ConfigId config) const {
  const auto words = configs_.at(config);
  return words.first(words.size() - (accepts(config) ? 1 : 0));
}

ConfigId Configurations::step(ConfigId config, std::uint8_t byte) {
  if (config == kDead) return kDead;
  if (row_of_.size() <= config) row_of_.resize(configs_.size(), 0);
  if (row_of_[config] == 0) {
    transitions_.resize(transitions_.size() + machine_->class_count, 0);
    row_of_[config] = static_cast<std::uint32_t>(transitions_.size() / machine_->class_count);
    work_ += machine_->class_count / 2;
  }
  const std::size_t cell =
      std::size_t{row_of_[config] - 1} * machine_->class_count + machine_->byte_class[byte];
  if (transitions_[cell] != 0) return transitions_[cell] - 1;
  for (const std::uint64_t word : frames(config)) {
    const Frame frame = frame_of(word);
    for (const std::uint64_t state : sets_.at(frame.set)) {
      for (const ByteEdge& edge : machine_->bytes.of(static_cast<StateId>(state))) {
        if (edge.lo <= byte && byte <= edge.hi) pending_.push_back({edge.target, frame.node});
      }
      ++work_;
    }
  }
  const ConfigId next = pending_.empty() ? kDead : close();
  transitions_[cell] = next + 1;
  return next;
}

ConfigId Configurations::alone(SetId set) {
  const std::uint64_t frame = pack(kRoot, set);
  return configs_.intern({&frame, 1});
}

ConfigId Configurations::after(NodeId node) {
  if (after_.size() <= node) after_.resize(nodes_.size(), 0);
  if (after_[node] == 0) {
    for (const std::uint64_t edge : nodes_.at(node)) {
      pending_.push_back({static_cast<StateId>(edge >> 32), static_cast<NodeId>(edge)});
    }
    const ConfigId config = close();
    after_[node] = config + 1;
  }
  return after_[node] - 1;
}

int Configurations::only_byte(ConfigId config) const {
  if (accepts(config)) return -1;
  int only = -1;
  for (const std::uint64_t word : frames(config)) {
    for (const std::uint64_t state : sets_.at(frame_of(word).set)) {
      for (const ByteEdge& edge : machine_->bytes.of(static_cast<StateId>(state))) {
        if (edge.lo != edge.hi || (only >= 0 && only != edge.lo)) return -1;
        only = edge.lo;
      }
    }
  }
  return only;
}

// Nodes are numbered after those below them, so copying in the order of the numbers finds every
// node below already copied.
ConfigId Configurations::copy_to(Configurations& to, ConfigId config) const {
  std::vector<NodeId> needed;
  for (const std::uint64_t word : frames(config)) needed.push_back(frame_of(word).node);
  std::unordered_set<NodeId> seen(needed.begin(), needed.end());
  for (std::size_t i = 0; i < needed.size(); ++i) {
    for (const std::uint64_t edge : nodes_.at(needed[i])) {
      const auto below = static_cast<NodeId>(edge);
      if (needed[i] != kRoot && seen.insert(below).second) needed.push_back(below);
    }
  }
  sort_unique(needed);
  std::unordered_map<NodeId, NodeId> copies{{kRoot, kRoot}};
  std::vector<std::uint64_t> words;
  for (const NodeId node : needed) {
    if (node == kRoot) continue;
    words.clear();
    for (const std::uint64_t edge : nodes_.at(node)) {
      words.push_back(pack(static_cast<StateId>(edge >> 32), copies[static_cast<NodeId>(edge)]));
    }
    sort_unique(words);
    copies[node] = to.nodes_.intern(words);
  }
  words.clear();
  for (const std::uint64_t word : frames(config)) {
    const Frame frame = frame_of(word);
    words.push_back(pack(copies[frame.node], to.sets_.intern(sets_.at(frame.set))));
  }
  sort_unique(words);
  if (accepts(config)) words.push_back(kAcceptWord);
  return to.configs_.intern(words);
}

std::size_t Configurations::memory_bytes() const {
  return sets_.memory_bytes() + nodes_.memory_bytes() + configs_.memory_bytes() +
         (row_of_.size() + transitions_.size() + after_.size()) * sizeof(std::uint32_t);
}

}  // namespace notso::grammar
