// What the parser makes of a template: statements and expressions, immutable once parsed. Every
// node knows its line, and its height is bounded, so that walking and freeing the tree cannot
// overflow the stack.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "service/template/builtins.h"
#include "service/template/environment.h"
#include "service/template/value.h"
#include "service/template/value_ops.h"

namespace notso::jinja {

// Which struct an expression is.
enum class ExprKind {
  kConstant,
  kName,
  kSequence,
  kDict,
  kAttribute,
  kSubscript,
  kSlice,
  kCall,
  kFilter,
  kTest,
  kNot,
  kSign,
  kArithmetic,
  kConcat,
  kCompare,
  kLogical,
  kConditional
};

// Any expression.
struct Expr {
  explicit Expr(ExprKind k) : kind(k) {}
  virtual ~Expr() = default;
  const ExprKind kind;
  int line = 1;
  int height = 1;
};
using ExprPtr = std::unique_ptr<Expr>;

// f(a, b=c, *d, **e)
struct CallArgs {
  std::vector<ExprPtr> positional;
  std::vector<std::pair<std::string, ExprPtr>> named;
  ExprPtr star;
  ExprPtr double_star;
};

// A literal.
struct ConstantExpr : Expr {
  ConstantExpr() : Expr(ExprKind::kConstant) {}
  Value value;
};

// A variable, or the name that an assignment sets.
struct NameExpr : Expr {
  NameExpr() : Expr(ExprKind::kName) {}
  std::string name;
};

// [a, b] or (a, b).
struct SequenceExpr : Expr {
  SequenceExpr() : Expr(ExprKind::kSequence) {}
  std::vector<ExprPtr> items;
  bool tuple = false;
};

// {a: b}
struct DictExpr : Expr {
  DictExpr() : Expr(ExprKind::kDict) {}
  std::vector<std::pair<ExprPtr, ExprPtr>> entries;
};

// a.b
struct AttributeExpr : Expr {
  AttributeExpr() : Expr(ExprKind::kAttribute) {}
  ExprPtr object;
  std::string name;
};

// a[b]
struct SubscriptExpr : Expr {
  SubscriptExpr() : Expr(ExprKind::kSubscript) {}
  ExprPtr object;
  ExprPtr index;
};

// a[b:c:d]
struct SliceExpr : Expr {
  SliceExpr() : Expr(ExprKind::kSlice) {}
  ExprPtr object;
  ExprPtr start, stop, step;  // null where left out
};

// a(b)
struct CallExpr : Expr {
  CallExpr() : Expr(ExprKind::kCall) {}
  ExprPtr callee;
  CallArgs args;
};

// a | b(c)
struct FilterExpr : Expr {
  FilterExpr() : Expr(ExprKind::kFilter) {}
  ExprPtr input;  // null: the text of a filter or set block
  std::string name;
  FilterRef filter;
  CallArgs args;
};

// a is b(c)
struct TestExpr : Expr {
  TestExpr() : Expr(ExprKind::kTest) {}
  ExprPtr input;
  std::string name;
  const TestFunction* test = nullptr;  // null: there is no such test
  CallArgs args;
  bool negated = false;
};

// not a
struct NotExpr : Expr {
  NotExpr() : Expr(ExprKind::kNot) {}
  ExprPtr operand;
};

// -a or +a
struct SignExpr : Expr {
  SignExpr() : Expr(ExprKind::kSign) {}
  ExprPtr operand;
  bool negative = false;
};

// a + b and the like.
struct ArithmeticExpr : Expr {
  ArithmeticExpr() : Expr(ExprKind::kArithmetic) {}
  Arithmetic op = Arithmetic::kAdd;
  ExprPtr left, right;
};

// a ~ b ~ c
struct ConcatExpr : Expr {
  ConcatExpr() : Expr(ExprKind::kConcat) {}
  std::vector<ExprPtr> items;
};
// The comparing operators.
enum class Comparison {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn
};

// a < b <= c
struct CompareExpr : Expr {
  CompareExpr() : Expr(ExprKind::kCompare) {}
  ExprPtr first;
  std::vector<std::pair<Comparison, ExprPtr>> rest;
};

// a and b, a or b
struct LogicalExpr : Expr {
  LogicalExpr() : Expr(ExprKind::kLogical) {}
  bool is_and = false;
  ExprPtr left, right;
};

// a if b else c
struct ConditionalExpr : Expr {
  ConditionalExpr() : Expr(ExprKind::kConditional) {}
  ExprPtr condition, then_value;
  ExprPtr else_value;  // null: undefined
};

// Which struct a statement is.
enum class StmtKind {
  kData,
  kOutput,
  kIf,
  kFor,
  kSet,
  kSetBlock,
  kMacro,
  kCallBlock,
  kFilterBlock,
  kWith,
  kInclude,
  kImport,
  kFromImport,
  kExtends,
  kBlock,
  kBreak,
  kContinue,
  kDo,
  kAutoescape
};

// Any statement; break and continue are no more than their kind.
struct Stmt {
  explicit Stmt(StmtKind k) : kind(k) {}
  virtual ~Stmt() = default;
  const StmtKind kind;
  int line = 1;
};
using StmtPtr = std::unique_ptr<Stmt>;
using Body = std::vector<StmtPtr>;

// Text outside of tags.
struct DataStmt : Stmt {
  DataStmt() : Stmt(StmtKind::kData) {}
  Text text;
};

// {{ a }}
struct OutputStmt : Stmt {
  OutputStmt() : Stmt(StmtKind::kOutput) {}
  std::vector<ExprPtr> values;
};

// {% if %}
struct IfStmt : Stmt {
  IfStmt() : Stmt(StmtKind::kIf) {}
  std::vector<std::pair<ExprPtr, Body>> branches;
  Body otherwise;
};

// {% for %}
struct ForStmt : Stmt {
  ForStmt() : Stmt(StmtKind::kFor) {}
  ExprPtr target;  // names and tuples of names
  ExprPtr iterable;
  ExprPtr condition;  // null without a filter
  Body body;
  Body otherwise;
  bool recursive = false;
};

// {% set a = b %}
struct SetStmt : Stmt {
  SetStmt() : Stmt(StmtKind::kSet) {}
  ExprPtr target;  // also namespace.attribute
  ExprPtr value;
};

// {% set a %}...{% endset %}
struct SetBlockStmt : Stmt {
  SetBlockStmt() : Stmt(StmtKind::kSetBlock) {}
  ExprPtr target;
  ExprPtr filter;  // null, or a chain of filters whose innermost input is null
  Body body;
};
// The parameters of a macro or a call block.
struct Signature {
  std::vector<std::string> names;
  std::vector<ExprPtr> defaults;  // of the last names
};

// {% macro %}
struct MacroStmt : Stmt {
  MacroStmt() : Stmt(StmtKind::kMacro) {}
  std::string name;
  Signature signature;
  Body body;
  bool uses_caller = false, uses_varargs = false, uses_kwargs = false;
};

// {% call %}
struct CallBlockStmt : Stmt {
  CallBlockStmt() : Stmt(StmtKind::kCallBlock) {}
  MacroStmt caller;
  ExprPtr call;
};

// {% filter %}
struct FilterBlockStmt : Stmt {
  FilterBlockStmt() : Stmt(StmtKind::kFilterBlock) {}
  ExprPtr filter;
  Body body;
};

// {% with %}
struct WithStmt : Stmt {
  WithStmt() : Stmt(StmtKind::kWith) {}
  std::vector<std::pair<ExprPtr, ExprPtr>> assignments;
  Body body;
};

// {% include %}
struct IncludeStmt : Stmt {
  IncludeStmt() : Stmt(StmtKind::kInclude) {}
  ExprPtr name;
  bool ignore_missing = false;
  bool with_context = true;
};

// {% import a as b %}
struct ImportStmt : Stmt {
  ImportStmt() : Stmt(StmtKind::kImport) {}
  ExprPtr name;
  std::string target;
  bool with_context = false;
};

// {% from a import b as c %}
struct FromImportStmt : Stmt {
  FromImportStmt() : Stmt(StmtKind::kFromImport) {}
  ExprPtr name;
  std::vector<std::pair<std::string, std::string>> names;  // theirs, ours
  bool with_context = false;
};

// {% extends %}
struct ExtendsStmt : Stmt {
  ExtendsStmt() : Stmt(StmtKind::kExtends) {}
  ExprPtr name;
};

// {% block %}
struct BlockStmt : Stmt {
  BlockStmt() : Stmt(StmtKind::kBlock) {}
  std::string name;
  bool scoped = false;
  Body body;
};

// {% do %}
struct DoStmt : Stmt {
  DoStmt() : Stmt(StmtKind::kDo) {}
  ExprPtr value;
};

// {% autoescape %}
struct AutoescapeStmt : Stmt {
  AutoescapeStmt() : Stmt(StmtKind::kAutoescape) {}
  ExprPtr on;
  Body body;
};

// A parsed template.
struct TemplateSource {
  std::string name;
  Body body;
  std::map<std::string, const BlockStmt*, std::less<>> blocks;
};

// Compiles a template. Throws SyntaxError.
TemplateSource parse_template(const Environment& environment, std::string name,
                              std::string_view source);

}  // namespace notso::jinja
