// A validator for the part of JSON Schema that the cases use, written apart from the compiler and
// after the standard: it looks at finished values, without formats (the peer check has those).
#pragma once

#include <boost/json/value.hpp>

namespace notso {

// Whether `value` fits `schema`; `root` is what "#" refers to.
bool fits_schema(const boost::json::value& value, const boost::json::value& schema,
                 const boost::json::value& root);

}  // namespace notso
