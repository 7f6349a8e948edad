// Values with behaviour: functions, macros, loop, namespaces, imported modules.
#pragma once

#include <optional>
#include <string_view>

#include "service/template/value.h"

namespace notso::jinja {

// The base of everything that a template can call or ask for attributes and that is not data.
class Object {
 public:
  virtual ~Object() = default;

  // As `{{ x }}` would print it between angle brackets, and as errors name it.
  [[nodiscard]] virtual std::string_view type_name() const = 0;
  [[nodiscard]] virtual bool callable() const { return false; }
  // Calls it. Only when callable().
  virtual Value call(Runtime& runtime, Arguments& arguments);
  // The attribute, or nothing if there is none.
  virtual std::optional<Value> attribute(Runtime& runtime, std::string_view name);
  // Assigns an attribute; false if this kind of object has none that can be assigned.
  virtual bool set_attribute(std::string_view name, const Value& value);
  // Drops every value that it holds, so that values that hold each other are freed.
  virtual void clear() {}
};

}  // namespace notso::jinja
