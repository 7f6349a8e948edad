// Reads one tool call, {"name": "...", "arguments": {...}}, as it is written, so that its arguments
// can be passed on before it is complete.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace notso {

// Nesting that a call may have; deeper is malformed.
inline constexpr std::size_t kToolCallDepthMax = 64;

// Keys come in any order, unknown ones are skipped, missing arguments are "{}". Anything else that
// is not such an object is malformed. Does not recurse.
class ToolCallReader {
 public:
  ToolCallReader();
  ToolCallReader(ToolCallReader&&) noexcept;
  ToolCallReader& operator=(ToolCallReader&&) noexcept;
  ~ToolCallReader();

  // Takes in more of the text, cut anywhere between characters.
  void feed(std::string_view text);

  // Whether the object is closed and has a name.
  [[nodiscard]] bool complete() const;
  // Whether it can no longer become a call.
  [[nodiscard]] bool malformed() const;
  // Whether name() is whole.
  [[nodiscard]] bool has_name() const;
  [[nodiscard]] const std::string& name() const;
  // The arguments so far, as they were written.
  [[nodiscard]] const std::string& arguments() const;
  // What was fed, all of it.
  [[nodiscard]] const std::string& text() const;
  // What came after the complete object, without white space around it.
  [[nodiscard]] std::string_view rest() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace notso
