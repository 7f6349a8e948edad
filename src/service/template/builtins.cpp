#include "service/template/builtins.h"

#include <unordered_map>

#include "service/template/template_error.h"
#include "service/template/value_ops.h"

namespace notso::jinja {
namespace {

using FilterTable = std::unordered_map<std::string_view, FilterFunction>;

FilterTable table_of(std::initializer_list<std::span<const FilterEntry>> lists) {
  FilterTable table;
  for (const auto& list : lists) {
    for (const FilterEntry& entry : list) table.emplace(entry.name, entry.function);
  }
  return table;
}

FilterFunction look_up(const FilterTable& table, std::string_view name) {
  const auto found = table.find(name);
  return found == table.end() ? nullptr : found->second;
}

// A method taken from a value without calling it.
class BoundMethod : public Object {
 public:
  BoundMethod(Value self, MethodFunction method) : self_(std::move(self)), method_(method) {}
  [[nodiscard]] std::string_view type_name() const override { return "builtin_function_or_method"; }
  [[nodiscard]] bool callable() const override { return true; }
  Value call(Runtime& runtime, Arguments& arguments) override {
    return method_(runtime, self_, arguments);
  }
  void clear() override { self_ = Value(); }

 private:
  Value self_;
  MethodFunction method_;
};

Value missing_attribute(const Value& value, std::string_view name) {
  return Value::undefined("'" + value.type_name() + " object' has no attribute '" +
                          std::string(name) + "'");
}

}  // namespace

FilterRef find_filter(const Environment& environment, std::string_view name) {
  static const FilterTable kFilters =
      table_of({string_filters(), text_layout_filters(), number_filters(), sequence_filters(),
                selection_filters(), html_filters()});
  if (const Function* custom = environment.find_filter(name)) return {custom, nullptr};
  return {nullptr, look_up(kFilters, name)};
}

const TestFunction* find_test(std::string_view name) {
  for (const TestEntry& entry : builtin_tests()) {
    if (entry.name == name) return &entry.function;
  }
  return nullptr;
}

MethodFunction find_method(const Value& value, std::string_view name) {
  static const FilterTable kString = table_of({string_methods(), string_search_methods()});
  static const FilterTable kList = table_of({list_methods()});
  static const FilterTable kDict = table_of({dict_methods()});
  switch (value.kind()) {
    case Kind::kString:
      return look_up(kString, name);
    case Kind::kList:
      return look_up(kList, name);
    case Kind::kDict:
      return look_up(kDict, name);
    default:
      return nullptr;
  }
}

Value apply_filter(Runtime& runtime, const FilterRef& filter, std::string_view name,
                   const Value& value, const Arguments& arguments) {
  runtime.step();
  if (filter.builtin != nullptr) return filter.builtin(runtime, value, arguments);
  if (filter.custom == nullptr) {
    throw TemplateError("there is no filter '" + std::string(name) + "'");
  }
  Arguments all = arguments;
  all.positional.insert(all.positional.begin(), value);
  Result<Value> result = (*filter.custom)(all);
  if (!result) throw TemplateError(result.error().message, result.error().code);
  return std::move(*result);
}

bool apply_test(Runtime& runtime, std::string_view name, const Value& value,
                const Arguments& arguments) {
  runtime.step();
  const TestFunction* test = find_test(name);
  if (test == nullptr) throw TemplateError("there is no test '" + std::string(name) + "'");
  return (*test)(runtime, value, arguments);
}

Value call_value(Runtime& runtime, const Value& callee, Arguments& arguments) {
  if (callee.is(Kind::kUndefined)) throw TemplateError(callee.undefined_message());
  if (!callee.is(Kind::kObject) || !callee.as_object().callable()) {
    throw TemplateError("'" + callee.type_name() + "' object is not callable");
  }
  return callee.as_object().call(runtime, arguments);
}

Value attribute_of(Runtime& runtime, const Value& value, std::string_view name) {
  if (value.is(Kind::kUndefined)) throw TemplateError(value.undefined_message());
  if (const MethodFunction method = find_method(value, name)) {
    return runtime.make_object(std::make_shared<BoundMethod>(value, method));
  }
  if (value.is(Kind::kDict)) {
    const Value* found = value.as_dict().find(name);
    return found == nullptr ? missing_attribute(value, name) : *found;
  }
  if (value.is(Kind::kObject)) {
    auto found = value.as_object().attribute(runtime, name);
    return found ? std::move(*found) : missing_attribute(value, name);
  }
  if (value.is(Kind::kList) && value.list_kind() == ListKind::kGroup) {
    if (name == "grouper") return value.as_list()[0];
    if (name == "list") return value.as_list()[1];
  }
  return missing_attribute(value, name);
}

Value subscript_of(Runtime& runtime, const Value& value, const Value& key) {
  if (value.is(Kind::kUndefined)) throw TemplateError(value.undefined_message());
  if (auto item = item_at(runtime, value, key)) return std::move(*item);
  if (key.is(Kind::kString)) return attribute_of(runtime, value, key.as_view());
  return Value::undefined("'" + value.type_name() + " object' has no such element");
}

Bound::Bound(std::string_view what, const Arguments& arguments,
             std::initializer_list<std::string_view> parameters)
    : what_(what) {
  std::copy(parameters.begin(), parameters.end(), names_.begin());
  if (arguments.positional.size() > parameters.size()) {
    throw TemplateError(std::string(what) + " takes at most " + std::to_string(parameters.size()) +
                        " arguments");
  }
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) {
    values_[i] = &arguments.positional[i];
  }
  for (const auto& [name, value] : arguments.named) {
    std::size_t at = 0;
    while (at < parameters.size() && names_[at] != name) ++at;
    if (at == parameters.size()) {
      throw TemplateError(std::string(what) + " has no argument '" + name + "'");
    }
    if (values_[at] != nullptr) {
      throw TemplateError(std::string(what) + " got two values for '" + name + "'");
    }
    values_[at] = &value;
  }
}

void Bound::require(std::size_t index) const {
  if (has(index)) return;
  throw TemplateError(std::string(what_) + " needs the argument '" + std::string(names_[index]) +
                      "'");
}

const Value& Bound::at(std::size_t index) const {
  require(index);
  return *values_[index];
}

Value Bound::get(std::size_t index) const { return has(index) ? *values_[index] : Value(); }

std::int64_t Bound::integer(std::size_t index, std::int64_t fallback) const {
  if (!has(index) || at(index).is(Kind::kNone)) return fallback;
  return index_of(at(index));
}

bool Bound::boolean(std::size_t index, bool fallback) const {
  return has(index) ? at(index).truthy() : fallback;
}

Text Bound::text(std::size_t index, const Text& fallback) const {
  if (!has(index) || at(index).is(Kind::kNone)) return fallback;
  if (!at(index).is(Kind::kString)) {
    throw TemplateError(std::string(what_) + " needs a string as '" + std::string(names_[index]) +
                        "', not '" + at(index).type_name() + "'");
  }
  return at(index).as_text();
}

}  // namespace notso::jinja
