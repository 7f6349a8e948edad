// The functions that every template can call.
#include <array>
#include <ctime>

#include "service/template/builtins.h"
#include "service/template/template_error.h"
#include "service/template/value_format.h"
#include "service/template/value_ops.h"

namespace notso::jinja {
namespace {

using Args = Arguments;
using GlobalFunction = Value (*)(Runtime& runtime, const Args& args);

// A function of the interpreter itself.
class BuiltinFunction : public Object {
 public:
  explicit BuiltinFunction(GlobalFunction function) : function_(function) {}
  [[nodiscard]] std::string_view type_name() const override { return "function"; }
  [[nodiscard]] bool callable() const override { return true; }
  Value call(Runtime& runtime, Arguments& arguments) override {
    return function_(runtime, arguments);
  }

 private:
  GlobalFunction function_;
};

// namespace(): the one thing whose attributes a template may set.
class Namespace : public Object {
 public:
  [[nodiscard]] std::string_view type_name() const override { return "Namespace"; }
  std::optional<Value> attribute(Runtime& /*runtime*/, std::string_view name) override {
    const Value* found = values_.find(name);
    return found == nullptr ? std::nullopt : std::optional<Value>(*found);
  }
  bool set_attribute(std::string_view name, const Value& value) override {
    values_.set(Value::trusted(name), value);
    return true;
  }
  void clear() override { values_ = Dict(); }

 private:
  Dict values_;
};

// cycler(): hands out its items in turn.
class Cycler : public Object {
 public:
  explicit Cycler(std::vector<Value> items) : items_(std::move(items)) {}
  [[nodiscard]] std::string_view type_name() const override { return "Cycler"; }
  std::optional<Value> attribute(Runtime& runtime, std::string_view name) override;
  void clear() override { items_.clear(); }
  Value current() { return items_[at_]; }
  Value next() {
    Value value = items_[at_];
    at_ = (at_ + 1) % items_.size();
    return value;
  }
  Value reset() {
    at_ = 0;
    return Value::none();
  }

 private:
  std::vector<Value> items_;
  std::size_t at_ = 0;
};

// cycler.next and cycler.reset, to be called.
class CyclerMethod : public Object {
 public:
  CyclerMethod(Cycler& cycler, bool is_next) : cycler_(cycler), is_next_(is_next) {}
  [[nodiscard]] std::string_view type_name() const override { return "method"; }
  [[nodiscard]] bool callable() const override { return true; }
  Value call(Runtime& /*runtime*/, Arguments& /*arguments*/) override {
    return is_next_ ? cycler_.next() : cycler_.reset();
  }

 private:
  Cycler& cycler_;  // lives as long as the rendering
  bool is_next_;
};

std::optional<Value> Cycler::attribute(Runtime& runtime, std::string_view name) {
  if (name == "current") return current();
  if (name != "next" && name != "reset") return std::nullopt;
  return runtime.make_object(std::make_shared<CyclerMethod>(*this, name == "next"));
}

// joiner(): empty on the first call, the separator on all others.
class Joiner : public Object {
 public:
  explicit Joiner(Value separator) : separator_(std::move(separator)) {}
  [[nodiscard]] std::string_view type_name() const override { return "Joiner"; }
  [[nodiscard]] bool callable() const override { return true; }
  Value call(Runtime& /*runtime*/, Arguments& /*arguments*/) override {
    if (used_) return separator_;
    used_ = true;
    return Value::trusted("");
  }
  void clear() override { separator_ = Value(); }

 private:
  Value separator_;
  bool used_ = false;
};

Value global_range(Runtime& runtime, const Args& args) {
  if (args.positional.empty() || args.positional.size() > 3 || !args.named.empty()) {
    throw TemplateError("range() takes one to three integers");
  }
  std::int64_t start = 0;
  std::int64_t stop = index_of(args.positional[0]);
  if (args.positional.size() > 1) {
    start = stop;
    stop = index_of(args.positional[1]);
  }
  const std::int64_t step = args.positional.size() > 2 ? index_of(args.positional[2]) : 1;
  if (step == 0) throw TemplateError("range(): the step must not be zero");
  const bool forward = step > 0;
  std::uint64_t count = 0;
  if (forward ? start < stop : start > stop) {
    const auto distance =
        forward ? static_cast<std::uint64_t>(stop) - static_cast<std::uint64_t>(start)
                : static_cast<std::uint64_t>(start) - static_cast<std::uint64_t>(stop);
    const auto stride = forward ? static_cast<std::uint64_t>(step)
                                : std::uint64_t{0} - static_cast<std::uint64_t>(step);
    count = (distance - 1) / stride + 1;
  }
  runtime.check_items(count);
  std::vector<Value> items;
  items.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    items.push_back(Value::integer(start + static_cast<std::int64_t>(i) * step));
  }
  return runtime.make_list(std::move(items));
}

Value global_dict(Runtime& runtime, const Args& args) {
  Dict dict;
  if (args.positional.size() > 1) throw TemplateError("dict() takes at most one dict");
  for (const Value& source : args.positional) {
    if (source.is(Kind::kDict)) {
      for (const auto& [key, value] : source.as_dict().entries()) dict.set(key, value);
      continue;
    }
    for (const Value& pair : items_of(runtime, source)) {
      const std::vector<Value> parts = items_of(runtime, pair);
      if (parts.size() != 2) throw TemplateError("dict() needs pairs");
      dict.set(parts[0], parts[1]);
    }
  }
  for (const auto& [name, value] : args.named) dict.set(Value::trusted(name), value);
  return runtime.make_dict(std::move(dict));
}

Value global_namespace(Runtime& runtime, const Args& args) {
  auto space = std::make_shared<Namespace>();
  const Value initial = global_dict(runtime, args);
  for (const auto& [key, value] : initial.as_dict().entries()) {
    if (!key.is(Kind::kString)) throw TemplateError("namespace(): the names must be strings");
    space->set_attribute(key.as_view(), value);
  }
  return runtime.make_object(std::move(space));
}

Value global_cycler(Runtime& runtime, const Args& args) {
  if (args.positional.empty()) throw TemplateError("cycler() needs at least one item");
  return runtime.make_object(std::make_shared<Cycler>(args.positional));
}

Value global_joiner(Runtime& runtime, const Args& args) {
  Bound bound("joiner()", args, {"sep"});
  return runtime.make_object(
      std::make_shared<Joiner>(bound.has(0) ? bound.at(0) : Value::trusted(", ")));
}

Value global_raise_exception(Runtime& runtime, const Args& args) {
  Bound bound("raise_exception()", args, {"message"});
  throw TemplateError(std::string(to_text(runtime, bound.at(0)).view()));
}

std::tm local_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  return parts;
}

// One directive of a strftime format, from its % on; moves `at` behind it.
std::string format_directive(const std::tm& time, std::string_view format, std::size_t& at) {
  std::string directive = "%";
  std::size_t end = at + 1;
  while (end < format.size() && end < at + 8 &&
         std::string_view("-_0^#EO").find(format[end]) != std::string_view::npos) {
    directive += format[end++];
  }
  if (end >= format.size()) {
    at = end;
    return directive;
  }
  const char conversion = format[end];
  at = end + 1;
  if (conversion == 'f') return "000000";  // Python's microseconds; the clock has seconds
  if (std::string_view("aAbBcdHIjmMpSUwWxXyYzZ%GuVDeFhklnrRstTC").find(conversion) ==
      std::string_view::npos) {
    return directive + conversion;
  }
  directive += conversion;
  std::array<char, 256> buffer{};
  const std::size_t size = std::strftime(buffer.data(), buffer.size(), directive.c_str(), &time);
  return std::string(buffer.data(), size);
}

// The clock's words are as trusted as the format that asks for them: they are dates, not data.
Value global_strftime_now(Runtime& runtime, const Args& args) {
  Bound bound("strftime_now()", args, {"format"});
  bound.require(0);
  const Text format = bound.text(0, {});
  const auto& clock = runtime.environment().options().clock;
  const std::tm now = clock ? clock() : local_now();
  TextBuilder out = runtime.builder();
  const std::string_view view = format.view();
  std::size_t copied = 0;
  for (std::size_t at = view.find('%'); at != std::string_view::npos; at = view.find('%', at)) {
    runtime.step();
    out.append(format, copied, at);
    const bool trusted = format.trusted_at(at);
    out.append(format_directive(now, view, at), trusted);
    copied = at;
  }
  out.append(format, copied, view.size());
  return Value::text(out.finish());
}

struct GlobalEntry {
  std::string_view name;
  Value value;
};

}  // namespace

Value find_builtin_function(std::string_view name) {
  const auto make = [](GlobalFunction function) {
    return Value::object(std::make_shared<BuiltinFunction>(function));
  };
  static const std::array<GlobalEntry, 7> kGlobals = {{
      {"cycler", make(global_cycler)},
      {"dict", make(global_dict)},
      {"joiner", make(global_joiner)},
      {"namespace", make(global_namespace)},
      {"raise_exception", make(global_raise_exception)},
      {"range", make(global_range)},
      {"strftime_now", make(global_strftime_now)},
  }};
  for (const GlobalEntry& entry : kGlobals) {
    if (entry.name == name) return entry.value;
  }
  return {};
}

}  // namespace notso::jinja
