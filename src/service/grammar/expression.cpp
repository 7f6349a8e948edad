#include "service/grammar/expression.h"

#include <algorithm>
#include <utility>

#include "service/grammar/limits.h"

namespace notso::grammar {
namespace {

constexpr std::uint64_t kCostCap = 1'000'000'000;
// A repetition is written out as copies up to this many states, and as calls of a rule beyond.
constexpr std::uint64_t kMaxCopies = 4096;
constexpr std::uint32_t kBlock = 256;
constexpr char32_t kLastCodePoint = 0x10FFFF;

}  // namespace

std::vector<CodeRange> normal_ranges(std::vector<CodeRange> ranges, bool negated) {
  std::sort(ranges.begin(), ranges.end(), [](CodeRange a, CodeRange b) { return a.lo < b.lo; });
  std::vector<CodeRange> joined;
  for (const CodeRange range : ranges) {
    if (range.lo > range.hi) continue;
    if (!joined.empty() && range.lo <= joined.back().hi + 1) {
      joined.back().hi = std::max(joined.back().hi, range.hi);
    } else {
      joined.push_back(range);
    }
  }
  if (negated) {
    std::vector<CodeRange> gaps;
    char32_t next = 0;
    for (const CodeRange range : joined) {
      if (range.lo > next) gaps.push_back({next, range.lo - 1});
      next = range.hi + 1;
    }
    if (next <= kLastCodePoint) gaps.push_back({next, kLastCodePoint});
    joined = std::move(gaps);
  }
  std::vector<CodeRange> out;
  for (const CodeRange range : joined) {
    if (range.lo < 0xD800) out.push_back({range.lo, std::min<char32_t>(range.hi, 0xD7FF)});
    if (range.hi > 0xDFFF) {
      out.push_back({std::max<char32_t>(range.lo, 0xE000), std::min(range.hi, kLastCodePoint)});
    }
  }
  return out;
}

namespace {

std::uint64_t class_cost(const std::vector<CodeRange>& ranges) {
  std::uint64_t cost = 1;
  for (const CodeRange range : ranges) {
    if (range.hi >= 0x80) cost += 4;
    if (range.hi >= 0x10000 && range.lo < 0x10000) cost += 3;
  }
  return cost;
}

}  // namespace

ExpressionPool::ExpressionPool() {
  add({ExprKind::kSequence}, 1);
  add({ExprKind::kChoice}, 1);
}

void ExpressionPool::refuse(std::string message) {
  if (status_) status_ = fail(ErrorCode::kResourceExhausted, std::move(message));
}

ExprId ExpressionPool::add(const Expr& expr, std::uint64_t cost) {
  if (expressions_.size() >= kMaxExpressions) {
    refuse("The grammar is too large: at most " + std::to_string(kMaxExpressions) +
           " expressions; make it smaller.");
    return 0;
  }
  expressions_.push_back(expr);
  costs_.push_back(std::min(cost, kCostCap));
  return static_cast<ExprId>(expressions_.size() - 1);
}

ExprId ExpressionPool::literal(std::string_view bytes) {
  if (bytes.empty()) return empty();
  const Expr expr{ExprKind::kLiteral, static_cast<std::uint32_t>(bytes_.size()),
                  static_cast<std::uint32_t>(bytes.size())};
  bytes_ += bytes;
  return add(expr, bytes.size());
}

ExprId ExpressionPool::char_class(std::vector<CodeRange> ranges, bool negated) {
  const std::vector<CodeRange> normal = normal_ranges(std::move(ranges), negated);
  if (normal.empty()) return never();
  const Expr expr{ExprKind::kClass, static_cast<std::uint32_t>(ranges_.size()),
                  static_cast<std::uint32_t>(normal.size())};
  ranges_.insert(ranges_.end(), normal.begin(), normal.end());
  return add(expr, class_cost(normal));
}

ExprId ExpressionPool::sequence(const std::vector<ExprId>& parts) {
  std::vector<ExprId> kept;
  std::uint64_t cost = 0;
  for (const ExprId part : parts) {
    if (part == empty()) continue;
    if (part == never()) return never();
    kept.push_back(part);
    cost += costs_[part] + 1;
  }
  if (kept.empty()) return empty();
  if (kept.size() == 1) return kept[0];
  const Expr expr{ExprKind::kSequence, static_cast<std::uint32_t>(children_.size()),
                  static_cast<std::uint32_t>(kept.size())};
  children_.insert(children_.end(), kept.begin(), kept.end());
  return add(expr, cost);
}

ExprId ExpressionPool::choice(const std::vector<ExprId>& alternatives) {
  std::vector<ExprId> kept;
  std::uint64_t cost = 1;
  for (const ExprId part : alternatives) {
    if (part == never()) continue;
    kept.push_back(part);
    cost += costs_[part];
  }
  if (kept.empty()) return never();
  if (kept.size() == 1) return kept[0];
  const Expr expr{ExprKind::kChoice, static_cast<std::uint32_t>(children_.size()),
                  static_cast<std::uint32_t>(kept.size())};
  children_.insert(children_.end(), kept.begin(), kept.end());
  return add(expr, cost);
}

ExprId ExpressionPool::repeat(ExprId part, std::uint32_t min, std::uint32_t max) {
  if (min > kMaxRepeat || (max != kUnbounded && max > kMaxRepeat)) {
    refuse("A repetition is too long: at most " + std::to_string(kMaxRepeat) +
           " times; make it shorter or leave the upper limit out.");
    return empty();
  }
  if (max == 0 || part == empty()) return empty();
  if (part == never()) return min == 0 ? empty() : never();
  if (min == 1 && max == 1) return part;
  const std::uint32_t copies = max == kUnbounded ? min + 1 : max;
  if (costs_[part] > 1 && costs_[part] * copies > kMaxCopies) {
    part = hidden_rule("(repeated part)", part);
  }
  if (copies > kMaxCopies) return repeat_in_blocks(part, min, max);
  Expr expr{ExprKind::kRepeat, part, 1, min, max};
  return add(expr, (costs_[part] + 2) * copies);
}

// x{m,n} as blocks of 256, which takes hundreds of states where copies would take n. Of the n - m
// that are optional, either fewer than all whole blocks come with any rest, or all of them with a
// rest as short as it must be.
ExprId ExpressionPool::repeat_in_blocks(ExprId part, std::uint32_t min, std::uint32_t max) {
  const ExprId block = hidden_rule("(repeated part)", repeat(part, kBlock, kBlock));
  const ExprId must = sequence(
      {repeat(block, min / kBlock, min / kBlock), repeat(part, min % kBlock, min % kBlock)});
  if (max == kUnbounded) return sequence({must, repeat(part, 0, kUnbounded)});
  const std::uint32_t blocks = (max - min) / kBlock;
  const std::uint32_t rest = (max - min) % kBlock;
  if (blocks == 0) return sequence({must, repeat(part, 0, rest)});
  const ExprId some = sequence({repeat(block, 0, blocks - 1), repeat(part, 0, kBlock - 1)});
  const ExprId all = sequence({repeat(block, blocks, blocks), repeat(part, 0, rest)});
  return sequence({must, choice({some, all})});
}

ExprId ExpressionPool::reference(RuleId rule) { return add({ExprKind::kReference, rule, 1}, 1); }

RuleId ExpressionPool::add_rule(std::string name) {
  if (rules_.size() >= kMaxRules) {
    refuse("The grammar is too large: at most " + std::to_string(kMaxRules) +
           " rules; make it smaller.");
    return 0;
  }
  rules_.push_back({std::move(name), never()});
  return static_cast<RuleId>(rules_.size() - 1);
}

ExprId ExpressionPool::hidden_rule(std::string name, ExprId body) {
  const RuleId rule = add_rule(std::move(name));
  if (!status_) return empty();
  define(rule, body);
  return reference(rule);
}

}  // namespace notso::grammar
