// Walks a parsed template. One interpreter is one rendering: it is made, used once, and freed.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/template/ast.h"
#include "service/template/runtime.h"

namespace notso::jinja {

// The variables of one block of the template. Names point into the syntax tree.
class Scope {
 public:
  explicit Scope(std::shared_ptr<Scope> parent) : parent_(std::move(parent)) {}

  // The innermost variable of that name, or nullptr.
  [[nodiscard]] const Value* find(std::string_view name) const;
  // A variable of this very scope, or nullptr.
  [[nodiscard]] const Value* find_own(std::string_view name) const;
  void set(std::string_view name, Value value);

 private:
  std::shared_ptr<Scope> parent_;
  std::vector<std::pair<std::string_view, Value>> variables_;
};

// A template being rendered, with the blocks that it and the templates it extends define. The first
// definition of a block wins; super() asks for the next.
struct TemplateRun {
  struct Definition {
    const BlockStmt* block;
    const TemplateSource* source;
  };
  std::shared_ptr<Scope> module_scope;
  std::map<std::string_view, std::vector<Definition>> blocks;
  const TemplateSource* parent = nullptr;  // set once `extends` was met
};

// Where a statement runs.
struct Frame {
  std::shared_ptr<Scope> scope;
  TemplateRun* run;
};

// How a sequence of statements ended.
enum class Flow { kNormal, kBreak, kContinue };

// One rendering.
class Interpreter : public Runtime {
 public:
  explicit Interpreter(std::shared_ptr<const Environment> environment);

  // The output of the template.
  Text render(std::shared_ptr<const TemplateSource> source, const Dict& context);

  // Used by the objects that templates call back through.
  Value eval(const Expr& expr, Frame& frame);
  Flow exec(const Body& body, Frame& frame, TextBuilder& out);
  // Runs a loop over `iterable`; `depth0` counts recursive loops.
  Flow run_loop(const ForStmt& loop, const Value& iterable, Frame& frame, TextBuilder& out,
                std::int64_t depth0);
  // Renders definition number `index` of a block.
  void run_block(TemplateRun& run, std::string_view name, std::size_t index,
                 const std::shared_ptr<Scope>& scope, TextBuilder& out);
  // Assigns to a name, to names in a tuple, or to an attribute of a namespace.
  void assign(const Expr& target, const Value& value, Frame& frame);

 private:
  // Expressions.
  Value eval_node(const Expr& expr, Frame& frame);
  Value eval_name(const NameExpr& expr, Frame& frame);
  Value eval_sequence(const SequenceExpr& expr, Frame& frame);
  Value eval_dict(const DictExpr& expr, Frame& frame);
  Value eval_slice(const SliceExpr& expr, Frame& frame);
  Value eval_call(const CallExpr& expr, Frame& frame, const Value* caller = nullptr);
  Value eval_filter(const FilterExpr& expr, Frame& frame, const Value* input);
  Value eval_test(const TestExpr& expr, Frame& frame);
  Value eval_concat(const ConcatExpr& expr, Frame& frame);
  Value eval_compare(const CompareExpr& expr, Frame& frame);
  Value eval_conditional(const ConditionalExpr& expr, Frame& frame);
  Arguments eval_args(const CallArgs& args, Frame& frame);
  bool compare(Comparison op, const Value& left, const Value& right);

  // Statements.
  Flow exec_statement(const Stmt& statement, Frame& frame, TextBuilder& out);
  void exec_output(const OutputStmt& statement, Frame& frame, TextBuilder& out);
  Flow exec_if(const IfStmt& statement, Frame& frame, TextBuilder& out);
  Flow exec_set_block(const SetBlockStmt& statement, Frame& frame);
  Flow exec_filter_block(const FilterBlockStmt& statement, Frame& frame, TextBuilder& out);
  Flow exec_with(const WithStmt& statement, Frame& frame, TextBuilder& out);
  Flow exec_autoescape(const AutoescapeStmt& statement, Frame& frame, TextBuilder& out);
  void exec_call_block(const CallBlockStmt& statement, Frame& frame, TextBuilder& out);
  void exec_include(const IncludeStmt& statement, Frame& frame, TextBuilder& out);
  void exec_import(const ImportStmt& statement, Frame& frame);
  void exec_from_import(const FromImportStmt& statement, Frame& frame);
  Value make_macro(const MacroStmt& macro, Frame& frame);
  std::vector<Value> loop_items(const ForStmt& loop, const Value& iterable, Frame& frame);
  // What a body prints, as a value.
  Flow capture(const Body& body, Frame& frame, Value& result);

  // Templates by name.
  const TemplateSource& load(const Value& name);
  const TemplateSource* find_source(const std::string& name);
  void run_template(const TemplateSource& source, TemplateRun& run, TextBuilder& out);
  Value import_module(const Expr& name, bool with_context, Frame& frame);

  const std::shared_ptr<const Environment> shared_environment_;
  std::shared_ptr<Scope> globals_;  // what the caller gave
  std::deque<TemplateRun> runs_;
  std::map<std::string, std::shared_ptr<const TemplateSource>> sources_;
  std::shared_ptr<const TemplateSource> main_source_;
};

}  // namespace notso::jinja
