// The dotted attributes that filters take ("user.name", "0", "city,name"), and sort keys.
#pragma once

#include <string_view>
#include <vector>

#include "service/template/runtime.h"
#include "service/template/value.h"

namespace notso::jinja {

// The value at `path` inside `item`: a name, a dotted path, or an integer. `fallback`, unless null,
// stands in for what is undefined. An undefined path is the item itself.
Value value_at_path(Runtime& runtime, const Value& item, const Value& path,
                    const Value* fallback = nullptr);

// The value that sorting compares: strings in lower case unless `case_sensitive`.
Value sort_key(Runtime& runtime, const Value& value, bool case_sensitive);

// The items in the order of their keys; equal keys keep their order, reversed or not.
std::vector<Value> sorted_by(Runtime& runtime, const std::vector<Value>& items,
                             const std::vector<std::vector<Value>>& keys, bool reverse);

}  // namespace notso::jinja
