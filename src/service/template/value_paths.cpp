#include "service/template/value_paths.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <string>

#include "service/template/builtins.h"
#include "service/template/string_ops.h"
#include "service/template/value_ops.h"

namespace notso::jinja {
namespace {

// A part of a path that is a number is an index.
Value path_part(std::string_view part) {
  std::int64_t index = 0;
  const char* end = part.data() + part.size();
  const auto result = std::from_chars(part.data(), end, index);
  const bool number =
      !part.empty() && part[0] != '-' && result.ec == std::errc() && result.ptr == end;
  return number ? Value::integer(index) : Value::trusted(part);
}

// -1, 0 or 1 for keys compared part by part.
int compare_keys(Runtime& runtime, const std::vector<Value>& a, const std::vector<Value>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (less(runtime, a[i], b[i])) return -1;
    if (!equals(runtime, a[i], b[i])) return 1;
  }
  return 0;
}

}  // namespace

Value value_at_path(Runtime& runtime, const Value& item, const Value& path, const Value* fallback) {
  const auto or_fallback = [&](const Value& value) {
    return value.is(Kind::kUndefined) && fallback != nullptr ? *fallback : value;
  };
  if (path.is(Kind::kUndefined) || path.is(Kind::kNone)) return item;
  if (!path.is(Kind::kString)) return or_fallback(subscript_of(runtime, item, path));
  Value value = item;
  std::string_view rest = path.as_view();
  for (bool more = true; more;) {
    runtime.step();
    const std::size_t dot = rest.find('.');
    value = or_fallback(subscript_of(runtime, value, path_part(rest.substr(0, dot))));
    more = dot != std::string_view::npos;
    if (more) rest.remove_prefix(dot + 1);
  }
  return value;
}

Value sort_key(Runtime& runtime, const Value& value, bool case_sensitive) {
  if (case_sensitive || !value.is(Kind::kString)) return value;
  return Value::text(lower(runtime, value.as_text()));
}

std::vector<Value> sorted_by(Runtime& runtime, const std::vector<Value>& items,
                             const std::vector<std::vector<Value>>& keys, bool reverse) {
  std::vector<std::size_t> order(items.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return reverse ? compare_keys(runtime, keys[b], keys[a]) < 0
                   : compare_keys(runtime, keys[a], keys[b]) < 0;
  });
  std::vector<Value> sorted;
  sorted.reserve(items.size());
  for (const std::size_t index : order) sorted.push_back(items[index]);
  return sorted;
}

}  // namespace notso::jinja
