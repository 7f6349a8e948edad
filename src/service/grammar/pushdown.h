// A grammar as a machine: one small nondeterministic automaton over bytes a rule, which may call
// the automata of other rules and return. It is what is left of a grammar after compiling.
//
// Guarantees that the matcher builds on: from every state the end of its rule can be reached (what
// cannot be finished is cut away), no rule can call itself before it has read a byte, and a rule
// that can be passed without a byte is passed by a skip edge where it is called.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "service/grammar/expression.h"

namespace notso::grammar {

using StateId = std::uint32_t;

// Reads one byte in lo..hi.
struct ByteEdge {
  StateId target;
  std::uint8_t lo;
  std::uint8_t hi;
};

// Runs `rule`, then goes on at `target`.
struct CallEdge {
  RuleId rule;
  StateId target;
};

// Edges by state, in one array.
template <class Edge>
struct EdgeTable {
  std::vector<std::uint32_t> first;  // [states + 1]
  std::vector<Edge> edges;

  // The edges that leave a state.
  [[nodiscard]] std::span<const Edge> of(StateId state) const {
    return {edges.data() + first[state], edges.data() + first[state + 1]};
  }
};

// Immutable once built.
struct Pushdown {
  EdgeTable<ByteEdge> bytes;
  EdgeTable<CallEdge> calls;
  EdgeTable<StateId> skips;
  std::vector<std::uint8_t> is_final;    // [states] 1 where a rule ends
  std::vector<StateId> rule_start;       // [rules]
  std::vector<std::uint32_t> rule_rank;  // [rules] a rule ranks below all that it calls at once
  RuleId root = 0;
  // Bytes that no edge tells apart share a class.
  std::array<std::uint8_t, 256> byte_class{};
  std::uint32_t class_count = 0;

  [[nodiscard]] std::size_t state_count() const { return is_final.size(); }
};

// Compiles the rules that `root` reaches. Refuses left recursion and a root that has no finite
// text, by the rule's name, and grammars over the limits.
Result<std::shared_ptr<const Pushdown>> build_pushdown(const ExpressionPool& pool, RuleId root);

}  // namespace notso::grammar
