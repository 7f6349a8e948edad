// Where a grammar stands after some bytes: a set of stacks of automaton states, kept small by
// sharing everything that is equal.
//
//   set     the states of one rule's automaton that may read the next byte
//   node    where to go on when the running rule ends: a set of (state, node below)
//   frame   (set, node)
//   configuration   a set of frames, and whether the grammar may end here
//
// Each of these is stored once and named by a number, so that equal ones have equal numbers and
// transitions between configurations are remembered like those of a deterministic automaton. A call
// in the last place of a rule hands its own node down, so lists that recurse at their end do not
// grow the stack. Since no rule calls itself before it has read a byte, rules can be entered in the
// order of their rank, each once with all of its callers known, and nodes never form a cycle.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "service/grammar/pushdown.h"

namespace notso::grammar {

using ConfigId = std::uint32_t;
using SetId = std::uint32_t;
using NodeId = std::uint32_t;

// Sequences of 64-bit words, each stored once and named by a number in the order of arrival.
class WordsPool {
 public:
  WordsPool();
  // The number of this sequence, new or old.
  std::uint32_t intern(std::span<const std::uint64_t> words);
  [[nodiscard]] std::span<const std::uint64_t> at(std::uint32_t id) const {
    return {words_.data() + first_[id], words_.data() + first_[id + 1]};
  }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(first_.size() - 1); }
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  void grow();

  std::vector<std::uint64_t> words_;
  std::vector<std::size_t> first_{0};
  std::vector<std::uint64_t> hashes_;
  std::vector<std::uint32_t> slots_;  // number + 1, or 0; open addressing
};

// All configurations of one grammar that were met so far. Not safe for many threads at once.
class Configurations {
 public:
  // The configuration that nothing can follow and that does not accept.
  static constexpr ConfigId kDead = 0;
  // The node below everything: when it is reached the grammar is at its end.
  static constexpr NodeId kRoot = 0;

  struct Frame {
    SetId set;
    NodeId node;
  };

  // Knows the start of the grammar only.
  explicit Configurations(std::shared_ptr<const Pushdown> machine);

  [[nodiscard]] ConfigId start() const { return start_; }
  // After one more byte; kDead where none is possible.
  ConfigId step(ConfigId config, std::uint8_t byte);
  // Whether the grammar may end here.
  [[nodiscard]] bool accepts(ConfigId config) const;
  [[nodiscard]] std::span<const std::uint64_t> frames(ConfigId config) const;
  [[nodiscard]] static Frame frame_of(std::uint64_t word) {
    return {static_cast<SetId>(word), static_cast<NodeId>(word >> 32)};
  }
  // The frame of this set with nothing known below it: it accepts where the frame ends.
  ConfigId alone(SetId set);
  // What follows when the rule above `node` has ended.
  ConfigId after(NodeId node);
  // The one byte that can follow, or -1 where there are several, none, or the grammar may end.
  [[nodiscard]] int only_byte(ConfigId config) const;

  // The same configuration among those of `to`, which has the same machine.
  ConfigId copy_to(Configurations& to, ConfigId config) const;

  // Positions visited since the last reset; the caller sets a limit by it.
  [[nodiscard]] std::uint64_t work() const { return work_; }
  void reset_work() { work_ = 0; }
  [[nodiscard]] std::size_t memory_bytes() const;
  [[nodiscard]] const Pushdown& machine() const { return *machine_; }

 private:
  // A state with the node below its frame.
  struct Item {
    StateId state;
    NodeId node;
  };
  struct Call {
    std::uint32_t rank;
    RuleId rule;
    Item back;
  };

  void visit(Item item, bool may_return);
  ConfigId close();
  void enter_calls();
  ConfigId intern_scanned();

  std::shared_ptr<const Pushdown> machine_;
  WordsPool sets_;
  WordsPool nodes_;
  WordsPool configs_;
  std::vector<std::uint32_t> row_of_;  // [configs] row in transitions_ + 1, or 0
  std::vector<ConfigId> transitions_;  // [rows, byte classes] target + 1, or 0
  std::vector<ConfigId> after_;        // [nodes] + 1, or 0
  ConfigId start_ = kDead;
  std::uint64_t work_ = 0;

  // Scratch of close().
  std::vector<Item> pending_;
  std::unordered_set<std::uint64_t> visited_;
  std::vector<std::uint64_t> scanned_;  // node << 32 | state
  std::vector<Call> calls_;
  bool accepts_ = false;
};

}  // namespace notso::grammar
