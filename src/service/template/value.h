// The values that templates compute with. They behave as Python's do: truth, equality, order, str()
// and repr(), indexing by characters. Containers are shared when a value is copied.
//
// Values made here, by the embedder, are frozen: a template that tries to change one (append, pop,
// update) fails. Strings are untrusted unless made with trusted(). Nesting given from outside
// should have a bound of its own (a JSON parser's depth limit, say).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "service/template/text.h"

namespace notso::jinja {

class Dict;
class Object;
class Runtime;
struct ListRep;
struct DictRep;

// What a value is.
enum class Kind { kUndefined, kNone, kBool, kInt, kFloat, kString, kList, kDict, kObject };

// The flavours of a sequence; they differ in repr() and in what may change them.
enum class ListKind { kList, kTuple, kGroup, kKeys, kValues, kItems };

// A string, and whether it is markup that autoescaping leaves alone.
struct StringValue {
  Text text;
  bool safe = false;
};

// One value of any kind. The default is undefined.
class Value {
 public:
  Value() = default;
  // An undefined value whose use fails with `message`.
  static Value undefined(std::string message);
  static Value none();
  static Value boolean(bool value);
  static Value integer(std::int64_t value);
  static Value number(double value);
  // A string from data: it never becomes control text.
  static Value string(std::string_view bytes);
  // A string of the program's own, as good as a literal of the template.
  static Value trusted(std::string_view bytes);
  // Markup: a string that autoescaping leaves alone. Untrusted as control text.
  static Value markup(std::string_view bytes);
  static Value text(Text text, bool safe = false);
  static Value list(std::vector<Value> items, ListKind kind = ListKind::kList);
  static Value dict(Dict entries);
  static Value object(std::shared_ptr<Object> object);

  [[nodiscard]] Kind kind() const { return static_cast<Kind>(data_.index()); }
  // Whether it is of that kind.
  [[nodiscard]] bool is(Kind kind) const { return this->kind() == kind; }
  [[nodiscard]] bool is_number() const;  // bool, int or float, as in Python

  // The content; the kind must match.
  [[nodiscard]] bool as_bool() const { return std::get<bool>(data_); }
  [[nodiscard]] std::int64_t as_int() const { return std::get<std::int64_t>(data_); }
  [[nodiscard]] double as_float() const { return std::get<double>(data_); }
  [[nodiscard]] const Text& as_text() const { return std::get<StringValue>(data_).text; }
  [[nodiscard]] std::string_view as_view() const { return as_text().view(); }
  [[nodiscard]] bool is_safe() const;  // markup; false for every other kind
  [[nodiscard]] const std::vector<Value>& as_list() const;
  [[nodiscard]] ListKind list_kind() const;
  [[nodiscard]] const Dict& as_dict() const;
  [[nodiscard]] Object& as_object() const { return *std::get<std::shared_ptr<Object>>(data_); }
  // Why the value is undefined.
  [[nodiscard]] std::string undefined_message() const;

  // Python's bool().
  [[nodiscard]] bool truthy() const;
  // Python's name of the type, as error messages use it.
  [[nodiscard]] std::string type_name() const;
  // The same container, string or object in memory; equal scalars of one kind.
  [[nodiscard]] bool same_as(const Value& other) const;

 private:
  friend class Runtime;
  using UndefinedPtr = std::shared_ptr<const std::string>;
  using Data =
      std::variant<UndefinedPtr, std::monostate, bool, std::int64_t, double, StringValue,
                   std::shared_ptr<ListRep>, std::shared_ptr<DictRep>, std::shared_ptr<Object>>;
  explicit Value(Data data) : data_(std::move(data)) {}
  Data data_;
};

// A Python dict: keeps the order of insertion. Keys are None, bools, numbers, strings, or tuples of
// those; 1, 1.0 and True are one key. Throws TemplateError for any other key.
class Dict {
 public:
  using Entry = std::pair<Value, Value>;

  // The value of `key`, or nullptr.
  [[nodiscard]] const Value* find(const Value& key) const;
  [[nodiscard]] const Value* find(std::string_view key) const;
  // Adds or replaces.
  void set(const Value& key, Value value);
  // Adds or replaces under a string key that counts as data.
  void set(std::string_view key, Value value) { set(Value::string(key), std::move(value)); }
  // True if it was there.
  bool erase(const Value& key);
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  [[nodiscard]] std::size_t position(const Value& key) const;
  void rebuild_index();
  std::vector<Entry> entries_;
  std::unordered_multimap<std::size_t, std::size_t> index_;  // used from kIndexedFrom entries on
};

// A sequence. `owner` is the rendering that made it and may change it; null for frozen ones.
struct ListRep {
  std::vector<Value> items;
  ListKind kind = ListKind::kList;
  const Runtime* owner = nullptr;
};

// A mapping, likewise.
struct DictRep {
  Dict entries;
  const Runtime* owner = nullptr;
};

// What a call passes: positional values, then named ones.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

}  // namespace notso::jinja
