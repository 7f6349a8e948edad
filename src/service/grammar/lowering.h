// Expressions to states and edges, Thompson's way; pushdown.cpp makes a machine of the result.
#pragma once

#include <vector>

#include "service/grammar/pushdown.h"

namespace notso::grammar {

// Edges in the order in which they were made, with the state that they leave.
template <class Edge>
struct RawEdge {
  StateId from;
  Edge edge;
};

// The automata of all rules that are reached, before anything is cut.
struct RawPushdown {
  std::uint32_t states = 0;
  std::vector<RawEdge<ByteEdge>> bytes;
  std::vector<RawEdge<CallEdge>> calls;  // rules by their number in `rules`
  std::vector<RawEdge<StateId>> skips;
  // The rules that were reached, root first, by their number in the pool, with their two ends.
  std::vector<RuleId> rules;
  std::vector<StateId> starts;
  std::vector<StateId> ends;
};

// Small rules without loops are written out where they are called: a token that runs over the end
// of such a rule is then judged without its surroundings.
Result<RawPushdown> lower(const ExpressionPool& pool, RuleId root);

}  // namespace notso::grammar
