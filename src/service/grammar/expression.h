// The one form that GBNF, regular expressions and JSON schemas are turned into: rules whose right
// sides are expressions over bytes. An expression is a number into a pool; its children always have
// smaller numbers, so that every pass over a pool is a loop and never a recursion.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace notso::grammar {

using ExprId = std::uint32_t;
using RuleId = std::uint32_t;

inline constexpr std::uint32_t kUnbounded = 0xFFFFFFFF;

// Unicode code points lo..hi, both included.
struct CodeRange {
  char32_t lo;
  char32_t hi;
};

// Sorts and joins ranges, inverts them if asked, and takes the surrogates out.
std::vector<CodeRange> normal_ranges(std::vector<CodeRange> ranges, bool negated = false);

// What an expression is made of.
enum class ExprKind : std::uint8_t { kLiteral, kClass, kSequence, kChoice, kRepeat, kReference };

// One expression. `first` and `count` say where its children (or a literal's bytes, or a class's
// ranges) lie in the pool's arrays; a repetition's child is `first`, a reference's rule too.
struct Expr {
  ExprKind kind;
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  std::uint32_t min = 0;
  std::uint32_t max = 0;
};

// A named right side.
struct Rule {
  std::string name;
  ExprId body = 0;
};

// Owns the expressions and rules of one grammar. Over a limit, the calls do nothing more and
// status() says what is too large; front ends look at it in every loop and at the end.
class ExpressionPool {
 public:
  ExpressionPool();

  // The empty text, and the expression that no text matches.
  [[nodiscard]] ExprId empty() const { return 0; }
  [[nodiscard]] ExprId never() const { return 1; }

  // Exactly these bytes.
  ExprId literal(std::string_view bytes);
  // One character in (or, if `negated`, outside) the ranges, which may overlap in any order.
  // Surrogates are never characters.
  ExprId char_class(std::vector<CodeRange> ranges, bool negated = false);
  ExprId sequence(const std::vector<ExprId>& parts);
  ExprId choice(const std::vector<ExprId>& alternatives);
  // `max` may be kUnbounded. Long repetitions of large parts become calls of a hidden rule.
  ExprId repeat(ExprId part, std::uint32_t min, std::uint32_t max);
  ExprId optional(ExprId part) { return repeat(part, 0, 1); }
  ExprId reference(RuleId rule);

  // A rule's name is for messages; its body is never() until defined.
  RuleId add_rule(std::string name);
  void define(RuleId rule, ExprId body) { rules_[rule].body = body; }
  // A rule with a body at once, as a reference.
  ExprId hidden_rule(std::string name, ExprId body);

  [[nodiscard]] const Status& status() const { return status_; }
  [[nodiscard]] const std::vector<Rule>& rules() const { return rules_; }
  [[nodiscard]] const std::vector<Expr>& expressions() const { return expressions_; }
  // Reading what an expression is made of.
  [[nodiscard]] const Expr& at(ExprId id) const { return expressions_[id]; }
  // Child `index` of a sequence or choice.
  [[nodiscard]] ExprId child(const Expr& parent, std::uint32_t index) const {
    return children_[parent.first + index];
  }
  // The text of a literal.
  [[nodiscard]] std::string_view bytes(const Expr& literal) const {
    return std::string_view(bytes_).substr(literal.first, literal.count);
  }
  // Sorted, apart from each other, without surrogates.
  [[nodiscard]] const CodeRange* ranges(const Expr& char_class) const {
    return ranges_.data() + char_class.first;
  }
  // About how many states an expression needs, capped far above every limit.
  [[nodiscard]] std::uint64_t cost(ExprId id) const { return costs_[id]; }

 private:
  ExprId add(const Expr& expr, std::uint64_t cost);
  ExprId repeat_in_blocks(ExprId part, std::uint32_t min, std::uint32_t max);
  void refuse(std::string message);

  std::vector<Expr> expressions_;
  std::vector<std::uint64_t> costs_;
  std::vector<ExprId> children_;
  std::vector<CodeRange> ranges_;
  std::string bytes_;
  std::vector<Rule> rules_;
  Status status_;
};

}  // namespace notso::grammar
