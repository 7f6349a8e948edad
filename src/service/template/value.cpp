#include "service/template/value.h"

#include <cmath>
#include <functional>

#include "service/template/object.h"
#include "service/template/template_error.h"

namespace notso::jinja {
namespace {

// Below this size a scan beats a hash.
constexpr std::size_t kIndexedFrom = 16;
constexpr std::size_t kNotFound = static_cast<std::size_t>(-1);

[[noreturn]] void throw_unhashable(const Value& key) {
  throw TemplateError("unhashable type: '" + key.type_name() + "'");
}

double number_of(const Value& value) {
  if (value.is(Kind::kBool)) return value.as_bool() ? 1.0 : 0.0;
  if (value.is(Kind::kInt)) return static_cast<double>(value.as_int());
  return value.as_float();
}

bool same_scalar_key(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    if (a.is(Kind::kInt) && b.is(Kind::kInt)) return a.as_int() == b.as_int();
    return number_of(a) == number_of(b);
  }
  if (a.kind() != b.kind()) return false;
  if (a.is(Kind::kString)) return a.as_view() == b.as_view();
  return a.is(Kind::kNone) || a.same_as(b);
}

bool same_key(const Value& a, const Value& b) {
  if (!a.is(Kind::kList) || !b.is(Kind::kList)) return same_scalar_key(a, b);
  const auto& left = a.as_list();
  const auto& right = b.as_list();
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (!same_scalar_key(left[i], right[i])) return false;
  }
  return true;
}

std::size_t hash_scalar(const Value& key) {
  switch (key.kind()) {
    case Kind::kNone:
      return 1;
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
      return std::hash<double>{}(number_of(key));
    case Kind::kString:
      return std::hash<std::string_view>{}(key.as_view());
    case Kind::kObject:
      return std::hash<const void*>{}(&key.as_object());
    default:
      throw_unhashable(key);
  }
}

std::size_t hash_key(const Value& key) {
  if (!key.is(Kind::kList)) return hash_scalar(key);
  if (key.list_kind() != ListKind::kTuple) throw_unhashable(key);
  std::size_t hash = 7;
  for (const Value& item : key.as_list()) hash = hash * 31 + hash_scalar(item);
  return hash;
}

}  // namespace

Value Value::undefined(std::string message) {
  return Value(Data(std::make_shared<const std::string>(std::move(message))));
}
Value Value::none() { return Value(Data(std::monostate{})); }
Value Value::boolean(bool value) { return Value(Data(value)); }
Value Value::integer(std::int64_t value) { return Value(Data(value)); }
Value Value::number(double value) { return Value(Data(value)); }
Value Value::string(std::string_view bytes) { return text(Text(std::string(bytes), false)); }
Value Value::trusted(std::string_view bytes) { return text(Text(std::string(bytes), true)); }
Value Value::markup(std::string_view bytes) { return text(Text(std::string(bytes), false), true); }
Value Value::text(Text text, bool safe) { return Value(Data(StringValue{std::move(text), safe})); }

Value Value::list(std::vector<Value> items, ListKind kind) {
  auto rep = std::make_shared<ListRep>();
  rep->items = std::move(items);
  rep->kind = kind;
  return Value(Data(std::move(rep)));
}

Value Value::dict(Dict entries) {
  auto rep = std::make_shared<DictRep>();
  rep->entries = std::move(entries);
  return Value(Data(std::move(rep)));
}

Value Value::object(std::shared_ptr<Object> object) { return Value(Data(std::move(object))); }

bool Value::is_number() const { return is(Kind::kBool) || is(Kind::kInt) || is(Kind::kFloat); }

bool Value::is_safe() const { return is(Kind::kString) && std::get<StringValue>(data_).safe; }

const std::vector<Value>& Value::as_list() const {
  return std::get<std::shared_ptr<ListRep>>(data_)->items;
}

ListKind Value::list_kind() const { return std::get<std::shared_ptr<ListRep>>(data_)->kind; }

const Dict& Value::as_dict() const { return std::get<std::shared_ptr<DictRep>>(data_)->entries; }

std::string Value::undefined_message() const {
  const auto& message = std::get<UndefinedPtr>(data_);
  return message ? *message : "the value is undefined";
}

bool Value::truthy() const {
  switch (kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return as_bool();
    case Kind::kInt:
      return as_int() != 0;
    case Kind::kFloat:
      return as_float() != 0;
    case Kind::kString:
      return !as_text().empty();
    case Kind::kList:
      return !as_list().empty();
    case Kind::kDict:
      return as_dict().size() != 0;
    case Kind::kObject:
      return true;
  }
  return true;
}

std::string Value::type_name() const {
  switch (kind()) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return is_safe() ? "Markup" : "str";
    case Kind::kList:
      if (list_kind() == ListKind::kList) return "list";
      if (list_kind() == ListKind::kKeys) return "dict_keys";
      if (list_kind() == ListKind::kValues) return "dict_values";
      if (list_kind() == ListKind::kItems) return "dict_items";
      return "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kObject:
      return std::string(as_object().type_name());
  }
  return "object";
}

bool Value::same_as(const Value& other) const {
  if (kind() != other.kind()) return false;
  switch (kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kBool:
      return as_bool() == other.as_bool();
    case Kind::kInt:
      return as_int() == other.as_int();
    case Kind::kFloat:
      return as_float() == other.as_float();
    case Kind::kString:
      return as_view() == other.as_view();
    case Kind::kList:
      return &as_list() == &other.as_list();
    case Kind::kDict:
      return &as_dict() == &other.as_dict();
    case Kind::kObject:
      return &as_object() == &other.as_object();
  }
  return false;
}

std::size_t Dict::position(const Value& key) const {
  if (entries_.size() < kIndexedFrom) {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (same_key(entries_[i].first, key)) return i;
    }
    return kNotFound;
  }
  auto [begin, end] = index_.equal_range(hash_key(key));
  for (auto it = begin; it != end; ++it) {
    if (same_key(entries_[it->second].first, key)) return it->second;
  }
  return kNotFound;
}

const Value* Dict::find(const Value& key) const {
  hash_key(key);  // a list or a dict is no key, also of a small dict
  const std::size_t at = position(key);
  return at == kNotFound ? nullptr : &entries_[at].second;
}

const Value* Dict::find(std::string_view key) const {
  if (entries_.size() >= kIndexedFrom) return find(Value::string(key));
  for (const Entry& entry : entries_) {
    if (entry.first.is(Kind::kString) && entry.first.as_view() == key) return &entry.second;
  }
  return nullptr;
}

void Dict::set(const Value& key, Value value) {
  const std::size_t hash = hash_key(key);
  const std::size_t at = position(key);
  if (at != kNotFound) {
    entries_[at].second = std::move(value);
    return;
  }
  entries_.emplace_back(key, std::move(value));
  if (entries_.size() == kIndexedFrom) {
    rebuild_index();
  } else if (entries_.size() > kIndexedFrom) {
    index_.emplace(hash, entries_.size() - 1);
  }
}

bool Dict::erase(const Value& key) {
  hash_key(key);
  const std::size_t at = position(key);
  if (at == kNotFound) return false;
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(at));
  rebuild_index();
  return true;
}

void Dict::rebuild_index() {
  index_.clear();
  if (entries_.size() < kIndexedFrom) return;
  for (std::size_t i = 0; i < entries_.size(); ++i) index_.emplace(hash_key(entries_[i].first), i);
}

}  // namespace notso::jinja
