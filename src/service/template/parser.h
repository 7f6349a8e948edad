// The recursive-descent parser, in two files: expressions and statements. Used by parse_template().
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/template/ast.h"
#include "service/template/lexer.h"

namespace notso::jinja {

// Parses one template. Throws SyntaxError.
class Parser {
 public:
  Parser(const Environment& environment, TemplateSource& result, std::vector<Token> tokens)
      : environment_(environment), result_(result), tokens_(std::move(tokens)) {}

  // The whole template.
  void parse();

 private:
  // One level of nesting while it lives.
  class Nesting {
   public:
    explicit Nesting(Parser& parser);
    ~Nesting() { --parser_.depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    Parser& parser_;
  };

  // What of a macro's body decides how it is called.
  struct MacroUse {
    bool caller = false, varargs = false, kwargs = false;
  };

  // Tokens.
  [[nodiscard]] const Token& current() const { return tokens_[at_]; }
  [[nodiscard]] const Token& peek() const;
  Token take();
  [[nodiscard]] bool is_operator(std::string_view text) const;
  [[nodiscard]] bool is_name(std::string_view text) const;
  bool skip_operator(std::string_view text);
  bool skip_name(std::string_view text);
  void expect_operator(std::string_view text);
  std::string expect_name(std::string_view what);
  void expect_block_end();
  [[noreturn]] void fail(const std::string& message) const;
  [[noreturn]] void fail_at(const std::string& message, int line) const;
  [[nodiscard]] std::string describe_current() const;

  // Expressions, from the loosest binding to the tightest.
  template <class Node>
  static std::unique_ptr<Node> make(int line) {
    auto node = std::make_unique<Node>();
    node->line = line;
    return node;
  }
  // Sets the height of `node` over its children; throws if the tree is too high.
  void raise(Expr& node, std::initializer_list<const Expr*> children);
  void raise(Expr& node, const CallArgs& args);
  ExprPtr parse_expression(bool with_condition = true);
  ExprPtr parse_or();
  ExprPtr parse_and();
  ExprPtr parse_not();
  ExprPtr parse_compare();
  ExprPtr parse_sum();
  ExprPtr parse_concat();
  ExprPtr parse_product();
  ExprPtr parse_power();
  ExprPtr parse_unary(bool with_filter = true);
  ExprPtr parse_primary();
  ExprPtr parse_string();
  ExprPtr parse_list();
  ExprPtr parse_dict();
  ExprPtr parse_postfix(ExprPtr node);
  ExprPtr parse_filters(ExprPtr node);
  ExprPtr parse_filter(ExprPtr input);
  ExprPtr parse_filter_chain();
  ExprPtr parse_test(ExprPtr input);
  ExprPtr parse_attribute(ExprPtr object);
  ExprPtr parse_subscript(ExprPtr object);
  ExprPtr parse_call(ExprPtr callee);
  CallArgs parse_call_args();
  // Expressions with commas between them make a tuple.
  ExprPtr parse_tuple(bool with_condition, bool explicit_parentheses);
  ExprPtr parse_arithmetic(Arithmetic op, ExprPtr left, ExprPtr right, int line);

  // Targets of assignments.
  ExprPtr parse_target(bool with_namespace);
  ExprPtr parse_single_target(bool with_namespace);

  // Statements.
  Body parse_body(std::initializer_list<std::string_view> ends);
  // `{% endNAME %}`; the name is the current token.
  void parse_end(std::string_view name);
  StmtPtr parse_statement();
  StmtPtr parse_if();
  StmtPtr parse_for();
  StmtPtr parse_set();
  StmtPtr parse_macro();
  StmtPtr parse_call_block();
  StmtPtr parse_filter_block();
  StmtPtr parse_with();
  StmtPtr parse_include();
  StmtPtr parse_import();
  StmtPtr parse_from();
  StmtPtr parse_extends();
  StmtPtr parse_block();
  StmtPtr parse_loop_control(StmtKind kind);
  StmtPtr parse_do();
  StmtPtr parse_autoescape();
  StmtPtr parse_output();
  void parse_generation(Body& into);
  Signature parse_signature();
  void parse_macro_body(MacroStmt& macro, std::string_view end);
  bool parse_context_choice(bool fallback);

  const Environment& environment_;
  TemplateSource& result_;
  const std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
  int loop_depth_ = 0;
  MacroUse use_;
};

}  // namespace notso::jinja
