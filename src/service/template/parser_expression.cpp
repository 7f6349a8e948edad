// Expressions. The order of binding is Jinja's: conditional, or, and, not, comparison, + -, ~,
// * / // %, **, sign, then postfix (. [] ()) and filters and tests.
#include <algorithm>
#include <array>

#include "service/template/parser.h"

namespace notso::jinja {
namespace {

// Bounds the height of the tree: what walks or frees it needs a stack frame or two a level.
constexpr int kHeightMax = 500;

}  // namespace

Parser::Nesting::Nesting(Parser& parser) : parser_(parser) {
  const int limit = parser.environment_.options().limits.parse_depth;
  if (parser.depth_ >= limit) {
    parser.fail("nested deeper than " + std::to_string(limit) + " levels");
  }
  ++parser.depth_;
}

void Parser::raise(Expr& node, std::initializer_list<const Expr*> children) {
  for (const Expr* child : children) {
    if (child != nullptr) node.height = std::max(node.height, child->height + 1);
  }
  if (node.height > kHeightMax) {
    fail("an expression chains more than " + std::to_string(kHeightMax) + " operations");
  }
}

void Parser::raise(Expr& node, const CallArgs& args) {
  for (const ExprPtr& arg : args.positional) raise(node, {arg.get()});
  for (const auto& [name, arg] : args.named) raise(node, {arg.get()});
  raise(node, {args.star.get(), args.double_star.get()});
}

ExprPtr Parser::parse_expression(bool with_condition) {
  Nesting nesting(*this);
  ExprPtr value = parse_or();
  while (with_condition && is_name("if")) {
    auto node = make<ConditionalExpr>(take().line);
    node->then_value = std::move(value);
    node->condition = parse_or();
    if (skip_name("else")) node->else_value = parse_expression();
    raise(*node, {node->then_value.get(), node->condition.get(), node->else_value.get()});
    value = std::move(node);
  }
  return value;
}

ExprPtr Parser::parse_or() {
  ExprPtr left = parse_and();
  while (is_name("or")) {
    auto node = make<LogicalExpr>(take().line);
    node->left = std::move(left);
    node->right = parse_and();
    raise(*node, {node->left.get(), node->right.get()});
    left = std::move(node);
  }
  return left;
}

ExprPtr Parser::parse_and() {
  ExprPtr left = parse_not();
  while (is_name("and")) {
    auto node = make<LogicalExpr>(take().line);
    node->is_and = true;
    node->left = std::move(left);
    node->right = parse_not();
    raise(*node, {node->left.get(), node->right.get()});
    left = std::move(node);
  }
  return left;
}

ExprPtr Parser::parse_not() {
  if (!is_name("not")) return parse_compare();
  Nesting nesting(*this);
  auto node = make<NotExpr>(take().line);
  node->operand = parse_not();
  raise(*node, {node->operand.get()});
  return node;
}

ExprPtr Parser::parse_compare() {
  static constexpr std::array<std::pair<std::string_view, Comparison>, 6> kOperators = {{
      {"==", Comparison::kEqual},
      {"!=", Comparison::kNotEqual},
      {"<", Comparison::kLess},
      {"<=", Comparison::kLessEqual},
      {">", Comparison::kGreater},
      {">=", Comparison::kGreaterEqual},
  }};
  ExprPtr first = parse_sum();
  auto node = make<CompareExpr>(current().line);
  for (;;) {
    const auto found = std::find_if(kOperators.begin(), kOperators.end(),
                                    [&](const auto& entry) { return is_operator(entry.first); });
    Comparison op = Comparison::kIn;
    if (found != kOperators.end()) {
      op = found->second;
    } else if (is_name("not") && peek().kind == TokenKind::kName && peek().text == "in") {
      op = Comparison::kNotIn;
      take();
    } else if (!is_name("in")) {
      break;
    }
    take();
    node->rest.emplace_back(op, parse_sum());
    raise(*node, {node->rest.back().second.get()});
  }
  if (node->rest.empty()) return first;
  node->first = std::move(first);
  raise(*node, {node->first.get()});
  return node;
}

ExprPtr Parser::parse_arithmetic(Arithmetic op, ExprPtr left, ExprPtr right, int line) {
  auto node = make<ArithmeticExpr>(line);
  node->op = op;
  node->left = std::move(left);
  node->right = std::move(right);
  raise(*node, {node->left.get(), node->right.get()});
  return node;
}

ExprPtr Parser::parse_sum() {
  ExprPtr left = parse_concat();
  while (is_operator("+") || is_operator("-")) {
    const Arithmetic op = is_operator("+") ? Arithmetic::kAdd : Arithmetic::kSubtract;
    const int line = take().line;
    left = parse_arithmetic(op, std::move(left), parse_concat(), line);
  }
  return left;
}

ExprPtr Parser::parse_concat() {
  ExprPtr first = parse_product();
  if (!is_operator("~")) return first;
  auto node = make<ConcatExpr>(current().line);
  node->items.push_back(std::move(first));
  while (skip_operator("~")) node->items.push_back(parse_product());
  for (const ExprPtr& item : node->items) raise(*node, {item.get()});
  return node;
}

ExprPtr Parser::parse_product() {
  static constexpr std::array<std::pair<std::string_view, Arithmetic>, 4> kOperators = {{
      {"*", Arithmetic::kMultiply},
      {"/", Arithmetic::kDivide},
      {"//", Arithmetic::kFloorDivide},
      {"%", Arithmetic::kModulo},
  }};
  ExprPtr left = parse_power();
  for (;;) {
    const auto found = std::find_if(kOperators.begin(), kOperators.end(),
                                    [&](const auto& entry) { return is_operator(entry.first); });
    if (found == kOperators.end()) return left;
    const int line = take().line;
    left = parse_arithmetic(found->second, std::move(left), parse_power(), line);
  }
}

ExprPtr Parser::parse_power() {
  ExprPtr left = parse_unary();
  while (is_operator("**")) {
    const int line = take().line;
    left = parse_arithmetic(Arithmetic::kPower, std::move(left), parse_unary(), line);
  }
  return left;
}

ExprPtr Parser::parse_unary(bool with_filter) {
  Nesting nesting(*this);
  ExprPtr node;
  if (is_operator("-") || is_operator("+")) {
    const bool negative = is_operator("-");
    auto sign = make<SignExpr>(take().line);
    sign->negative = negative;
    sign->operand = parse_unary(false);
    raise(*sign, {sign->operand.get()});
    node = std::move(sign);
  } else {
    node = parse_primary();
  }
  node = parse_postfix(std::move(node));
  return with_filter ? parse_filters(std::move(node)) : std::move(node);
}

ExprPtr Parser::parse_string() {
  auto node = make<ConstantExpr>(current().line);
  std::string text;
  while (current().kind == TokenKind::kString) text += take().text;
  node->value = Value::trusted(text);
  return node;
}

ExprPtr Parser::parse_primary() {
  const int line = current().line;
  const auto constant = [&](Value value) {
    auto node = make<ConstantExpr>(line);
    node->value = std::move(value);
    return node;
  };
  switch (current().kind) {
    case TokenKind::kName: {
      const std::string name = take().text;
      if (name == "true" || name == "True") return constant(Value::boolean(true));
      if (name == "false" || name == "False") return constant(Value::boolean(false));
      if (name == "none" || name == "None") return constant(Value::none());
      use_.caller = use_.caller || name == "caller";
      use_.varargs = use_.varargs || name == "varargs";
      use_.kwargs = use_.kwargs || name == "kwargs";
      auto node = make<NameExpr>(line);
      node->name = name;
      return node;
    }
    case TokenKind::kString:
      return parse_string();
    case TokenKind::kInteger:
      return constant(Value::integer(take().integer));
    case TokenKind::kFloat:
      return constant(Value::number(take().number));
    case TokenKind::kOperator:
      if (skip_operator("(")) {
        ExprPtr node = parse_tuple(true, true);
        expect_operator(")");
        return node;
      }
      if (is_operator("[")) return parse_list();
      if (is_operator("{")) return parse_dict();
      break;
    default:
      break;
  }
  fail("unexpected " + describe_current());
}

ExprPtr Parser::parse_list() {
  auto node = make<SequenceExpr>(take().line);
  while (!is_operator("]")) {
    if (!node->items.empty()) expect_operator(",");
    if (is_operator("]")) break;
    node->items.push_back(parse_expression());
    raise(*node, {node->items.back().get()});
  }
  expect_operator("]");
  return node;
}

ExprPtr Parser::parse_dict() {
  auto node = make<DictExpr>(take().line);
  while (!is_operator("}")) {
    if (!node->entries.empty()) expect_operator(",");
    if (is_operator("}")) break;
    ExprPtr key = parse_expression();
    expect_operator(":");
    node->entries.emplace_back(std::move(key), parse_expression());
    raise(*node, {node->entries.back().first.get(), node->entries.back().second.get()});
  }
  expect_operator("}");
  return node;
}

ExprPtr Parser::parse_tuple(bool with_condition, bool explicit_parentheses) {
  const int line = current().line;
  auto node = make<SequenceExpr>(line);
  node->tuple = true;
  bool is_tuple = false;
  const auto at_end = [&] {
    return current().kind == TokenKind::kVariableEnd || current().kind == TokenKind::kBlockEnd ||
           is_operator(")");
  };
  while (!at_end()) {
    node->items.push_back(parse_expression(with_condition));
    raise(*node, {node->items.back().get()});
    if (!is_operator(",")) break;
    is_tuple = true;
    take();
  }
  if (!is_tuple && node->items.size() == 1) return std::move(node->items[0]);
  if (!is_tuple && !explicit_parentheses) {
    fail("expected an expression, got " + describe_current());
  }
  return node;
}

ExprPtr Parser::parse_postfix(ExprPtr node) {
  for (;;) {
    if (is_operator(".")) {
      node = parse_attribute(std::move(node));
    } else if (is_operator("[")) {
      node = parse_subscript(std::move(node));
    } else if (is_operator("(")) {
      node = parse_call(std::move(node));
    } else {
      return node;
    }
  }
}

ExprPtr Parser::parse_filters(ExprPtr node) {
  for (;;) {
    if (skip_operator("|")) {
      node = parse_filter(std::move(node));
    } else if (is_name("is")) {
      node = parse_test(std::move(node));
    } else if (is_operator("(")) {
      node = parse_call(std::move(node));
    } else {
      return node;
    }
  }
}

ExprPtr Parser::parse_attribute(ExprPtr object) {
  const int line = take().line;
  if (current().kind == TokenKind::kInteger) {
    auto node = make<SubscriptExpr>(line);
    auto index = make<ConstantExpr>(line);
    index->value = Value::integer(take().integer);
    node->object = std::move(object);
    node->index = std::move(index);
    raise(*node, {node->object.get()});
    return node;
  }
  auto node = make<AttributeExpr>(line);
  node->object = std::move(object);
  node->name = expect_name("a name or number after '.'");
  raise(*node, {node->object.get()});
  return node;
}

ExprPtr Parser::parse_subscript(ExprPtr object) {
  const int line = take().line;
  ExprPtr parts[3];
  std::size_t colons = 0;
  while (!is_operator("]")) {
    if (skip_operator(":")) {
      if (++colons > 2) fail("a slice has at most three parts");
    } else if (parts[colons] != nullptr) {
      fail("expected ']', got " + describe_current());
    } else {
      parts[colons] = parse_expression();
    }
  }
  expect_operator("]");
  if (colons == 0) {
    if (parts[0] == nullptr) fail("expected an index between '[' and ']'");
    auto node = make<SubscriptExpr>(line);
    node->object = std::move(object);
    node->index = std::move(parts[0]);
    raise(*node, {node->object.get(), node->index.get()});
    return node;
  }
  auto node = make<SliceExpr>(line);
  node->object = std::move(object);
  node->start = std::move(parts[0]);
  node->stop = std::move(parts[1]);
  node->step = std::move(parts[2]);
  raise(*node, {node->object.get(), node->start.get(), node->stop.get(), node->step.get()});
  return node;
}

ExprPtr Parser::parse_call(ExprPtr callee) {
  auto node = make<CallExpr>(current().line);
  node->callee = std::move(callee);
  node->args = parse_call_args();
  raise(*node, {node->callee.get()});
  raise(*node, node->args);
  return node;
}

CallArgs Parser::parse_call_args() {
  CallArgs args;
  expect_operator("(");
  bool first = true;
  while (!is_operator(")")) {
    if (!first) expect_operator(",");
    first = false;
    if (is_operator(")")) break;
    const bool named = current().kind == TokenKind::kName && peek().kind == TokenKind::kOperator &&
                       peek().text == "=";
    if (skip_operator("**")) {
      if (args.double_star) fail("a call has at most one **");
      args.double_star = parse_expression();
    } else if (args.double_star) {
      fail("nothing may follow ** in a call");
    } else if (skip_operator("*")) {
      if (args.star) fail("a call has at most one *");
      args.star = parse_expression();
    } else if (named) {
      std::string name = take().text;
      take();
      args.named.emplace_back(std::move(name), parse_expression());
    } else {
      if (!args.named.empty() || args.star) fail("a positional argument follows a named one");
      args.positional.push_back(parse_expression());
    }
  }
  expect_operator(")");
  return args;
}

ExprPtr Parser::parse_filter(ExprPtr input) {
  auto node = make<FilterExpr>(current().line);
  node->input = std::move(input);
  node->name = expect_name("the name of a filter");
  while (skip_operator(".")) node->name += "." + expect_name("the name of a filter");
  if (is_operator("(")) node->args = parse_call_args();
  node->filter = find_filter(environment_, node->name);
  raise(*node, {node->input.get()});
  raise(*node, node->args);
  return node;
}

ExprPtr Parser::parse_filter_chain() {
  ExprPtr node = parse_filter(nullptr);
  while (skip_operator("|")) node = parse_filter(std::move(node));
  return node;
}

ExprPtr Parser::parse_test(ExprPtr input) {
  auto node = make<TestExpr>(take().line);
  node->input = std::move(input);
  node->negated = skip_name("not");
  node->name = expect_name("the name of a test");
  while (skip_operator(".")) node->name += "." + expect_name("the name of a test");
  const Token& next = current();
  const bool stops = is_name("else") || is_name("or") || is_name("and");
  const bool operand = next.kind == TokenKind::kString || next.kind == TokenKind::kInteger ||
                       next.kind == TokenKind::kFloat || is_operator("[") || is_operator("{");
  if (is_operator("(")) {
    node->args = parse_call_args();
  } else if (operand || (next.kind == TokenKind::kName && !stops)) {
    if (is_name("is")) fail("tests cannot be chained with 'is'");
    node->args.positional.push_back(parse_postfix(parse_primary()));
  }
  node->test = find_test(node->name);
  raise(*node, {node->input.get()});
  raise(*node, node->args);
  return node;
}

}  // namespace notso::jinja
