// What one rendering has spent and made. Every filter and operation gets it: to count steps and
// bytes, and to make containers that are freed together at the end, however they refer to each
// other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "service/template/environment.h"
#include "service/template/object.h"
#include "service/template/value.h"

namespace notso::jinja {

// The account of one rendering. All limits throw TemplateError.
class Runtime {
 public:
  explicit Runtime(const Environment& environment);
  // Empties everything that it made, one by one: neither cycles nor long chains of containers can
  // leak or overflow the stack.
  virtual ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  [[nodiscard]] const Environment& environment() const { return environment_; }
  [[nodiscard]] const Limits& limits() const { return environment_.options().limits; }

  // Counts work done.
  void step(std::uint64_t count = 1);
  // Counts bytes made.
  void charge(std::uint64_t bytes);
  // Throws if a list or dict of `count` items is too long.
  void check_items(std::uint64_t count) const;
  // A builder that refuses to grow over the limit of one string.
  [[nodiscard]] TextBuilder builder() const { return TextBuilder(limits().string_bytes); }

  // Containers that the template may change.
  Value make_list(std::vector<Value> items, ListKind kind = ListKind::kList);
  Value make_dict(Dict entries);
  // An object that is cleared at the end of the rendering.
  Value make_object(std::shared_ptr<Object> object);
  // The items of a list (or dict) that this rendering made; throws for frozen ones.
  std::vector<Value>& mutable_list(const Value& list);
  Dict& mutable_dict(const Value& dict);
  // Throws unless `item` can go into `container` without making it contain itself.
  void check_acyclic(const Value& container, const Value& item);

  // Where the template is: for error messages.
  [[nodiscard]] int line() const { return line_; }
  void set_line(int line) { line_ = line; }
  [[nodiscard]] const std::string& template_name() const { return *template_name_; }
  void set_template_name(const std::string* name) { template_name_ = name; }

  // Whether output is escaped here; `{% autoescape %}` changes it.
  [[nodiscard]] bool autoescape() const { return autoescape_; }
  void set_autoescape(bool on) { autoescape_ = on; }

 private:
  friend class DepthGuard;
  const Environment& environment_;
  std::uint64_t steps_ = 0;
  std::uint64_t bytes_ = 0;
  int depth_ = 0;
  int line_ = 1;
  bool autoescape_;
  const std::string* template_name_;
  std::vector<std::shared_ptr<ListRep>> lists_;
  std::vector<std::shared_ptr<DictRep>> dicts_;
  std::vector<std::shared_ptr<Object>> objects_;
};

// One level of recursion over values or syntax, counted while it lives.
class DepthGuard {
 public:
  explicit DepthGuard(Runtime& runtime);
  ~DepthGuard() { --runtime_.depth_; }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;

 private:
  Runtime& runtime_;
};

}  // namespace notso::jinja
