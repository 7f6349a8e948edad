#include "service/grammar/lowering.h"

#include <map>
#include <string>
#include <tuple>

#include "service/grammar/limits.h"
#include "service/grammar/utf8_ranges.h"

namespace notso::grammar {
namespace {

constexpr std::uint64_t kMaxInlineCost = 40;
constexpr std::uint64_t kMaxInlineLoopCost = 4;
constexpr int kInlineRounds = 4;
constexpr std::uint32_t kNoRule = 0xFFFFFFFF;

// What decides whether a rule is written out at its calls.
struct Weight {
  std::uint64_t cost = 0;
  bool loops = false;
  bool calls = false;  // calls a rule that is not written out itself
};

class Lowering {
 public:
  Lowering(const ExpressionPool& pool, RawPushdown& out)
      : pool_(pool), out_(out), number_(pool.rules().size(), kNoRule) {}

  Status run(RuleId root) {
    choose_inlined();
    reach(root);
    for (std::size_t i = 0; i < out_.rules.size(); ++i) {
      work_.push_back({pool_.rules()[out_.rules[i]].body, out_.starts[i], out_.ends[i]});
      while (!work_.empty()) {
        const Work work = work_.back();
        work_.pop_back();
        lower(work);
        if (out_.states > kMaxStates || out_.skips.size() > 2 * kMaxStates) {
          return fail(ErrorCode::kResourceExhausted,
                      "The grammar is too large: at most " + std::to_string(kMaxStates) +
                          " states; make it smaller or its repetitions shorter.");
        }
      }
    }
    return {};
  }

 private:
  struct Work {
    ExprId expr;
    StateId from;
    StateId to;
  };

  StateId new_state() { return out_.states++; }

  std::uint32_t reach(RuleId rule) {
    if (number_[rule] == kNoRule) {
      number_[rule] = static_cast<std::uint32_t>(out_.rules.size());
      out_.rules.push_back(rule);
      out_.starts.push_back(new_state());
      out_.ends.push_back(new_state());
    }
    return number_[rule];
  }

  Weight weigh(const Expr& expr) const {
    switch (expr.kind) {
      case ExprKind::kLiteral:
      case ExprKind::kClass:
        return {};
      case ExprKind::kRepeat: {
        Weight weight = weights_[expr.first];
        weight.cost = (weight.cost + 2) * (expr.max == kUnbounded ? expr.min + 1 : expr.max);
        weight.loops = weight.loops || expr.max == kUnbounded;
        return weight;
      }
      case ExprKind::kReference:
        return inlined_[expr.first] ? weights_[pool_.rules()[expr.first].body]
                                    : Weight{1, false, true};
      case ExprKind::kSequence:
      case ExprKind::kChoice:
        break;
    }
    Weight sum{1, false, false};
    for (std::uint32_t i = 0; i < expr.count; ++i) {
      const Weight& part = weights_[pool_.child(expr, i)];
      sum.cost = std::min<std::uint64_t>(sum.cost + part.cost + 1, kMaxStates);
      sum.loops = sum.loops || part.loops;
      sum.calls = sum.calls || part.calls;
    }
    return sum;
  }

  // A round for every level of small rules within small rules. Only rules whose own calls are all
  // written out join, so that none can contain itself.
  void choose_inlined() {
    const std::vector<Expr>& exprs = pool_.expressions();
    inlined_.assign(pool_.rules().size(), false);
    weights_.resize(exprs.size());
    for (int round = 0; round < kInlineRounds; ++round) {
      for (ExprId id = 0; id < exprs.size(); ++id) {
        weights_[id] = weigh(exprs[id]);
        const bool leaf =
            exprs[id].kind == ExprKind::kLiteral || exprs[id].kind == ExprKind::kClass;
        if (leaf) weights_[id].cost = pool_.cost(id);
      }
      for (RuleId rule = 0; rule < inlined_.size(); ++rule) {
        const Weight& weight = weights_[pool_.rules()[rule].body];
        const std::uint64_t most = weight.loops ? kMaxInlineLoopCost : kMaxInlineCost;
        if (!weight.calls && weight.cost <= most) inlined_[rule] = true;
      }
    }
  }

  void lower(const Work& work) {
    const Expr& expr = pool_.at(work.expr);
    switch (expr.kind) {
      case ExprKind::kLiteral:
        lower_literal(pool_.bytes(expr), work);
        break;
      case ExprKind::kClass:
        lower_class(expr, work);
        break;
      case ExprKind::kSequence:
        lower_sequence(expr, work);
        break;
      case ExprKind::kChoice:
        for (std::uint32_t i = 0; i < expr.count; ++i) {
          work_.push_back({pool_.child(expr, i), work.from, work.to});
        }
        break;
      case ExprKind::kRepeat:
        lower_repeat(expr, work);
        break;
      case ExprKind::kReference:
        if (inlined_[expr.first]) {
          work_.push_back({pool_.rules()[expr.first].body, work.from, work.to});
        } else {
          out_.calls.push_back({work.from, {reach(expr.first), work.to}});
        }
        break;
    }
  }

  void lower_literal(std::string_view bytes, const Work& work) {
    StateId at = work.from;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const StateId next = i + 1 == bytes.size() ? work.to : new_state();
      const auto byte = static_cast<std::uint8_t>(bytes[i]);
      out_.bytes.push_back({at, {next, byte, byte}});
      at = next;
    }
  }

  // Sequences of a class that end alike share the states of their ends.
  void lower_class(const Expr& expr, const Work& work) {
    std::vector<ByteSequence> sequences;
    for (std::uint32_t i = 0; i < expr.count; ++i) {
      append_utf8_sequences(pool_.ranges(expr)[i], sequences);
    }
    std::map<std::tuple<StateId, std::uint8_t, std::uint8_t>, StateId> ends;
    for (const ByteSequence& sequence : sequences) {
      StateId to = work.to;
      for (std::uint32_t i = sequence.length - 1; i > 0; --i) {
        const auto [end, is_new] = ends.try_emplace({to, sequence.lo[i], sequence.hi[i]}, 0);
        if (is_new) {
          end->second = new_state();
          out_.bytes.push_back({end->second, {to, sequence.lo[i], sequence.hi[i]}});
        }
        to = end->second;
      }
      out_.bytes.push_back({work.from, {to, sequence.lo[0], sequence.hi[0]}});
    }
  }

  void lower_sequence(const Expr& expr, const Work& work) {
    if (expr.count == 0) out_.skips.push_back({work.from, work.to});
    StateId at = work.from;
    for (std::uint32_t i = 0; i < expr.count; ++i) {
      const StateId next = i + 1 == expr.count ? work.to : new_state();
      work_.push_back({pool_.child(expr, i), at, next});
      at = next;
    }
  }

  void lower_repeat(const Expr& expr, const Work& work) {
    StateId at = work.from;
    const std::uint32_t copies = expr.max == kUnbounded ? expr.min : expr.max;
    for (std::uint32_t i = 0; i < copies; ++i) {
      if (i >= expr.min) out_.skips.push_back({at, work.to});
      const bool last = i + 1 == copies && expr.max != kUnbounded;
      const StateId next = last ? work.to : new_state();
      work_.push_back({expr.first, at, next});
      at = next;
    }
    if (expr.max == kUnbounded) {
      const StateId loop = new_state();
      out_.skips.push_back({at, loop});
      work_.push_back({expr.first, loop, loop});
      out_.skips.push_back({loop, work.to});
    }
  }

  const ExpressionPool& pool_;
  RawPushdown& out_;
  std::vector<std::uint32_t> number_;
  std::vector<char> inlined_;
  std::vector<Weight> weights_;
  std::vector<Work> work_;
};

}  // namespace

Result<RawPushdown> lower(const ExpressionPool& pool, RuleId root) {
  RawPushdown out;
  Status status = Lowering(pool, out).run(root);
  if (!status) return pass_on(status);
  return out;
}

}  // namespace notso::grammar
