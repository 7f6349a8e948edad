// The objects that rendering itself makes: loop, macros, imported modules, super, bound methods.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "service/template/interpreter.h"

namespace notso::jinja {

// `loop` inside a for block.
class LoopObject : public Object {
 public:
  LoopObject(Interpreter& interpreter, const ForStmt& loop, Frame frame, std::vector<Value> items,
             std::int64_t depth0)
      : interpreter_(interpreter),
        loop_(loop),
        frame_(std::move(frame)),
        items_(std::move(items)),
        length_(items_.size()),
        depth0_(depth0) {}

  [[nodiscard]] const Value& item() const { return items_[index0_]; }
  // Moves on; false after the last item.
  bool next();
  // Drops the items: the loop is over.
  void finish() { items_.clear(); }

  [[nodiscard]] std::string_view type_name() const override { return "LoopContext"; }
  [[nodiscard]] bool callable() const override { return loop_.recursive; }
  Value call(Runtime& runtime, Arguments& arguments) override;
  std::optional<Value> attribute(Runtime& runtime, std::string_view name) override;
  void clear() override;
  // loop.cycle() and loop.changed().
  [[nodiscard]] Value cycle(const Arguments& arguments) const;
  Value changed(Runtime& runtime, const Arguments& arguments);

 private:
  Interpreter& interpreter_;
  const ForStmt& loop_;
  Frame frame_;
  std::vector<Value> items_;
  std::size_t length_;
  std::size_t index0_ = static_cast<std::size_t>(-1);
  std::int64_t depth0_;
  std::optional<std::vector<Value>> last_changed_;
};

// A macro, or the body of a call block.
class MacroObject : public Object {
 public:
  MacroObject(Interpreter& interpreter, const MacroStmt& macro, Frame frame)
      : interpreter_(interpreter),
        macro_(macro),
        frame_(std::move(frame)),
        template_name_(interpreter.template_name()) {}

  [[nodiscard]] std::string_view type_name() const override { return "Macro"; }
  [[nodiscard]] bool callable() const override { return true; }
  Value call(Runtime& runtime, Arguments& arguments) override;
  std::optional<Value> attribute(Runtime& runtime, std::string_view name) override;
  void clear() override { frame_.scope.reset(); }

 private:
  void bind(Frame& frame, Arguments& arguments);
  void bind_rest(Frame& frame, std::vector<Value> varargs, Dict kwargs);

  Interpreter& interpreter_;
  const MacroStmt& macro_;
  Frame frame_;
  const std::string& template_name_;
};

// An imported template: its top-level variables and macros.
class ModuleObject : public Object {
 public:
  explicit ModuleObject(std::shared_ptr<Scope> scope) : scope_(std::move(scope)) {}
  [[nodiscard]] std::string_view type_name() const override { return "TemplateModule"; }
  std::optional<Value> attribute(Runtime& runtime, std::string_view name) override;
  void clear() override { scope_.reset(); }

 private:
  std::shared_ptr<Scope> scope_;
};

// `super` inside a block that overrides another.
class SuperObject : public Object {
 public:
  SuperObject(Interpreter& interpreter, TemplateRun& run, std::string_view name, std::size_t index)
      : interpreter_(interpreter), run_(run), name_(name), index_(index) {}
  [[nodiscard]] std::string_view type_name() const override { return "BlockReference"; }
  [[nodiscard]] bool callable() const override { return true; }
  Value call(Runtime& runtime, Arguments& arguments) override;

 private:
  Interpreter& interpreter_;
  TemplateRun& run_;
  std::string_view name_;
  std::size_t index_;
};

}  // namespace notso::jinja
