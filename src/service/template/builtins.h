// Jinja's filters, tests, global functions and Python's methods, by name.
#pragma once

#include <array>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>

#include "service/template/runtime.h"
#include "service/template/value.h"

namespace notso::jinja {

// value | filter(arguments)
using FilterFunction = Value (*)(Runtime& runtime, const Value& value, const Arguments& arguments);
// value is test(arguments)
using TestFunction = bool (*)(Runtime& runtime, const Value& value, const Arguments& arguments);
// value.method(arguments)
using MethodFunction = Value (*)(Runtime& runtime, const Value& value, const Arguments& arguments);

// A name and what it stands for.
struct FilterEntry {
  std::string_view name;
  FilterFunction function;
};
struct TestEntry {
  std::string_view name;
  TestFunction function;
};

// A filter as the parser found it: the embedder's, or a built-in one, or none.
struct FilterRef {
  const Function* custom = nullptr;
  FilterFunction builtin = nullptr;
};

// By name; null when there is none. The embedder's filters come first.
FilterRef find_filter(const Environment& environment, std::string_view name);
const TestFunction* find_test(std::string_view name);
// The method `name` of the type of `value`, or null.
MethodFunction find_method(const Value& value, std::string_view name);
// The global function `name`, or undefined.
Value find_builtin_function(std::string_view name);

// Applies a filter or a test found by name at run time, as map and select do.
Value apply_filter(Runtime& runtime, const FilterRef& filter, std::string_view name,
                   const Value& value, const Arguments& arguments);
bool apply_test(Runtime& runtime, std::string_view name, const Value& value,
                const Arguments& arguments);
// Calls anything callable.
Value call_value(Runtime& runtime, const Value& callee, Arguments& arguments);
// value.name: a method, an attribute or an item; undefined when there is none.
Value attribute_of(Runtime& runtime, const Value& value, std::string_view name);
// value[key], or value.key for strings; undefined when there is none.
Value subscript_of(Runtime& runtime, const Value& value, const Value& key);

// The tables, each in the file of its kind.
std::span<const FilterEntry> string_filters();
std::span<const FilterEntry> text_layout_filters();
std::span<const FilterEntry> number_filters();
std::span<const FilterEntry> sequence_filters();
std::span<const FilterEntry> selection_filters();
std::span<const FilterEntry> html_filters();
std::span<const TestEntry> builtin_tests();
std::span<const FilterEntry> string_methods();
std::span<const FilterEntry> string_search_methods();
std::span<const FilterEntry> list_methods();
std::span<const FilterEntry> dict_methods();

// Arguments matched with the names of parameters, as Python would.
class Bound {
 public:
  // Throws if there are too many, or one is unknown or given twice.
  Bound(std::string_view what, const Arguments& arguments,
        std::initializer_list<std::string_view> parameters);

  // Whether the parameter at `index` was given; a given undefined counts.
  [[nodiscard]] bool has(std::size_t index) const { return values_[index] != nullptr; }
  // Throws if the parameter was not given.
  void require(std::size_t index) const;
  // Its value; throws if it was not given.
  [[nodiscard]] const Value& at(std::size_t index) const;
  // Its value, or undefined.
  [[nodiscard]] Value get(std::size_t index) const;
  // Its value as one kind, or the fallback if it was not given (or is none).
  [[nodiscard]] std::int64_t integer(std::size_t index, std::int64_t fallback) const;
  [[nodiscard]] bool boolean(std::size_t index, bool fallback) const;
  [[nodiscard]] Text text(std::size_t index, const Text& fallback) const;

 private:
  static constexpr std::size_t kParametersMax = 8;
  std::string_view what_;
  std::array<const Value*, kParametersMax> values_{};
  std::array<std::string_view, kParametersMax> names_{};
};

}  // namespace notso::jinja
