// How templates are read and rendered: whitespace rules, escaping, limits, and what the embedder
// adds. Configure one, then share it as const: parsing and rendering never change it, from any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "service/template/value.h"

namespace notso::jinja {

// Bounds on what one template may cost. None depends on a clock, so the same template always fails
// at the same place.
struct Limits {
  std::size_t source_bytes = std::size_t{1} << 20U;
  // Nesting of the source: parentheses, blocks, chains of operators and filters.
  int parse_depth = 150;
  // Nesting of the evaluation: expressions, blocks, macro calls, includes, printed containers.
  int render_depth = 600;
  // Expressions, statements and loop rounds evaluated, items walked over.
  std::uint64_t steps = 2'000'000;
  // The length of one string, and of the whole output.
  std::size_t string_bytes = std::size_t{32} << 20U;
  std::size_t output_bytes = std::size_t{32} << 20U;
  // Entries of one list or dict, and of range().
  std::size_t list_items = 200'000;
  // Bytes of all strings and containers made while rendering, whether still alive or not.
  std::uint64_t total_bytes = std::uint64_t{256} << 20U;
};

// What tojson writes.
enum class JsonStyle {
  kChat,  // as transformers sets it up: json.dumps(ensure_ascii=False); characters as they are
  kHtml,  // as Jinja ships it: keys sorted, ASCII only, < > & ' escaped; the result is markup
};

// The defaults are those of transformers' apply_chat_template.
struct Options {
  bool trim_blocks = true;
  bool lstrip_blocks = true;
  bool keep_trailing_newline = false;
  bool autoescape = false;
  JsonStyle json = JsonStyle::kChat;
  Limits limits;
  // What strftime_now() reads: local time. A test sets it.
  std::function<std::tm()> clock;
};

// The options for pages of HTML: every value is escaped, tojson is safe inside a script element.
Options html_options();

// A filter or a function of the embedder. For a filter, the piped value is the first positional.
using Function = std::function<Result<Value>(const Arguments& arguments)>;

// Finds the source of a template by name; nothing when there is none.
using Loader = std::function<std::optional<std::string>(std::string_view name)>;

// The setting that templates are parsed and rendered in. It has no access to files: include,
// extends and import ask the loader.
class Environment {
 public:
  explicit Environment(Options options = {}) : options_(std::move(options)) {}

  // Adds or replaces `{{ value | name }}`.
  void add_filter(std::string name, Function function);
  // Adds or replaces `{{ name() }}`.
  void add_function(std::string name, Function function);
  // Adds or replaces a variable that every template sees.
  void add_global(std::string name, Value value);
  // Sets where include, extends and import look.
  void set_loader(Loader loader) { loader_ = std::move(loader); }

  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] const Loader& loader() const { return loader_; }
  // The embedder's filter, or nullptr.
  [[nodiscard]] const Function* find_filter(std::string_view name) const;
  // The embedder's function or variable, or nullptr.
  [[nodiscard]] const Value* find_global(std::string_view name) const;

 private:
  Options options_;
  Loader loader_;
  std::map<std::string, Function, std::less<>> filters_;
  std::map<std::string, Value, std::less<>> globals_;
};

}  // namespace notso::jinja
