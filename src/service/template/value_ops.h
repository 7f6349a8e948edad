// Python's operators on values.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "service/template/runtime.h"
#include "service/template/value.h"

namespace notso::jinja {

// The arithmetic operators.
enum class Arithmetic { kAdd, kSubtract, kMultiply, kDivide, kFloorDivide, kModulo, kPower };

// a == b.
bool equals(Runtime& runtime, const Value& a, const Value& b);
// a < b; throws when the types have no order.
bool less(Runtime& runtime, const Value& a, const Value& b);
// a <= b.
bool less_or_equal(Runtime& runtime, const Value& a, const Value& b);
// item in container.
bool contains(Runtime& runtime, const Value& container, const Value& item);

// a OP b.
Value arithmetic(Runtime& runtime, Arithmetic op, const Value& a, const Value& b);
// -a or +a.
Value negated(const Value& a);
Value unchanged_number(const Value& a);

// What `for x in value` visits; throws when it is not iterable.
std::vector<Value> items_of(Runtime& runtime, const Value& value);
// len(value).
std::size_t length_of(const Value& value);
bool is_iterable(const Value& value);

// value[key], or nothing when there is no such item.
std::optional<Value> item_at(Runtime& runtime, const Value& value, const Value& key);
// value[start:stop:step]; parts left out are undefined or none.
Value slice_of(Runtime& runtime, const Value& value, const Value& start, const Value& stop,
               const Value& step);
// The characters of `text`, each as a text of its own.
std::vector<Value> characters_of(Runtime& runtime, const Text& text, bool safe = false);

// Python's int() of a bool or an int, as indices and counts need it; throws for other kinds.
std::int64_t index_of(const Value& value);
// The number as a double; the kind must be a number.
double float_of(const Value& value);

}  // namespace notso::jinja
