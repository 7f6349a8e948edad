// The methods of list, tuple and dict. Those that change the container work on containers that the
// template itself made.
#include <algorithm>

#include "service/template/builtins.h"
#include "service/template/template_error.h"
#include "service/template/value_ops.h"

namespace notso::jinja {
namespace {

using Args = Arguments;

// Adds to a container what stays inside it: counted, and never the container itself.
void account_for(Runtime& runtime, const Value& self, const Value& item) {
  runtime.check_acyclic(self, item);
  runtime.check_items(length_of(self) + 1);
  runtime.charge(sizeof(Value) * 2);
}

std::size_t clamped_index(std::int64_t index, std::size_t size) {
  if (index < 0) index += static_cast<std::int64_t>(size);
  return static_cast<std::size_t>(
      std::clamp<std::int64_t>(index, 0, static_cast<std::int64_t>(size)));
}

Value list_append(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("append", args, {"object"});
  account_for(runtime, self, bound.at(0));
  runtime.mutable_list(self).push_back(bound.at(0));
  return Value::none();
}

Value list_extend(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("extend", args, {"iterable"});
  const std::vector<Value> items = items_of(runtime, bound.at(0));
  for (const Value& item : items) account_for(runtime, self, item);
  runtime.check_items(length_of(self) + items.size());
  auto& list = runtime.mutable_list(self);
  list.insert(list.end(), items.begin(), items.end());
  return Value::none();
}

Value list_insert(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("insert", args, {"index", "object"});
  account_for(runtime, self, bound.at(1));
  auto& list = runtime.mutable_list(self);
  runtime.step(list.size() / 64);
  const std::size_t at = clamped_index(index_of(bound.at(0)), list.size());
  list.insert(list.begin() + static_cast<std::ptrdiff_t>(at), bound.at(1));
  return Value::none();
}

Value list_pop(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("pop", args, {"index"});
  auto& list = runtime.mutable_list(self);
  std::int64_t at = bound.integer(0, -1);
  if (at < 0) at += static_cast<std::int64_t>(list.size());
  if (at < 0 || at >= static_cast<std::int64_t>(list.size())) {
    throw TemplateError("pop index out of range");
  }
  runtime.step(list.size() / 64);
  Value item = list[static_cast<std::size_t>(at)];
  list.erase(list.begin() + at);
  return item;
}

Value list_reverse(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("reverse", args, {});
  auto& list = runtime.mutable_list(self);
  runtime.step(list.size() / 8);
  std::reverse(list.begin(), list.end());
  return Value::none();
}

Value list_clear(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("clear", args, {});
  runtime.mutable_list(self).clear();
  return Value::none();
}

Value list_copy(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("copy", args, {});
  return runtime.make_list(self.as_list());
}

Value list_index(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("index", args, {"value", "start", "stop"});
  const auto& items = self.as_list();
  const std::size_t stop =
      bound.has(2) ? clamped_index(index_of(bound.at(2)), items.size()) : items.size();
  for (std::size_t i = clamped_index(bound.integer(1, 0), items.size()); i < stop; ++i) {
    if (equals(runtime, items[i], bound.at(0))) {
      return Value::integer(static_cast<std::int64_t>(i));
    }
  }
  throw TemplateError("the value is not in the list");
}

Value list_count(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("count", args, {"value"});
  std::int64_t count = 0;
  for (const Value& item : self.as_list()) count += equals(runtime, item, bound.at(0)) ? 1 : 0;
  return Value::integer(count);
}

Value list_remove(Runtime& runtime, const Value& self, const Args& args) {
  const Value at = list_index(runtime, self, args);
  auto& list = runtime.mutable_list(self);
  list.erase(list.begin() + at.as_int());
  return Value::none();
}

Value dict_items(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("items", args, {});
  std::vector<Value> items;
  for (const auto& [key, value] : self.as_dict().entries()) {
    items.push_back(runtime.make_list({key, value}, ListKind::kTuple));
  }
  return runtime.make_list(std::move(items), ListKind::kItems);
}

Value dict_keys(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("keys", args, {});
  return runtime.make_list(items_of(runtime, self), ListKind::kKeys);
}

Value dict_values(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("values", args, {});
  std::vector<Value> values;
  for (const auto& entry : self.as_dict().entries()) values.push_back(entry.second);
  return runtime.make_list(std::move(values), ListKind::kValues);
}

Value dict_get(Runtime& /*runtime*/, const Value& self, const Args& args) {
  Bound bound("get", args, {"key", "default"});
  if (const Value* found = self.as_dict().find(bound.at(0))) return *found;
  return bound.has(1) ? bound.at(1) : Value::none();
}

void put(Runtime& runtime, const Value& self, const Value& key, const Value& value) {
  account_for(runtime, self, value);
  runtime.mutable_dict(self).set(key, value);
}

Value dict_update(Runtime& runtime, const Value& self, const Args& args) {
  if (args.positional.size() > 1) throw TemplateError("update() takes at most one dict");
  for (const Value& source : args.positional) {
    if (!source.is(Kind::kDict)) throw TemplateError("update() needs a dict");
    const std::vector<Dict::Entry> entries = source.as_dict().entries();
    for (const auto& [key, value] : entries) put(runtime, self, key, value);
  }
  for (const auto& [name, value] : args.named) put(runtime, self, Value::trusted(name), value);
  return Value::none();
}

Value dict_setdefault(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("setdefault", args, {"key", "default"});
  if (const Value* found = self.as_dict().find(bound.at(0))) return *found;
  Value value = bound.has(1) ? bound.at(1) : Value::none();
  put(runtime, self, bound.at(0), value);
  return value;
}

Value dict_pop(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("pop", args, {"key", "default"});
  const Value* found = self.as_dict().find(bound.at(0));
  if (found == nullptr) {
    if (bound.has(1)) return bound.at(1);
    throw TemplateError("pop(): the dict has no such key");
  }
  Value value = *found;
  runtime.step(self.as_dict().size());
  runtime.mutable_dict(self).erase(bound.at(0));
  return value;
}

Value dict_copy(Runtime& runtime, const Value& self, const Args& args) {
  Bound bound("copy", args, {});
  return runtime.make_dict(self.as_dict());
}

constexpr FilterEntry kListMethods[] = {
    {"append", list_append},   {"clear", list_clear},   {"copy", list_copy},
    {"count", list_count},     {"extend", list_extend}, {"index", list_index},
    {"insert", list_insert},   {"pop", list_pop},       {"remove", list_remove},
    {"reverse", list_reverse},
};

constexpr FilterEntry kDictMethods[] = {
    {"copy", dict_copy},     {"get", dict_get},       {"items", dict_items},
    {"keys", dict_keys},     {"pop", dict_pop},       {"setdefault", dict_setdefault},
    {"update", dict_update}, {"values", dict_values},
};

}  // namespace

std::span<const FilterEntry> list_methods() { return kListMethods; }
std::span<const FilterEntry> dict_methods() { return kDictMethods; }

}  // namespace notso::jinja
