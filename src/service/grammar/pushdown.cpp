#include "service/grammar/pushdown.h"

#include <string>
#include <utility>

#include "service/grammar/limits.h"
#include "service/grammar/lowering.h"

namespace notso::grammar {
namespace {

template <class Edge>
EdgeTable<Edge> table_of(const std::vector<RawEdge<Edge>>& raw, std::uint32_t states) {
  EdgeTable<Edge> table;
  table.first.assign(states + 1, 0);
  for (const auto& edge : raw) ++table.first[edge.from + 1];
  for (std::uint32_t i = 0; i < states; ++i) table.first[i + 1] += table.first[i];
  table.edges.resize(raw.size());
  std::vector<std::uint32_t> next(table.first.begin(), table.first.end() - 1);
  for (const auto& edge : raw) table.edges[next[edge.from]++] = edge.edge;
  return table;
}

// The states from which the end of their rule can be reached, by going backwards from the ends. A
// call counts once its callee's start and the state after it both count.
class BackwardReach {
 public:
  BackwardReach(const RawPushdown& raw, bool over_bytes) : raw_(raw), reached_(raw.states, false) {
    std::vector<RawEdge<StateId>> reversed;
    if (over_bytes) {
      for (const auto& edge : raw.bytes) reversed.push_back({edge.edge.target, edge.from});
    }
    for (const auto& edge : raw.skips) reversed.push_back({edge.edge, edge.from});
    plain_ = table_of(reversed, raw.states);
    std::vector<RawEdge<std::uint32_t>> calls_at;
    for (std::uint32_t i = 0; i < raw.calls.size(); ++i) {
      calls_at.push_back({raw.calls[i].edge.target, i});
      calls_at.push_back({raw.starts[raw.calls[i].edge.rule], i});
    }
    calls_ = table_of(calls_at, raw.states);
  }

  std::vector<char> run() {
    for (const StateId end : raw_.ends) mark(end);
    while (!work_.empty()) {
      const StateId state = work_.back();
      work_.pop_back();
      for (const StateId from : plain_.of(state)) mark(from);
      for (const std::uint32_t index : calls_.of(state)) {
        const RawEdge<CallEdge>& call = raw_.calls[index];
        if (reached_[call.edge.target] && reached_[raw_.starts[call.edge.rule]]) mark(call.from);
      }
    }
    return std::move(reached_);
  }

 private:
  void mark(StateId state) {
    if (reached_[state]) return;
    reached_[state] = true;
    work_.push_back(state);
  }

  const RawPushdown& raw_;
  std::vector<char> reached_;
  EdgeTable<StateId> plain_;
  EdgeTable<std::uint32_t> calls_;
  std::vector<StateId> work_;
};

// Drops every edge from which no end can be reached any more.
void cut_unfinishable(RawPushdown& raw, const std::vector<char>& finishes) {
  std::erase_if(raw.bytes, [&](const auto& edge) { return !finishes[edge.edge.target]; });
  std::erase_if(raw.skips, [&](const auto& edge) { return !finishes[edge.edge]; });
  std::erase_if(raw.calls, [&](const auto& edge) {
    return !finishes[edge.edge.target] || !finishes[raw.starts[edge.edge.rule]];
  });
}

// Numbers the rules so that each comes before those that it may call before it reads a byte.
class Ranking {
 public:
  explicit Ranking(const Pushdown& machine) : machine_(machine) {}

  // The rank of each rule, or the first rule that may call itself at once.
  tl::expected<std::vector<std::uint32_t>, RuleId> run() {
    const std::size_t rules = machine_.rule_start.size();
    std::vector<std::vector<RuleId>> callees(rules);
    std::vector<std::uint32_t> callers(rules, 0);
    std::vector<std::uint32_t> seen(machine_.state_count(), 0);
    for (RuleId rule = 0; rule < rules; ++rule) {
      callees[rule] = first_callees(rule, seen);
      for (const RuleId callee : callees[rule]) ++callers[callee];
    }
    std::vector<RuleId> ready;
    for (RuleId rule = 0; rule < rules; ++rule) {
      if (callers[rule] == 0) ready.push_back(rule);
    }
    std::vector<std::uint32_t> rank(rules, 0);
    for (std::size_t i = 0; i < ready.size(); ++i) {
      rank[ready[i]] = static_cast<std::uint32_t>(i);
      for (const RuleId callee : callees[ready[i]]) {
        if (--callers[callee] == 0) ready.push_back(callee);
      }
    }
    if (ready.size() == rules) return rank;
    return tl::unexpected(on_cycle(callees, callers));
  }

 private:
  std::vector<RuleId> first_callees(RuleId rule, std::vector<std::uint32_t>& seen) const {
    std::vector<RuleId> out;
    std::vector<StateId> work{machine_.rule_start[rule]};
    seen[work[0]] = rule + 1;
    while (!work.empty()) {
      const StateId state = work.back();
      work.pop_back();
      for (const CallEdge& call : machine_.calls.of(state)) out.push_back(call.rule);
      for (const StateId next : machine_.skips.of(state)) {
        if (seen[next] == rule + 1) continue;
        seen[next] = rule + 1;
        work.push_back(next);
      }
    }
    return out;
  }

  // What could not be ranked is a cycle or leads away from one: going back from caller to caller
  // ends on a cycle.
  static RuleId on_cycle(const std::vector<std::vector<RuleId>>& callees,
                         const std::vector<std::uint32_t>& callers) {
    std::vector<RuleId> caller_of(callees.size(), 0);
    RuleId at = 0;
    for (RuleId rule = 0; rule < callees.size(); ++rule) {
      if (callers[rule] == 0) continue;
      at = rule;
      for (const RuleId callee : callees[rule]) caller_of[callee] = rule;
    }
    for (std::size_t i = 0; i < callees.size(); ++i) at = caller_of[at];
    return at;
  }

  const Pushdown& machine_;
};

void assign_byte_classes(Pushdown& machine) {
  std::array<bool, 257> starts{};
  for (const ByteEdge& edge : machine.bytes.edges) {
    starts[edge.lo] = true;
    starts[edge.hi + 1u] = true;
  }
  std::uint8_t current = 0;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    if (byte > 0 && starts[byte]) ++current;
    machine.byte_class[byte] = current;
  }
  machine.class_count = current + 1u;
}

std::string rule_name(const ExpressionPool& pool, const RawPushdown& raw, RuleId rule) {
  return "'" + pool.rules()[raw.rules[rule]].name + "'";
}

}  // namespace

Result<std::shared_ptr<const Pushdown>> build_pushdown(const ExpressionPool& pool, RuleId root) {
  if (!pool.status()) return tl::unexpected(pool.status().error());
  Result<RawPushdown> lowered = lower(pool, root);
  if (!lowered) return pass_on(lowered);
  RawPushdown& raw = *lowered;
  const std::vector<char> finishes = BackwardReach(raw, true).run();
  if (!finishes[raw.starts[0]]) {
    return fail(ErrorCode::kInvalidArgument,
                "The grammar's rule " + rule_name(pool, raw, 0) +
                    " has no text that ends; give it an alternative that does.");
  }
  cut_unfinishable(raw, finishes);
  const std::vector<char> passes = BackwardReach(raw, false).run();
  for (const auto& call : raw.calls) {
    if (passes[raw.starts[call.edge.rule]]) raw.skips.push_back({call.from, call.edge.target});
  }
  auto machine = std::make_shared<Pushdown>();
  machine->bytes = table_of(raw.bytes, raw.states);
  machine->calls = table_of(raw.calls, raw.states);
  machine->skips = table_of(raw.skips, raw.states);
  machine->is_final.assign(raw.states, 0);
  for (const StateId end : raw.ends) machine->is_final[end] = 1;
  machine->rule_start = raw.starts;
  assign_byte_classes(*machine);
  auto ranks = Ranking(*machine).run();
  if (!ranks) {
    return fail(ErrorCode::kInvalidArgument,
                "The grammar's rule " + rule_name(pool, raw, ranks.error()) +
                    " begins with itself (left recursion); let it begin with something else.");
  }
  machine->rule_rank = std::move(*ranks);
  return std::shared_ptr<const Pushdown>(std::move(machine));
}

}  // namespace notso::grammar
