// The exception that unwinds the parser and the interpreter. It never leaves this folder: parse()
// and render() turn it into an Error that names the template and the line.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"

namespace notso::jinja {

// Thrown where something is wrong; whoever catches it knows the template and the line.
struct TemplateError {
  explicit TemplateError(std::string text, ErrorCode kind = ErrorCode::kInvalidArgument)
      : message(std::move(text)), code(kind) {}
  std::string message;
  ErrorCode code;
};

}  // namespace notso::jinja
