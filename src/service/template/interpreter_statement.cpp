// Statements, and templates that use other templates.
#include "service/template/interpreter.h"
#include "service/template/interpreter_objects.h"
#include "service/template/lexer.h"
#include "service/template/template_error.h"
#include "service/template/value_format.h"

namespace notso::jinja {

Text Interpreter::render(std::shared_ptr<const TemplateSource> source, const Dict& context) {
  main_source_ = std::move(source);
  globals_ = std::make_shared<Scope>(nullptr);
  for (const auto& [key, value] : context.entries()) {
    if (!key.is(Kind::kString)) throw TemplateError("the names of variables must be strings");
    globals_->set(key.as_view(), value);
  }
  TemplateRun& run = runs_.emplace_back();
  run.module_scope = std::make_shared<Scope>(globals_);
  TextBuilder out(limits().output_bytes);
  run_template(*main_source_, run, out);
  return out.finish();
}

void Interpreter::run_template(const TemplateSource& source, TemplateRun& run, TextBuilder& out) {
  DepthGuard depth(*this);
  const TemplateSource* current = &source;
  while (current != nullptr) {
    step();
    set_template_name(&current->name);
    for (const auto& [name, block] : current->blocks) run.blocks[name].push_back({block, current});
    run.parent = nullptr;
    Frame frame{run.module_scope, &run};
    TextBuilder unseen = builder();
    for (const StmtPtr& statement : current->body) {
      // Once a template extends another, what it prints outside of blocks is not shown.
      exec_statement(*statement, frame, run.parent == nullptr ? out : unseen);
    }
    current = run.parent;
  }
}

Flow Interpreter::exec(const Body& body, Frame& frame, TextBuilder& out) {
  DepthGuard depth(*this);
  for (const StmtPtr& statement : body) {
    const Flow flow = exec_statement(*statement, frame, out);
    if (flow != Flow::kNormal) return flow;
  }
  return Flow::kNormal;
}

Flow Interpreter::exec_statement(const Stmt& statement, Frame& frame, TextBuilder& out) {
  step();
  set_line(statement.line);
  switch (statement.kind) {
    case StmtKind::kData:
      out.append(static_cast<const DataStmt&>(statement).text);
      break;
    case StmtKind::kOutput:
      exec_output(static_cast<const OutputStmt&>(statement), frame, out);
      break;
    case StmtKind::kIf:
      return exec_if(static_cast<const IfStmt&>(statement), frame, out);
    case StmtKind::kFor: {
      const auto& loop = static_cast<const ForStmt&>(statement);
      return run_loop(loop, eval(*loop.iterable, frame), frame, out, 0);
    }
    case StmtKind::kSet: {
      const auto& set = static_cast<const SetStmt&>(statement);
      assign(*set.target, eval(*set.value, frame), frame);
      break;
    }
    case StmtKind::kSetBlock:
      return exec_set_block(static_cast<const SetBlockStmt&>(statement), frame);
    case StmtKind::kMacro: {
      const auto& macro = static_cast<const MacroStmt&>(statement);
      frame.scope->set(macro.name, make_macro(macro, frame));
      break;
    }
    case StmtKind::kCallBlock:
      exec_call_block(static_cast<const CallBlockStmt&>(statement), frame, out);
      break;
    case StmtKind::kFilterBlock:
      return exec_filter_block(static_cast<const FilterBlockStmt&>(statement), frame, out);
    case StmtKind::kWith:
      return exec_with(static_cast<const WithStmt&>(statement), frame, out);
    case StmtKind::kInclude:
      exec_include(static_cast<const IncludeStmt&>(statement), frame, out);
      break;
    case StmtKind::kImport:
      exec_import(static_cast<const ImportStmt&>(statement), frame);
      break;
    case StmtKind::kFromImport:
      exec_from_import(static_cast<const FromImportStmt&>(statement), frame);
      break;
    case StmtKind::kExtends: {
      const Value name = eval(*static_cast<const ExtendsStmt&>(statement).name, frame);
      if (frame.run->parent != nullptr) throw TemplateError("a template extends only one other");
      frame.run->parent = &load(name);
      break;
    }
    case StmtKind::kBlock: {
      const auto& block = static_cast<const BlockStmt&>(statement);
      const auto& scope = block.scoped ? frame.scope : frame.run->module_scope;
      if (frame.run->parent == nullptr) run_block(*frame.run, block.name, 0, scope, out);
      break;
    }
    case StmtKind::kBreak:
      return Flow::kBreak;
    case StmtKind::kContinue:
      return Flow::kContinue;
    case StmtKind::kDo:
      eval(*static_cast<const DoStmt&>(statement).value, frame);
      break;
    case StmtKind::kAutoescape:
      return exec_autoescape(static_cast<const AutoescapeStmt&>(statement), frame, out);
  }
  return Flow::kNormal;
}

void Interpreter::exec_output(const OutputStmt& statement, Frame& frame, TextBuilder& out) {
  for (const ExprPtr& expr : statement.values) {
    const Value value = eval(*expr, frame);
    out.append(autoescape() ? to_escaped_text(*this, value) : to_text(*this, value));
  }
}

Flow Interpreter::exec_if(const IfStmt& statement, Frame& frame, TextBuilder& out) {
  for (const auto& [condition, body] : statement.branches) {
    if (eval(*condition, frame).truthy()) return exec(body, frame, out);
  }
  return exec(statement.otherwise, frame, out);
}

std::vector<Value> Interpreter::loop_items(const ForStmt& loop, const Value& iterable,
                                           Frame& frame) {
  std::vector<Value> items = items_of(*this, iterable);
  charge(items.size() * sizeof(Value));
  if (!loop.condition) return items;
  std::vector<Value> kept;
  for (Value& item : items) {
    Frame inner{std::make_shared<Scope>(frame.scope), frame.run};
    assign(*loop.target, item, inner);
    if (eval(*loop.condition, inner).truthy()) kept.push_back(std::move(item));
  }
  return kept;
}

Flow Interpreter::run_loop(const ForStmt& loop, const Value& iterable, Frame& frame,
                           TextBuilder& out, std::int64_t depth0) {
  DepthGuard depth(*this);
  std::vector<Value> items = loop_items(loop, iterable, frame);
  if (items.empty()) {
    Frame inner{std::make_shared<Scope>(frame.scope), frame.run};
    return exec(loop.otherwise, inner, out);
  }
  auto object = std::make_shared<LoopObject>(*this, loop, frame, std::move(items), depth0);
  const Value loop_value = make_object(object);
  while (object->next()) {
    step();
    Frame inner{std::make_shared<Scope>(frame.scope), frame.run};
    inner.scope->set("loop", loop_value);
    assign(*loop.target, object->item(), inner);
    if (exec(loop.body, inner, out) == Flow::kBreak) break;
  }
  object->finish();
  return Flow::kNormal;
}

void Interpreter::assign(const Expr& target, const Value& value, Frame& frame) {
  if (target.kind == ExprKind::kName) {
    return frame.scope->set(static_cast<const NameExpr&>(target).name, value);
  }
  if (target.kind == ExprKind::kAttribute) {
    const auto& attribute = static_cast<const AttributeExpr&>(target);
    const Value object = eval(*attribute.object, frame);
    if (!object.is(Kind::kObject) || !object.as_object().set_attribute(attribute.name, value)) {
      throw TemplateError("cannot assign an attribute of something that is not a namespace");
    }
    return;
  }
  const auto& names = static_cast<const SequenceExpr&>(target).items;
  const std::vector<Value> items = items_of(*this, value);
  if (items.size() != names.size()) {
    throw TemplateError("cannot unpack " + std::to_string(items.size()) + " values into " +
                        std::to_string(names.size()) + " names");
  }
  for (std::size_t i = 0; i < names.size(); ++i) assign(*names[i], items[i], frame);
}

Flow Interpreter::capture(const Body& body, Frame& frame, Value& result) {
  Frame inner{std::make_shared<Scope>(frame.scope), frame.run};
  TextBuilder out = builder();
  const Flow flow = exec(body, inner, out);
  result = Value::text(out.finish(), autoescape());
  charge(result.as_text().size());
  return flow;
}

Flow Interpreter::exec_set_block(const SetBlockStmt& statement, Frame& frame) {
  Value value;
  const Flow flow = capture(statement.body, frame, value);
  if (flow != Flow::kNormal) return flow;
  if (statement.filter) {
    value = eval_filter(static_cast<const FilterExpr&>(*statement.filter), frame, &value);
  }
  assign(*statement.target, value, frame);
  return Flow::kNormal;
}

Flow Interpreter::exec_filter_block(const FilterBlockStmt& statement, Frame& frame,
                                    TextBuilder& out) {
  Value value;
  const Flow flow = capture(statement.body, frame, value);
  if (flow != Flow::kNormal) return flow;
  value = eval_filter(static_cast<const FilterExpr&>(*statement.filter), frame, &value);
  out.append(autoescape() ? to_escaped_text(*this, value) : to_text(*this, value));
  return Flow::kNormal;
}

Flow Interpreter::exec_with(const WithStmt& statement, Frame& frame, TextBuilder& out) {
  Frame inner{std::make_shared<Scope>(frame.scope), frame.run};
  for (const auto& [target, expr] : statement.assignments) {
    assign(*target, eval(*expr, frame), inner);
  }
  return exec(statement.body, inner, out);
}

Flow Interpreter::exec_autoescape(const AutoescapeStmt& statement, Frame& frame, TextBuilder& out) {
  const bool before = autoescape();
  set_autoescape(eval(*statement.on, frame).truthy());
  Frame inner{std::make_shared<Scope>(frame.scope), frame.run};
  const Flow flow = exec(statement.body, inner, out);
  set_autoescape(before);
  return flow;
}

Value Interpreter::make_macro(const MacroStmt& macro, Frame& frame) {
  return make_object(std::make_shared<MacroObject>(*this, macro, frame));
}

void Interpreter::exec_call_block(const CallBlockStmt& statement, Frame& frame, TextBuilder& out) {
  const Value caller = make_macro(statement.caller, frame);
  const Value value = eval_call(static_cast<const CallExpr&>(*statement.call), frame, &caller);
  out.append(autoescape() ? to_escaped_text(*this, value) : to_text(*this, value));
}

void Interpreter::run_block(TemplateRun& run, std::string_view name, std::size_t index,
                            const std::shared_ptr<Scope>& scope, TextBuilder& out) {
  DepthGuard depth(*this);
  const auto& definitions = run.blocks.find(name)->second;
  const TemplateRun::Definition definition = definitions[index];
  Frame frame{std::make_shared<Scope>(scope), &run};
  if (index + 1 < definitions.size()) {
    frame.scope->set("super",
                     make_object(std::make_shared<SuperObject>(*this, run, name, index + 1)));
  }
  const std::string& outer_name = template_name();
  set_template_name(&definition.source->name);
  exec(definition.block->body, frame, out);
  set_template_name(&outer_name);
}

const TemplateSource* Interpreter::find_source(const std::string& name) {
  const auto known = sources_.find(name);
  if (known != sources_.end()) return known->second.get();
  if (!environment().loader()) return nullptr;
  std::optional<std::string> text = environment().loader()(name);
  if (!text) return nullptr;
  step(text->size() / 4);
  charge(text->size() * 8);
  try {
    auto source =
        std::make_shared<const TemplateSource>(parse_template(environment(), name, *text));
    return sources_.emplace(name, std::move(source)).first->second.get();
  } catch (const SyntaxError& error) {
    throw TemplateError("in template '" + name + "' line " + std::to_string(error.line) + ": " +
                        error.message);
  }
}

const TemplateSource& Interpreter::load(const Value& name) {
  std::vector<Value> candidates = {name};
  if (name.is(Kind::kList)) candidates = name.as_list();
  for (const Value& candidate : candidates) {
    if (!candidate.is(Kind::kString)) throw TemplateError("a template's name must be a string");
    if (const TemplateSource* source = find_source(std::string(candidate.as_view()))) {
      return *source;
    }
  }
  throw TemplateError("there is no template " + std::string(repr(*this, name).view()),
                      ErrorCode::kNotFound);
}

void Interpreter::exec_include(const IncludeStmt& statement, Frame& frame, TextBuilder& out) {
  const Value name = eval(*statement.name, frame);
  const TemplateSource* source = nullptr;
  try {
    source = &load(name);
  } catch (const TemplateError& error) {
    if (!statement.ignore_missing || error.code != ErrorCode::kNotFound) throw;
    return;
  }
  TemplateRun& run = runs_.emplace_back();
  run.module_scope = std::make_shared<Scope>(statement.with_context ? frame.scope : nullptr);
  const std::string& outer_name = template_name();
  run_template(*source, run, out);
  set_template_name(&outer_name);
}

Value Interpreter::import_module(const Expr& name_expr, bool with_context, Frame& frame) {
  const TemplateSource& source = load(eval(name_expr, frame));
  TemplateRun& run = runs_.emplace_back();
  run.module_scope = std::make_shared<Scope>(with_context ? frame.scope : nullptr);
  TextBuilder unseen = builder();
  const std::string& outer_name = template_name();
  run_template(source, run, unseen);
  set_template_name(&outer_name);
  return make_object(std::make_shared<ModuleObject>(run.module_scope));
}

void Interpreter::exec_import(const ImportStmt& statement, Frame& frame) {
  frame.scope->set(statement.target, import_module(*statement.name, statement.with_context, frame));
}

void Interpreter::exec_from_import(const FromImportStmt& statement, Frame& frame) {
  const Value module = import_module(*statement.name, statement.with_context, frame);
  for (const auto& [theirs, ours] : statement.names) {
    auto value = module.as_object().attribute(*this, theirs);
    frame.scope->set(
        ours, value ? *value : Value::undefined("the imported template has no '" + theirs + "'"));
  }
}

}  // namespace notso::jinja
