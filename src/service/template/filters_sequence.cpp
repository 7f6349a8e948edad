// Filters over sequences and mappings as wholes: order, grouping, joining, cutting.
#include <algorithm>

#include "service/template/builtins.h"
#include "service/template/string_ops.h"
#include "service/template/template_error.h"
#include "service/template/value_format.h"
#include "service/template/value_ops.h"
#include "service/template/value_paths.h"

namespace notso::jinja {
namespace {

using Args = Arguments;

Value filter_length(Runtime& /*runtime*/, const Value& value, const Args& args) {
  Bound bound("length", args, {});
  return Value::integer(static_cast<std::int64_t>(length_of(value)));
}

Value filter_list(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("list", args, {});
  return runtime.make_list(items_of(runtime, value));
}

Value filter_first(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("first", args, {});
  const std::vector<Value> items = items_of(runtime, value);
  return items.empty() ? Value::undefined("no first item, sequence was empty") : items.front();
}

Value filter_last(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("last", args, {});
  const std::vector<Value> items = items_of(runtime, value);
  return items.empty() ? Value::undefined("no last item, sequence was empty") : items.back();
}

Value filter_reverse(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("reverse", args, {});
  std::vector<Value> items = items_of(runtime, value);
  std::reverse(items.begin(), items.end());
  if (!value.is(Kind::kString)) return runtime.make_list(std::move(items));
  TextBuilder out = runtime.builder();
  for (const Value& item : items) out.append(item.as_text());
  return Value::text(out.finish(), value.is_safe());
}

Value filter_join(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("join", args, {"d", "attribute"});
  std::vector<Value> items = items_of(runtime, value);
  const Value separator = bound.has(0) ? bound.at(0) : Value::trusted("");
  bool safe = separator.is_safe();
  for (Value& item : items) {
    if (bound.has(1)) item = value_at_path(runtime, item, bound.at(1));
    safe = safe || item.is_safe();
  }
  safe = safe && runtime.autoescape();
  const auto part = [&](const Value& item) {
    return safe ? to_escaped_text(runtime, item) : to_text(runtime, item);
  };
  TextBuilder out = runtime.builder();
  for (std::size_t i = 0; i < items.size(); ++i) {
    runtime.step();
    if (i > 0) out.append(part(separator));
    out.append(part(items[i]));
  }
  return Value::text(out.finish(), safe);
}

Value filter_sort(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("sort", args, {"reverse", "case_sensitive", "attribute"});
  const std::vector<Value> items = items_of(runtime, value);
  std::vector<Value> paths = {bound.get(2)};
  if (paths[0].is(Kind::kString)) {
    const Text comma(",", true);
    paths.clear();
    for (const Text& path : split(runtime, bound.at(2).as_text(), &comma, -1)) {
      paths.push_back(Value::text(path));
    }
  }
  std::vector<std::vector<Value>> keys;
  for (const Value& item : items) {
    keys.emplace_back();
    for (const Value& path : paths) {
      keys.back().push_back(
          sort_key(runtime, value_at_path(runtime, item, path), bound.boolean(1, false)));
    }
  }
  return runtime.make_list(sorted_by(runtime, items, keys, bound.boolean(0, false)));
}

Value filter_dictsort(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("dictsort", args, {"case_sensitive", "by", "reverse"});
  if (!value.is(Kind::kDict)) throw TemplateError("dictsort needs a dict");
  const Text by = bound.text(1, Text("key", true));
  if (by.view() != "key" && by.view() != "value") {
    throw TemplateError("dictsort: 'by' must be \"key\" or \"value\"");
  }
  std::vector<Value> items;
  std::vector<std::vector<Value>> keys;
  for (const auto& [key, item] : value.as_dict().entries()) {
    items.push_back(runtime.make_list({key, item}, ListKind::kTuple));
    keys.push_back({sort_key(runtime, by.view() == "key" ? key : item, bound.boolean(0, false))});
  }
  return runtime.make_list(sorted_by(runtime, items, keys, bound.boolean(2, false)));
}

Value filter_groupby(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("groupby", args, {"attribute", "default", "case_sensitive"});
  const std::vector<Value> items = items_of(runtime, value);
  const Value fallback = bound.get(1);
  std::vector<Value> pairs;
  std::vector<std::vector<Value>> keys;
  for (const Value& item : items) {
    const Value group =
        value_at_path(runtime, item, bound.at(0), bound.has(1) ? &fallback : nullptr);
    pairs.push_back(runtime.make_list({group, item}, ListKind::kTuple));
    keys.push_back({sort_key(runtime, group, bound.boolean(2, false))});
  }
  std::vector<Value> groups;
  std::vector<Value> members;
  const std::vector<Value> sorted = sorted_by(runtime, pairs, keys, false);
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const Value& group = sorted[i].as_list()[0];
    members.push_back(sorted[i].as_list()[1]);
    const auto key_of = [&](std::size_t at) {
      return sort_key(runtime, sorted[at].as_list()[0], bound.boolean(2, false));
    };
    if (i + 1 < sorted.size() && equals(runtime, key_of(i), key_of(i + 1))) continue;
    const Value& first = sorted[i + 1 - members.size()].as_list()[0];
    const Value name = bound.boolean(2, false) ? group : first;
    groups.push_back(
        runtime.make_list({name, runtime.make_list(std::move(members))}, ListKind::kGroup));
    members.clear();
  }
  return runtime.make_list(std::move(groups));
}

Value filter_unique(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("unique", args, {"case_sensitive", "attribute"});
  Dict seen;
  std::vector<Value> items;
  for (const Value& item : items_of(runtime, value)) {
    runtime.step();
    const Value key =
        sort_key(runtime, value_at_path(runtime, item, bound.get(1)), bound.boolean(0, false));
    if (seen.find(key) != nullptr) continue;
    seen.set(key, Value::none());
    items.push_back(item);
  }
  return runtime.make_list(std::move(items));
}

Value extreme(Runtime& runtime, const Value& value, const Args& args, bool largest) {
  Bound bound(largest ? "max" : "min", args, {"case_sensitive", "attribute"});
  const std::vector<Value> items = items_of(runtime, value);
  if (items.empty()) return Value::undefined("no aggregated item, sequence was empty");
  const auto key_of = [&](const Value& item) {
    return sort_key(runtime, value_at_path(runtime, item, bound.get(1)), bound.boolean(0, false));
  };
  const Value* best = &items[0];
  Value best_key = key_of(items[0]);
  for (const Value& item : items) {
    Value key = key_of(item);
    const bool better = largest ? less(runtime, best_key, key) : less(runtime, key, best_key);
    if (!better) continue;
    best = &item;
    best_key = std::move(key);
  }
  return *best;
}

Value filter_max(Runtime& runtime, const Value& value, const Args& args) {
  return extreme(runtime, value, args, true);
}

Value filter_min(Runtime& runtime, const Value& value, const Args& args) {
  return extreme(runtime, value, args, false);
}

Value filter_batch(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("batch", args, {"linecount", "fill_with"});
  const std::int64_t size = index_of(bound.at(0));
  if (size < 1) throw TemplateError("batch: the size must be at least 1");
  runtime.check_items(static_cast<std::uint64_t>(size));
  std::vector<Value> batches;
  std::vector<Value> batch;
  const auto flush = [&] {
    batches.push_back(runtime.make_list(std::move(batch)));
    batch.clear();
  };
  for (const Value& item : items_of(runtime, value)) {
    if (static_cast<std::int64_t>(batch.size()) == size) flush();
    batch.push_back(item);
  }
  if (!batch.empty()) {
    if (bound.has(1) && !bound.at(1).is(Kind::kNone)) {
      batch.resize(static_cast<std::size_t>(size), bound.at(1));
    }
    flush();
  }
  return runtime.make_list(std::move(batches));
}

Value filter_slice(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("slice", args, {"slices", "fill_with"});
  const std::vector<Value> items = items_of(runtime, value);
  const std::int64_t wanted = index_of(bound.at(0));
  if (wanted < 1) throw TemplateError("slice: there must be at least 1 slice");
  runtime.check_items(static_cast<std::uint64_t>(wanted));
  const auto slices = static_cast<std::size_t>(wanted);
  const std::size_t per_slice = items.size() / slices;
  const std::size_t with_extra = items.size() % slices;
  std::vector<Value> result;
  std::size_t at = 0;
  for (std::size_t number = 0; number < slices; ++number) {
    runtime.step();
    const std::size_t size = per_slice + (number < with_extra ? 1 : 0);
    std::vector<Value> slice(items.begin() + static_cast<std::ptrdiff_t>(at),
                             items.begin() + static_cast<std::ptrdiff_t>(at + size));
    at += size;
    const bool fills = bound.has(1) && !bound.at(1).is(Kind::kNone);
    if (fills && number >= with_extra) slice.push_back(bound.at(1));
    result.push_back(runtime.make_list(std::move(slice)));
  }
  return runtime.make_list(std::move(result));
}

Value filter_items(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("items", args, {});
  if (value.is(Kind::kUndefined)) return runtime.make_list({});
  if (!value.is(Kind::kDict)) throw TemplateError("items needs a dict");
  return runtime.make_list(items_of(runtime, find_method(value, "items")(runtime, value, {})));
}

Value filter_default(Runtime& /*runtime*/, const Value& value, const Args& args) {
  Bound bound("default", args, {"default_value", "boolean"});
  const bool missing = value.is(Kind::kUndefined) || (bound.boolean(1, false) && !value.truthy());
  if (!missing) return value;
  return bound.has(0) ? bound.at(0) : Value::trusted("");
}

Value filter_attr(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("attr", args, {"name"});
  const std::string name(bound.text(0, {}).view());
  // Unlike `.`, the filter never looks at the items of a dict.
  if (value.is(Kind::kDict) && find_method(value, name) == nullptr) {
    return Value::undefined("'dict object' has no attribute '" + name + "'");
  }
  return attribute_of(runtime, value, name);
}

Value filter_sum(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("sum", args, {"attribute", "start"});
  Value total = bound.has(1) ? bound.at(1) : Value::integer(0);
  for (const Value& item : items_of(runtime, value)) {
    runtime.step();
    total =
        arithmetic(runtime, Arithmetic::kAdd, total, value_at_path(runtime, item, bound.get(0)));
  }
  return total;
}

constexpr FilterEntry kFilters[] = {
    {"attr", filter_attr},       {"batch", filter_batch},     {"count", filter_length},
    {"d", filter_default},       {"default", filter_default}, {"dictsort", filter_dictsort},
    {"first", filter_first},     {"groupby", filter_groupby}, {"items", filter_items},
    {"join", filter_join},       {"last", filter_last},       {"length", filter_length},
    {"list", filter_list},       {"max", filter_max},         {"min", filter_min},
    {"reverse", filter_reverse}, {"slice", filter_slice},     {"sort", filter_sort},
    {"sum", filter_sum},         {"unique", filter_unique},
};

}  // namespace

std::span<const FilterEntry> sequence_filters() { return kFilters; }

}  // namespace notso::jinja
