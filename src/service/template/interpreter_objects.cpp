#include "service/template/interpreter_objects.h"

#include "service/template/template_error.h"
#include "service/template/value_ops.h"

namespace notso::jinja {
namespace {

// loop.cycle and loop.changed as values, so that they can be called.
class LoopMethod : public Object {
 public:
  LoopMethod(LoopObject& loop, bool is_cycle) : loop_(loop), is_cycle_(is_cycle) {}
  [[nodiscard]] std::string_view type_name() const override { return "method"; }
  [[nodiscard]] bool callable() const override { return true; }
  Value call(Runtime& runtime, Arguments& arguments) override {
    return is_cycle_ ? loop_.cycle(arguments) : loop_.changed(runtime, arguments);
  }

 private:
  LoopObject& loop_;  // lives as long as the rendering
  bool is_cycle_;
};

}  // namespace

bool LoopObject::next() {
  ++index0_;
  return index0_ < items_.size();
}

void LoopObject::clear() {
  items_.clear();
  last_changed_.reset();
  frame_.scope.reset();
}

Value LoopObject::call(Runtime& /*runtime*/, Arguments& arguments) {
  if (arguments.positional.size() != 1 || !arguments.named.empty()) {
    throw TemplateError("loop() takes one argument: what to loop over");
  }
  TextBuilder out = interpreter_.builder();
  Frame frame = frame_;
  interpreter_.run_loop(loop_, arguments.positional[0], frame, out, depth0_ + 1);
  return Value::text(out.finish(), interpreter_.autoescape());
}

std::optional<Value> LoopObject::attribute(Runtime& runtime, std::string_view name) {
  const auto index = static_cast<std::int64_t>(index0_);
  const auto length = static_cast<std::int64_t>(length_);
  if (name == "index") return Value::integer(index + 1);
  if (name == "index0") return Value::integer(index);
  if (name == "revindex") return Value::integer(length - index);
  if (name == "revindex0") return Value::integer(length - index - 1);
  if (name == "first") return Value::boolean(index == 0);
  if (name == "last") return Value::boolean(index + 1 >= length);
  if (name == "length") return Value::integer(length);
  if (name == "depth") return Value::integer(depth0_ + 1);
  if (name == "depth0") return Value::integer(depth0_);
  if (name == "previtem") {
    if (index == 0 || index0_ > items_.size()) return Value::undefined("there is no previous item");
    return items_[index0_ - 1];
  }
  if (name == "nextitem") {
    if (index0_ + 1 >= items_.size()) return Value::undefined("there is no next item");
    return items_[index0_ + 1];
  }
  if (name == "cycle" || name == "changed") {
    return runtime.make_object(std::make_shared<LoopMethod>(*this, name == "cycle"));
  }
  return std::nullopt;
}

Value LoopObject::cycle(const Arguments& arguments) const {
  if (arguments.positional.empty()) throw TemplateError("no items for cycling given");
  return arguments.positional[index0_ % arguments.positional.size()];
}

Value LoopObject::changed(Runtime& runtime, const Arguments& arguments) {
  bool same = last_changed_ && last_changed_->size() == arguments.positional.size();
  for (std::size_t i = 0; same && i < arguments.positional.size(); ++i) {
    same = equals(runtime, (*last_changed_)[i], arguments.positional[i]);
  }
  if (!same) last_changed_ = arguments.positional;
  return Value::boolean(!same);
}

Value MacroObject::call(Runtime& runtime, Arguments& arguments) {
  DepthGuard depth(runtime);
  if (!frame_.scope) throw TemplateError("the macro's template is gone");
  Frame frame{std::make_shared<Scope>(frame_.scope), frame_.run};
  runtime.charge(sizeof(Scope));
  const std::string& caller_name = runtime.template_name();
  const int caller_line = runtime.line();
  bind(frame, arguments);
  runtime.set_template_name(&template_name_);
  TextBuilder out = runtime.builder();
  interpreter_.exec(macro_.body, frame, out);
  runtime.set_template_name(&caller_name);
  runtime.set_line(caller_line);
  return Value::text(out.finish(), runtime.autoescape());
}

void MacroObject::bind(Frame& frame, Arguments& arguments) {
  const Signature& signature = macro_.signature;
  const std::size_t required = signature.names.size() - signature.defaults.size();
  std::vector<Value> varargs;
  std::vector<std::optional<Value>> values(signature.names.size());
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) {
    if (i < values.size()) {
      values[i] = std::move(arguments.positional[i]);
    } else {
      varargs.push_back(std::move(arguments.positional[i]));
    }
  }
  Dict kwargs;
  for (auto& [name, value] : arguments.named) {
    std::size_t at = 0;
    while (at < signature.names.size() && signature.names[at] != name) ++at;
    if (at == signature.names.size()) {
      kwargs.set(Value::trusted(name), std::move(value));
    } else if (values[at]) {
      throw TemplateError("macro '" + macro_.name + "' got two values for '" + name + "'");
    } else {
      values[at] = std::move(value);
    }
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!values[i] && i >= required) {
      values[i] = interpreter_.eval(*signature.defaults[i - required], frame);
    } else if (!values[i]) {
      values[i] = Value::undefined("parameter '" + signature.names[i] + "' was not provided");
    }
    frame.scope->set(signature.names[i], std::move(*values[i]));
  }
  bind_rest(frame, std::move(varargs), std::move(kwargs));
}

void MacroObject::bind_rest(Frame& frame, std::vector<Value> varargs, Dict kwargs) {
  const Value caller_key = Value::trusted("caller");
  if (macro_.uses_caller) {
    const Value* caller = kwargs.find(caller_key);
    frame.scope->set("caller", caller != nullptr ? *caller : Value::undefined("no caller defined"));
    kwargs.erase(caller_key);
  }
  if (macro_.uses_kwargs) {
    frame.scope->set("kwargs", interpreter_.make_dict(std::move(kwargs)));
  } else if (kwargs.size() != 0) {
    throw TemplateError("macro '" + macro_.name + "' takes no keyword argument '" +
                        std::string(kwargs.entries()[0].first.as_view()) + "'");
  }
  if (macro_.uses_varargs) {
    frame.scope->set("varargs", interpreter_.make_list(std::move(varargs), ListKind::kTuple));
  } else if (!varargs.empty()) {
    throw TemplateError("macro '" + macro_.name + "' takes not more than " +
                        std::to_string(macro_.signature.names.size()) + " arguments");
  }
}

std::optional<Value> MacroObject::attribute(Runtime& /*runtime*/, std::string_view name) {
  if (name == "name") return Value::trusted(macro_.name);
  return std::nullopt;
}

std::optional<Value> ModuleObject::attribute(Runtime& /*runtime*/, std::string_view name) {
  const Value* found = scope_ && !name.starts_with('_') ? scope_->find_own(name) : nullptr;
  return found == nullptr ? std::nullopt : std::optional<Value>(*found);
}

Value SuperObject::call(Runtime& runtime, Arguments& /*arguments*/) {
  TextBuilder out = runtime.builder();
  interpreter_.run_block(run_, name_, index_, run_.module_scope, out);
  return Value::text(out.finish(), runtime.autoescape());
}

}  // namespace notso::jinja
