// Expressions. Every evaluation counts a step and a level of depth, so that no template can run or
// recurse without end.
#include "service/template/interpreter.h"

#include "service/template/interpreter_objects.h"
#include "service/template/template_error.h"
#include "service/template/value_format.h"

namespace notso::jinja {

const Value* Scope::find_own(std::string_view name) const {
  for (const auto& [key, value] : variables_) {
    if (key == name) return &value;
  }
  return nullptr;
}

const Value* Scope::find(std::string_view name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->parent_.get()) {
    if (const Value* found = scope->find_own(name)) return found;
  }
  return nullptr;
}

void Scope::set(std::string_view name, Value value) {
  for (auto& [key, old] : variables_) {
    if (key == name) {
      old = std::move(value);
      return;
    }
  }
  variables_.emplace_back(name, std::move(value));
}

Interpreter::Interpreter(std::shared_ptr<const Environment> environment)
    : Runtime(*environment), shared_environment_(std::move(environment)) {}

Value Interpreter::eval(const Expr& expr, Frame& frame) {
  DepthGuard depth(*this);
  step();
  set_line(expr.line);
  Value value = eval_node(expr, frame);
  if (value.is(Kind::kString) && expr.kind != ExprKind::kConstant && expr.kind != ExprKind::kName) {
    charge(value.as_text().size() + value.as_text().runs().size() * sizeof(Text::Run));
    step(value.as_text().size() / 256);
  }
  return value;
}

Value Interpreter::eval_node(const Expr& expr, Frame& frame) {
  switch (expr.kind) {
    case ExprKind::kConstant:
      return static_cast<const ConstantExpr&>(expr).value;
    case ExprKind::kName:
      return eval_name(static_cast<const NameExpr&>(expr), frame);
    case ExprKind::kSequence:
      return eval_sequence(static_cast<const SequenceExpr&>(expr), frame);
    case ExprKind::kDict:
      return eval_dict(static_cast<const DictExpr&>(expr), frame);
    case ExprKind::kAttribute: {
      const auto& node = static_cast<const AttributeExpr&>(expr);
      return attribute_of(*this, eval(*node.object, frame), node.name);
    }
    case ExprKind::kSubscript: {
      const auto& node = static_cast<const SubscriptExpr&>(expr);
      const Value object = eval(*node.object, frame);
      return subscript_of(*this, object, eval(*node.index, frame));
    }
    case ExprKind::kSlice:
      return eval_slice(static_cast<const SliceExpr&>(expr), frame);
    case ExprKind::kCall:
      return eval_call(static_cast<const CallExpr&>(expr), frame);
    case ExprKind::kFilter:
      return eval_filter(static_cast<const FilterExpr&>(expr), frame, nullptr);
    case ExprKind::kTest:
      return eval_test(static_cast<const TestExpr&>(expr), frame);
    case ExprKind::kNot:
      return Value::boolean(!eval(*static_cast<const NotExpr&>(expr).operand, frame).truthy());
    case ExprKind::kSign: {
      const auto& node = static_cast<const SignExpr&>(expr);
      const Value operand = eval(*node.operand, frame);
      return node.negative ? negated(operand) : unchanged_number(operand);
    }
    case ExprKind::kArithmetic: {
      const auto& node = static_cast<const ArithmeticExpr&>(expr);
      const Value left = eval(*node.left, frame);
      const Value right = eval(*node.right, frame);
      set_line(expr.line);
      return arithmetic(*this, node.op, left, right);
    }
    case ExprKind::kConcat:
      return eval_concat(static_cast<const ConcatExpr&>(expr), frame);
    case ExprKind::kCompare:
      return eval_compare(static_cast<const CompareExpr&>(expr), frame);
    case ExprKind::kLogical: {
      const auto& node = static_cast<const LogicalExpr&>(expr);
      Value left = eval(*node.left, frame);
      return left.truthy() == node.is_and ? eval(*node.right, frame) : left;
    }
    case ExprKind::kConditional:
      return eval_conditional(static_cast<const ConditionalExpr&>(expr), frame);
  }
  return {};
}

Value Interpreter::eval_name(const NameExpr& expr, Frame& frame) {
  if (const Value* found = frame.scope->find(expr.name)) return *found;
  if (const Value* found = environment().find_global(expr.name)) return *found;
  Value builtin = find_builtin_function(expr.name);
  if (!builtin.is(Kind::kUndefined)) return builtin;
  return Value::undefined("'" + expr.name + "' is undefined");
}

Value Interpreter::eval_sequence(const SequenceExpr& expr, Frame& frame) {
  std::vector<Value> items;
  items.reserve(expr.items.size());
  for (const ExprPtr& item : expr.items) items.push_back(eval(*item, frame));
  return make_list(std::move(items), expr.tuple ? ListKind::kTuple : ListKind::kList);
}

Value Interpreter::eval_dict(const DictExpr& expr, Frame& frame) {
  Dict dict;
  for (const auto& [key_expr, value_expr] : expr.entries) {
    const Value key = eval(*key_expr, frame);
    dict.set(key, eval(*value_expr, frame));
  }
  return make_dict(std::move(dict));
}

Value Interpreter::eval_slice(const SliceExpr& expr, Frame& frame) {
  const auto part = [&](const ExprPtr& node) { return node ? eval(*node, frame) : Value(); };
  const Value object = eval(*expr.object, frame);
  const Value start = part(expr.start);
  const Value stop = part(expr.stop);
  return slice_of(*this, object, start, stop, part(expr.step));
}

Arguments Interpreter::eval_args(const CallArgs& args, Frame& frame) {
  Arguments result;
  result.positional.reserve(args.positional.size());
  for (const ExprPtr& arg : args.positional) result.positional.push_back(eval(*arg, frame));
  if (args.star) {
    for (Value& item : items_of(*this, eval(*args.star, frame))) {
      result.positional.push_back(std::move(item));
    }
  }
  for (const auto& [name, arg] : args.named) result.named.emplace_back(name, eval(*arg, frame));
  if (args.double_star) {
    const Value more = eval(*args.double_star, frame);
    if (!more.is(Kind::kDict)) throw TemplateError("what follows ** must be a dict");
    for (const auto& [key, value] : more.as_dict().entries()) {
      if (!key.is(Kind::kString)) throw TemplateError("keywords must be strings");
      result.named.emplace_back(std::string(key.as_view()), value);
    }
  }
  return result;
}

Value Interpreter::eval_call(const CallExpr& expr, Frame& frame, const Value* caller) {
  const auto arguments_of = [&] {
    Arguments arguments = eval_args(expr.args, frame);
    if (caller != nullptr) arguments.named.emplace_back("caller", *caller);
    set_line(expr.line);
    return arguments;
  };
  if (expr.callee->kind == ExprKind::kAttribute) {
    const auto& callee = static_cast<const AttributeExpr&>(*expr.callee);
    const Value object = eval(*callee.object, frame);
    if (const MethodFunction method = find_method(object, callee.name)) {
      return method(*this, object, arguments_of());
    }
    const Value function = attribute_of(*this, object, callee.name);
    Arguments arguments = arguments_of();
    return call_value(*this, function, arguments);
  }
  const Value function = eval(*expr.callee, frame);
  Arguments arguments = arguments_of();
  return call_value(*this, function, arguments);
}

Value Interpreter::eval_filter(const FilterExpr& expr, Frame& frame, const Value* input) {
  Value value;
  if (expr.input == nullptr) {
    value = *input;
  } else if (input != nullptr) {
    value = eval_filter(static_cast<const FilterExpr&>(*expr.input), frame, input);
  } else {
    value = eval(*expr.input, frame);
  }
  const Arguments arguments = eval_args(expr.args, frame);
  set_line(expr.line);
  return apply_filter(*this, expr.filter, expr.name, value, arguments);
}

Value Interpreter::eval_test(const TestExpr& expr, Frame& frame) {
  const Value value = eval(*expr.input, frame);
  const Arguments arguments = eval_args(expr.args, frame);
  set_line(expr.line);
  if (expr.test == nullptr) throw TemplateError("there is no test '" + expr.name + "'");
  return Value::boolean((*expr.test)(*this, value, arguments) != expr.negated);
}

Value Interpreter::eval_concat(const ConcatExpr& expr, Frame& frame) {
  std::vector<Value> items;
  bool safe = false;
  for (const ExprPtr& item : expr.items) {
    items.push_back(eval(*item, frame));
    safe = safe || (autoescape() && items.back().is_safe());
  }
  TextBuilder out = builder();
  for (const Value& item : items) {
    out.append(safe ? to_escaped_text(*this, item) : to_text(*this, item));
  }
  return Value::text(out.finish(), safe);
}

bool Interpreter::compare(Comparison op, const Value& left, const Value& right) {
  switch (op) {
    case Comparison::kEqual:
      return equals(*this, left, right);
    case Comparison::kNotEqual:
      return !equals(*this, left, right);
    case Comparison::kLess:
      return less(*this, left, right);
    case Comparison::kLessEqual:
      return less_or_equal(*this, left, right);
    case Comparison::kGreater:
      return less(*this, right, left);
    case Comparison::kGreaterEqual:
      return less_or_equal(*this, right, left);
    case Comparison::kIn:
      return contains(*this, right, left);
    case Comparison::kNotIn:
      return !contains(*this, right, left);
  }
  return false;
}

Value Interpreter::eval_compare(const CompareExpr& expr, Frame& frame) {
  Value left = eval(*expr.first, frame);
  for (const auto& [op, operand] : expr.rest) {
    Value right = eval(*operand, frame);
    set_line(expr.line);
    if (!compare(op, left, right)) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Value Interpreter::eval_conditional(const ConditionalExpr& expr, Frame& frame) {
  if (eval(*expr.condition, frame).truthy()) return eval(*expr.then_value, frame);
  if (expr.else_value) return eval(*expr.else_value, frame);
  return Value::undefined("the condition was false, and there is no 'else'");
}

}  // namespace notso::jinja
