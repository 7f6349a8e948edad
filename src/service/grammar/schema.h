// JSON Schema, draft 2020-12, as a grammar whose every answer is valid JSON that fits the schema.
// The reverse does not hold: a grammar fixes what a validator leaves open.
//
//   - Properties come in the order of the schema, required or not. Without additionalProperties an
//     object with `properties` has no others; where it is true or a schema, others come last and
//     their keys are spelled without escapes.
//   - All of prefixItems are given. What follows them needs `items` (or a larger minItems).
//   - Without `type`, keywords of one type stand for it: `properties` makes an object.
//   - oneOf is anyOf: alternatives that overlap are not told apart.
//   - allOf, and keywords beside $ref, anyOf and oneOf, are merged keyword by keyword.
//   - The text of a string with `pattern` or `format`, and of enum and const, has one spelling.
//   - Numbers with bounds have no exponent and at most 15 digits; multipleOf goes up to 1000 steps
//     of its last decimal place.
//   - $ref stays within the document: "#" and "#/...".
//
// Formats: date-time date time duration email hostname ipv4 ipv6 uuid uri. For how spaces go, see
// json_rules.h. Unknown keywords are annotations, as the standard says; those of the standard that
// are not supported are refused by name, with the JSON pointer of the schema that has them.
#pragma once

#include <string_view>

#include "base/result.h"
#include "service/grammar/expression.h"

namespace notso::grammar {

// Adds the rules of the schema whose JSON text is given and returns the one of the whole answer.
Result<RuleId> parse_schema(std::string_view text, ExpressionPool& pool);

// The same for [{"name": ..., "parameters": schema}, ...]: one call of one of them, as
// {"name": ..., "arguments": {...}}.
Result<RuleId> parse_tool_calls(std::string_view text, ExpressionPool& pool);

}  // namespace notso::grammar
