// Python's arithmetic: integers that stay integers (64 bits; more is an error), true and floor
// division, and + * % of strings and lists.
#include <algorithm>
#include <cmath>

#include "service/template/string_format.h"
#include "service/template/template_error.h"
#include "service/template/value_format.h"
#include "service/template/value_ops.h"

namespace notso::jinja {
namespace {

bool is_integral(const Value& value) { return value.is(Kind::kInt) || value.is(Kind::kBool); }

const char* symbol_of(Arithmetic op) {
  switch (op) {
    case Arithmetic::kAdd:
      return "+";
    case Arithmetic::kSubtract:
      return "-";
    case Arithmetic::kMultiply:
      return "*";
    case Arithmetic::kDivide:
      return "/";
    case Arithmetic::kFloorDivide:
      return "//";
    case Arithmetic::kModulo:
      return "%";
    case Arithmetic::kPower:
      return "**";
  }
  return "?";
}

[[noreturn]] void throw_overflow() {
  throw TemplateError("an integer does not fit in 64 bits", ErrorCode::kUnsupported);
}

std::int64_t integer_power(std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) throw_overflow();
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) throw_overflow();
  }
  return result;
}

void require_divisor(bool nonzero) {
  if (!nonzero) throw TemplateError("division by zero");
}

Value integer_arithmetic(Arithmetic op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  switch (op) {
    case Arithmetic::kAdd:
      if (__builtin_add_overflow(a, b, &result)) throw_overflow();
      return Value::integer(result);
    case Arithmetic::kSubtract:
      if (__builtin_sub_overflow(a, b, &result)) throw_overflow();
      return Value::integer(result);
    case Arithmetic::kMultiply:
      if (__builtin_mul_overflow(a, b, &result)) throw_overflow();
      return Value::integer(result);
    case Arithmetic::kDivide:
      require_divisor(b != 0);
      return Value::number(static_cast<double>(a) / static_cast<double>(b));
    case Arithmetic::kFloorDivide:
      require_divisor(b != 0);
      if (b == -1) return integer_arithmetic(Arithmetic::kSubtract, 0, a);
      return Value::integer(a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0));
    case Arithmetic::kModulo:
      require_divisor(b != 0);
      if (b == -1) return Value::integer(0);
      result = a % b;
      return Value::integer(result != 0 && (result < 0) != (b < 0) ? result + b : result);
    case Arithmetic::kPower:
      if (b < 0) {
        require_divisor(a != 0);
        return Value::number(std::pow(static_cast<double>(a), static_cast<double>(b)));
      }
      return Value::integer(integer_power(a, b));
  }
  return {};
}

Value float_arithmetic(Arithmetic op, double a, double b) {
  switch (op) {
    case Arithmetic::kAdd:
      return Value::number(a + b);
    case Arithmetic::kSubtract:
      return Value::number(a - b);
    case Arithmetic::kMultiply:
      return Value::number(a * b);
    case Arithmetic::kDivide:
      require_divisor(b != 0);
      return Value::number(a / b);
    case Arithmetic::kFloorDivide:
      require_divisor(b != 0);
      return Value::number(std::floor(a / b));
    case Arithmetic::kModulo: {
      require_divisor(b != 0);
      const double rest = std::fmod(a, b);
      return Value::number(rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest);
    }
    case Arithmetic::kPower:
      if (a == 0 && b < 0) require_divisor(false);
      return Value::number(std::pow(a, b));
  }
  return {};
}

// Markup swallows plain strings escaped: only text that is known to be safe stays unescaped.
Value add_strings(Runtime& runtime, const Value& a, const Value& b) {
  const bool safe = a.is_safe() || b.is_safe();
  TextBuilder out = runtime.builder();
  for (const Value* side : {&a, &b}) {
    out.append(safe && !side->is_safe() ? escape_html(runtime, side->as_text()) : side->as_text());
  }
  return Value::text(out.finish(), safe);
}

Value repeat(Runtime& runtime, const Value& value, std::int64_t count) {
  const auto times = static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0));
  if (value.is(Kind::kString)) {
    TextBuilder out = runtime.builder();
    out.append_repeated(value.as_text(), times);
    return Value::text(out.finish(), value.is_safe());
  }
  const auto& items = value.as_list();
  if (!items.empty()) runtime.check_items(times);
  runtime.check_items(items.size() * (items.empty() ? 0 : times));
  std::vector<Value> all;
  for (std::uint64_t i = 0; i < times && !items.empty(); ++i) {
    all.insert(all.end(), items.begin(), items.end());
  }
  return runtime.make_list(std::move(all), value.list_kind());
}

bool can_repeat(const Value& value) { return value.is(Kind::kString) || value.is(Kind::kList); }

Value add_lists(Runtime& runtime, const Value& a, const Value& b) {
  if (a.list_kind() != b.list_kind()) {
    throw TemplateError("can only concatenate " + a.type_name() + " (not \"" + b.type_name() +
                        "\") to " + a.type_name());
  }
  runtime.check_items(a.as_list().size() + b.as_list().size());
  std::vector<Value> items = a.as_list();
  items.insert(items.end(), b.as_list().begin(), b.as_list().end());
  return runtime.make_list(std::move(items), a.list_kind());
}

}  // namespace

Value arithmetic(Runtime& runtime, Arithmetic op, const Value& a, const Value& b) {
  for (const Value* value : {&a, &b}) {
    if (value->is(Kind::kUndefined)) throw TemplateError(value->undefined_message());
  }
  if (op == Arithmetic::kModulo && a.is(Kind::kString)) return percent_format(runtime, a, b);
  if (is_integral(a) && is_integral(b)) {
    return integer_arithmetic(op, index_of(a), index_of(b));
  }
  if (a.is_number() && b.is_number()) return float_arithmetic(op, float_of(a), float_of(b));
  if (op == Arithmetic::kAdd && a.is(Kind::kString) && b.is(Kind::kString)) {
    return add_strings(runtime, a, b);
  }
  if (op == Arithmetic::kAdd && a.is(Kind::kList) && b.is(Kind::kList)) {
    return add_lists(runtime, a, b);
  }
  if (op == Arithmetic::kMultiply && can_repeat(a) && is_integral(b)) {
    return repeat(runtime, a, index_of(b));
  }
  if (op == Arithmetic::kMultiply && can_repeat(b) && is_integral(a)) {
    return repeat(runtime, b, index_of(a));
  }
  throw TemplateError("unsupported operand types for " + std::string(symbol_of(op)) + ": '" +
                      a.type_name() + "' and '" + b.type_name() + "'");
}

Value negated(const Value& a) {
  if (a.is(Kind::kFloat)) return Value::number(-a.as_float());
  return integer_arithmetic(Arithmetic::kSubtract, 0, index_of(a));
}

Value unchanged_number(const Value& a) {
  return a.is(Kind::kFloat) ? a : Value::integer(index_of(a));
}

}  // namespace notso::jinja
