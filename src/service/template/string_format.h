// Python's two ways to put values into a string: "%s of %d" % (a, b) and "{} of {}".format(a, b).
#pragma once

#include "service/template/runtime.h"
#include "service/template/value.h"

namespace notso::jinja {

// format % values: a tuple gives one value a directive, a dict the values of %(name)s.
Value percent_format(Runtime& runtime, const Value& format, const Value& values);
// format.format(...): {}, {0}, {name}, each with an optional :spec and !r or !s.
Value brace_format(Runtime& runtime, const Value& format, const Arguments& arguments);

}  // namespace notso::jinja
