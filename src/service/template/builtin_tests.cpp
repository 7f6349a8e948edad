// What may stand after `is`.
#include "service/template/builtins.h"
#include "service/template/string_ops.h"
#include "service/template/template_error.h"
#include "service/template/value_format.h"
#include "service/template/value_ops.h"

namespace notso::jinja {
namespace {

using Args = Arguments;

// The one operand of a comparing test.
const Value& operand(const Args& args) {
  if (args.positional.size() != 1 || !args.named.empty()) {
    throw TemplateError("the test needs one argument");
  }
  return args.positional[0];
}

template <Kind kKind>
bool test_kind(Runtime& /*runtime*/, const Value& value, const Args& /*args*/) {
  return value.is(kKind);
}

bool test_defined(Runtime& /*runtime*/, const Value& value, const Args& /*args*/) {
  return !value.is(Kind::kUndefined);
}

bool test_number(Runtime& /*runtime*/, const Value& value, const Args& /*args*/) {
  return value.is_number();
}

bool test_true(Runtime& /*runtime*/, const Value& value, const Args& /*args*/) {
  return value.is(Kind::kBool) && value.as_bool();
}

bool test_false(Runtime& /*runtime*/, const Value& value, const Args& /*args*/) {
  return value.is(Kind::kBool) && !value.as_bool();
}

bool test_sequence(Runtime& /*runtime*/, const Value& value, const Args& /*args*/) {
  if (value.is(Kind::kList)) {
    const ListKind kind = value.list_kind();
    return kind == ListKind::kList || kind == ListKind::kTuple || kind == ListKind::kGroup;
  }
  return is_iterable(value);
}

bool test_iterable(Runtime& /*runtime*/, const Value& value, const Args& /*args*/) {
  return is_iterable(value);
}

bool test_callable(Runtime& /*runtime*/, const Value& value, const Args& /*args*/) {
  return value.is(Kind::kObject) && value.as_object().callable();
}

bool test_escaped(Runtime& /*runtime*/, const Value& value, const Args& /*args*/) {
  return value.is_safe();
}

bool divides(Runtime& runtime, const Value& value, std::int64_t divisor, std::int64_t rest) {
  const Value modulo = arithmetic(runtime, Arithmetic::kModulo, value, Value::integer(divisor));
  return equals(runtime, modulo, Value::integer(rest));
}

bool test_odd(Runtime& runtime, const Value& value, const Args& /*args*/) {
  return divides(runtime, value, 2, 1);
}

bool test_even(Runtime& runtime, const Value& value, const Args& /*args*/) {
  return divides(runtime, value, 2, 0);
}

bool test_divisibleby(Runtime& runtime, const Value& value, const Args& args) {
  return divides(runtime, value, index_of(operand(args)), 0);
}

bool test_eq(Runtime& runtime, const Value& value, const Args& args) {
  return equals(runtime, value, operand(args));
}

bool test_ne(Runtime& runtime, const Value& value, const Args& args) {
  return !equals(runtime, value, operand(args));
}

bool test_lt(Runtime& runtime, const Value& value, const Args& args) {
  return less(runtime, value, operand(args));
}

bool test_le(Runtime& runtime, const Value& value, const Args& args) {
  return less_or_equal(runtime, value, operand(args));
}

bool test_gt(Runtime& runtime, const Value& value, const Args& args) {
  return less(runtime, operand(args), value);
}

bool test_ge(Runtime& runtime, const Value& value, const Args& args) {
  return less_or_equal(runtime, operand(args), value);
}

bool test_in(Runtime& runtime, const Value& value, const Args& args) {
  return contains(runtime, operand(args), value);
}

bool test_sameas(Runtime& /*runtime*/, const Value& value, const Args& args) {
  return value.same_as(operand(args));
}

// str.isupper() and str.islower(), also of what is not a string yet.
bool has_case(Runtime& runtime, const Value& value, std::string_view method) {
  const Value text = Value::text(to_text(runtime, value));
  return find_method(text, method)(runtime, text, {}).truthy();
}

bool test_upper(Runtime& runtime, const Value& value, const Args& /*args*/) {
  return has_case(runtime, value, "isupper");
}

bool test_lower(Runtime& runtime, const Value& value, const Args& /*args*/) {
  return has_case(runtime, value, "islower");
}

bool test_filter(Runtime& runtime, const Value& value, const Args& /*args*/) {
  if (!value.is(Kind::kString)) return false;
  const FilterRef filter = find_filter(runtime.environment(), value.as_view());
  return filter.builtin != nullptr || filter.custom != nullptr;
}

bool test_test(Runtime& /*runtime*/, const Value& value, const Args& /*args*/) {
  return value.is(Kind::kString) && find_test(value.as_view()) != nullptr;
}

constexpr TestEntry kTests[] = {
    {"!=", test_ne},
    {"<", test_lt},
    {"<=", test_le},
    {"==", test_eq},
    {">", test_gt},
    {">=", test_ge},
    {"boolean", test_kind<Kind::kBool>},
    {"callable", test_callable},
    {"defined", test_defined},
    {"divisibleby", test_divisibleby},
    {"eq", test_eq},
    {"equalto", test_eq},
    {"escaped", test_escaped},
    {"even", test_even},
    {"false", test_false},
    {"filter", test_filter},
    {"float", test_kind<Kind::kFloat>},
    {"ge", test_ge},
    {"greaterthan", test_gt},
    {"gt", test_gt},
    {"in", test_in},
    {"integer", test_kind<Kind::kInt>},
    {"iterable", test_iterable},
    {"le", test_le},
    {"lessthan", test_lt},
    {"lower", test_lower},
    {"lt", test_lt},
    {"mapping", test_kind<Kind::kDict>},
    {"ne", test_ne},
    {"none", test_kind<Kind::kNone>},
    {"number", test_number},
    {"odd", test_odd},
    {"sameas", test_sameas},
    {"sequence", test_sequence},
    {"string", test_kind<Kind::kString>},
    {"test", test_test},
    {"true", test_true},
    {"undefined", test_kind<Kind::kUndefined>},
    {"upper", test_upper},
};

}  // namespace

std::span<const TestEntry> builtin_tests() { return kTests; }

}  // namespace notso::jinja
