// Statements, and the helpers that both halves of the parser use.
#include <algorithm>

#include "service/template/parser.h"

namespace notso::jinja {

const Token& Parser::peek() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }

Token Parser::take() {
  Token token = current();
  if (token.kind != TokenKind::kEnd) ++at_;
  return token;
}

bool Parser::is_operator(std::string_view text) const {
  return current().kind == TokenKind::kOperator && current().text == text;
}

bool Parser::is_name(std::string_view text) const {
  return current().kind == TokenKind::kName && current().text == text;
}

bool Parser::skip_operator(std::string_view text) {
  if (!is_operator(text)) return false;
  take();
  return true;
}

bool Parser::skip_name(std::string_view text) {
  if (!is_name(text)) return false;
  take();
  return true;
}

void Parser::expect_operator(std::string_view text) {
  if (!skip_operator(text)) {
    fail("expected '" + std::string(text) + "', got " + describe_current());
  }
}

std::string Parser::expect_name(std::string_view what) {
  if (current().kind != TokenKind::kName) {
    fail("expected " + std::string(what) + ", got " + describe_current());
  }
  return take().text;
}

void Parser::expect_block_end() {
  if (current().kind != TokenKind::kBlockEnd) fail("expected '%}', got " + describe_current());
  take();
}

void Parser::fail(const std::string& message) const { fail_at(message, current().line); }

void Parser::fail_at(const std::string& message, int line) const {
  throw SyntaxError{message, line};
}

std::string Parser::describe_current() const {
  switch (current().kind) {
    case TokenKind::kEnd:
      return "the end of the template";
    case TokenKind::kVariableEnd:
      return "'}}'";
    case TokenKind::kBlockEnd:
      return "'%}'";
    case TokenKind::kName:
    case TokenKind::kOperator:
      return "'" + current().text + "'";
    case TokenKind::kString:
      return "a string";
    case TokenKind::kInteger:
    case TokenKind::kFloat:
      return "a number";
    default:
      return "a tag";
  }
}

void Parser::parse() {
  result_.body = parse_body({});
  if (current().kind != TokenKind::kEnd) fail("unexpected " + describe_current());
}

// Statements up to a tag whose name is one of `ends`; that name is then the current token. Without
// ends: up to the end of the template.
Body Parser::parse_body(std::initializer_list<std::string_view> ends) {
  Nesting nesting(*this);
  const int first_line = current().line;
  Body body;
  for (;;) {
    if (current().kind == TokenKind::kData) {
      auto node = make<DataStmt>(current().line);
      node->text = Text(take().text, true);
      body.push_back(std::move(node));
    } else if (current().kind == TokenKind::kVariableBegin) {
      body.push_back(parse_output());
    } else if (current().kind == TokenKind::kBlockBegin) {
      take();
      if (std::any_of(ends.begin(), ends.end(), [&](auto end) { return is_name(end); })) {
        return body;
      }
      if (is_name("generation")) {
        parse_generation(body);
      } else {
        body.push_back(parse_statement());
      }
    } else if (ends.size() == 0) {
      return body;
    } else {
      fail("the block that begins at line " + std::to_string(first_line) +
           " is not closed: expected '" + std::string(*(ends.end() - 1)) + "'");
    }
  }
}

void Parser::parse_end(std::string_view name) {
  if (!skip_name(name)) fail("expected '" + std::string(name) + "', got " + describe_current());
  expect_block_end();
}

StmtPtr Parser::parse_statement() {
  if (current().kind != TokenKind::kName) fail("expected the name of a tag after '{%'");
  const std::string name = current().text;
  using Method = StmtPtr (Parser::*)();
  static const std::map<std::string_view, Method> kTags = {
      {"if", &Parser::parse_if},           {"for", &Parser::parse_for},
      {"set", &Parser::parse_set},         {"macro", &Parser::parse_macro},
      {"call", &Parser::parse_call_block}, {"filter", &Parser::parse_filter_block},
      {"with", &Parser::parse_with},       {"include", &Parser::parse_include},
      {"import", &Parser::parse_import},   {"from", &Parser::parse_from},
      {"extends", &Parser::parse_extends}, {"block", &Parser::parse_block},
      {"do", &Parser::parse_do},           {"autoescape", &Parser::parse_autoescape},
      {"print", &Parser::parse_output},
  };
  if (name == "break") return parse_loop_control(StmtKind::kBreak);
  if (name == "continue") return parse_loop_control(StmtKind::kContinue);
  const auto tag = kTags.find(name);
  if (tag == kTags.end()) fail("unknown tag '" + name + "'");
  return (this->*tag->second)();
}

// `{{ a }}` and `{% print a, b %}`.
StmtPtr Parser::parse_output() {
  auto node = make<OutputStmt>(current().line);
  const bool variable = take().kind == TokenKind::kVariableBegin;
  if (variable) {
    node->values.push_back(parse_tuple(true, false));
    if (current().kind != TokenKind::kVariableEnd) fail("expected '}}', got " + describe_current());
    take();
    return node;
  }
  while (current().kind != TokenKind::kBlockEnd) {
    if (!node->values.empty()) expect_operator(",");
    node->values.push_back(parse_expression());
  }
  take();
  return node;
}

StmtPtr Parser::parse_if() {
  auto node = make<IfStmt>(current().line);
  do {
    take();
    ExprPtr condition = parse_tuple(false, false);
    if (is_name("if")) fail("a condition that is itself conditional needs parentheses");
    expect_block_end();
    node->branches.emplace_back(std::move(condition), parse_body({"elif", "else", "endif"}));
  } while (is_name("elif"));
  if (skip_name("else")) {
    expect_block_end();
    node->otherwise = parse_body({"endif"});
  }
  parse_end("endif");
  return node;
}

StmtPtr Parser::parse_for() {
  auto node = make<ForStmt>(take().line);
  node->target = parse_target(false);
  if (!skip_name("in")) fail("expected 'in', got " + describe_current());
  node->iterable = parse_tuple(false, false);
  if (skip_name("if")) node->condition = parse_expression();
  node->recursive = skip_name("recursive");
  expect_block_end();
  ++loop_depth_;
  node->body = parse_body({"endfor", "else"});
  --loop_depth_;
  if (skip_name("else")) {
    expect_block_end();
    node->otherwise = parse_body({"endfor"});
  }
  parse_end("endfor");
  return node;
}

ExprPtr Parser::parse_single_target(bool with_namespace) {
  Nesting nesting(*this);
  if (skip_operator("(")) {
    ExprPtr inner = parse_target(false);
    expect_operator(")");
    return inner;
  }
  auto node = make<NameExpr>(current().line);
  node->name = expect_name("a name to assign to");
  for (const char* reserved : {"true", "false", "none", "True", "False", "None"}) {
    if (node->name == reserved) fail("cannot assign to '" + node->name + "'");
  }
  if (!with_namespace || !is_operator(".")) return node;
  auto attribute = make<AttributeExpr>(take().line);
  attribute->object = std::move(node);
  attribute->name = expect_name("the name of an attribute");
  return attribute;
}

ExprPtr Parser::parse_target(bool with_namespace) {
  const int line = current().line;
  ExprPtr first = parse_single_target(with_namespace);
  if (!is_operator(",")) return first;
  auto tuple = make<SequenceExpr>(line);
  tuple->tuple = true;
  tuple->items.push_back(std::move(first));
  while (skip_operator(",")) {
    if (current().kind != TokenKind::kName && !is_operator("(")) break;
    if (is_name("in")) break;
    tuple->items.push_back(parse_single_target(false));
  }
  return tuple;
}

StmtPtr Parser::parse_set() {
  const int line = take().line;
  ExprPtr target = parse_target(true);
  if (skip_operator("=")) {
    auto node = make<SetStmt>(line);
    node->target = std::move(target);
    node->value = parse_tuple(true, false);
    expect_block_end();
    return node;
  }
  auto node = make<SetBlockStmt>(line);
  node->target = std::move(target);
  if (skip_operator("|")) node->filter = parse_filter_chain();
  expect_block_end();
  node->body = parse_body({"endset"});
  parse_end("endset");
  return node;
}

Signature Parser::parse_signature() {
  Signature signature;
  expect_operator("(");
  while (!is_operator(")")) {
    if (!signature.names.empty()) expect_operator(",");
    if (is_operator(")")) break;
    signature.names.push_back(expect_name("the name of a parameter"));
    if (skip_operator("=")) {
      signature.defaults.push_back(parse_expression());
    } else if (!signature.defaults.empty()) {
      fail("a parameter without a default follows one with a default");
    }
  }
  expect_operator(")");
  return signature;
}

void Parser::parse_macro_body(MacroStmt& macro, std::string_view end) {
  const MacroUse outer_use = std::exchange(use_, MacroUse{});
  const int outer_loops = std::exchange(loop_depth_, 0);
  expect_block_end();
  macro.body = parse_body({end});
  parse_end(end);
  macro.uses_caller = use_.caller;
  macro.uses_varargs = use_.varargs;
  macro.uses_kwargs = use_.kwargs;
  use_ = {use_.caller || outer_use.caller, use_.varargs || outer_use.varargs,
          use_.kwargs || outer_use.kwargs};
  loop_depth_ = outer_loops;
}

StmtPtr Parser::parse_macro() {
  auto node = make<MacroStmt>(take().line);
  node->name = expect_name("the name of a macro");
  node->signature = parse_signature();
  parse_macro_body(*node, "endmacro");
  return node;
}

StmtPtr Parser::parse_call_block() {
  auto node = make<CallBlockStmt>(take().line);
  node->caller.line = node->line;
  node->caller.name = "caller";
  if (is_operator("(")) node->caller.signature = parse_signature();
  node->call = parse_expression();
  if (node->call->kind != ExprKind::kCall) fail("expected a call in the call block");
  parse_macro_body(node->caller, "endcall");
  return node;
}

StmtPtr Parser::parse_filter_block() {
  auto node = make<FilterBlockStmt>(take().line);
  node->filter = parse_filter_chain();
  expect_block_end();
  node->body = parse_body({"endfilter"});
  parse_end("endfilter");
  return node;
}

StmtPtr Parser::parse_with() {
  auto node = make<WithStmt>(take().line);
  while (current().kind != TokenKind::kBlockEnd) {
    if (!node->assignments.empty()) expect_operator(",");
    ExprPtr target = parse_single_target(false);
    expect_operator("=");
    node->assignments.emplace_back(std::move(target), parse_expression());
  }
  expect_block_end();
  node->body = parse_body({"endwith"});
  parse_end("endwith");
  return node;
}

// `with context`, `without context`, or neither.
bool Parser::parse_context_choice(bool fallback) {
  const bool named = is_name("with") || is_name("without");
  if (!named || peek().text != "context") return fallback;
  const bool with = is_name("with");
  take();
  take();
  return with;
}

StmtPtr Parser::parse_include() {
  auto node = make<IncludeStmt>(take().line);
  node->name = parse_expression();
  if (is_name("ignore") && peek().text == "missing") {
    take();
    take();
    node->ignore_missing = true;
  }
  node->with_context = parse_context_choice(true);
  expect_block_end();
  return node;
}

StmtPtr Parser::parse_import() {
  auto node = make<ImportStmt>(take().line);
  node->name = parse_expression();
  if (!skip_name("as")) fail("expected 'as', got " + describe_current());
  node->target = expect_name("the name for the imported template");
  node->with_context = parse_context_choice(false);
  expect_block_end();
  return node;
}

StmtPtr Parser::parse_from() {
  auto node = make<FromImportStmt>(take().line);
  node->name = parse_expression();
  if (!skip_name("import")) fail("expected 'import', got " + describe_current());
  do {
    if (is_name("with") && peek().text == "context") break;
    const std::string theirs = expect_name("a name to import");
    const std::string ours = skip_name("as") ? expect_name("a name to import it as") : theirs;
    node->names.emplace_back(theirs, ours);
  } while (skip_operator(","));
  node->with_context = parse_context_choice(false);
  expect_block_end();
  return node;
}

StmtPtr Parser::parse_extends() {
  auto node = make<ExtendsStmt>(take().line);
  node->name = parse_expression();
  expect_block_end();
  return node;
}

StmtPtr Parser::parse_block() {
  auto node = make<BlockStmt>(take().line);
  node->name = expect_name("the name of a block");
  node->scoped = skip_name("scoped");
  skip_name("required");
  expect_block_end();
  if (!result_.blocks.emplace(node->name, node.get()).second) {
    fail_at("block '" + node->name + "' is defined twice", node->line);
  }
  const int outer_loops = std::exchange(loop_depth_, 0);
  node->body = parse_body({"endblock"});
  loop_depth_ = outer_loops;
  take();
  skip_name(node->name);
  expect_block_end();
  return node;
}

StmtPtr Parser::parse_loop_control(StmtKind kind) {
  const Token token = take();
  if (loop_depth_ == 0) fail_at("'" + token.text + "' outside of a loop", token.line);
  expect_block_end();
  auto node = std::make_unique<Stmt>(kind);
  node->line = token.line;
  return node;
}

StmtPtr Parser::parse_do() {
  auto node = make<DoStmt>(take().line);
  node->value = parse_tuple(true, false);
  expect_block_end();
  return node;
}

StmtPtr Parser::parse_autoescape() {
  auto node = make<AutoescapeStmt>(take().line);
  node->on = parse_expression();
  expect_block_end();
  node->body = parse_body({"endautoescape"});
  parse_end("endautoescape");
  return node;
}

// Training tools mark the assistant's words with this tag; for output it only holds its body.
void Parser::parse_generation(Body& into) {
  take();
  expect_block_end();
  Body body = parse_body({"endgeneration"});
  parse_end("endgeneration");
  for (StmtPtr& statement : body) into.push_back(std::move(statement));
}

TemplateSource parse_template(const Environment& environment, std::string name,
                              std::string_view source) {
  const std::size_t limit = environment.options().limits.source_bytes;
  if (source.size() > limit) {
    throw SyntaxError{"the source is longer than " + std::to_string(limit) + " bytes", 1};
  }
  TemplateSource result;
  result.name = std::move(name);
  Parser(environment, result, tokenize(source, environment.options())).parse();
  return result;
}

}  // namespace notso::jinja
