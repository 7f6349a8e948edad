// A calculator for one line of arithmetic. It computes with fractions of whole numbers for as long
// as they fit 127 bits, so 0.1 + 0.2 is 0.3, and with floating point after that.
//
//   expression := product (('+' | '-') product)*
//   product    := signed (('*' | '/' | '%') signed)*
//   signed     := ('-' | '+') signed | power
//   power      := operand (('^' | '**') signed)?
//   operand    := number | 'pi' | 'e' | function '(' expression (',' expression)* ')'
//                 | '(' expression ')'
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace notso {

// The value of `expression`, as text. Functions: sqrt abs round floor ceil min max ln exp sin cos
// (radians), log (base 10, or of a second argument). `a % b` has the sign of b. Bounded: 1000
// bytes, 50 levels of nesting.
[[nodiscard]] Result<std::string> calculate(std::string_view expression);

}  // namespace notso
