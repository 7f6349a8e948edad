// What a grammar may cost. Sources come from requests, so every size, depth and count is bounded;
// what goes over is refused with an error that gives the bound.
#pragma once

#include <cstddef>
#include <cstdint>

namespace notso::grammar {

inline constexpr std::size_t kMaxSourceBytes = 512 * 1024;
// Parentheses within parentheses, in GBNF and in regular expressions.
inline constexpr std::size_t kMaxNesting = 512;
// Braces and brackets within each other in the text of a schema.
inline constexpr std::size_t kMaxJsonDepth = 256;
inline constexpr std::size_t kMaxRules = 50'000;
inline constexpr std::size_t kMaxExpressions = 400'000;
inline constexpr std::size_t kMaxStates = 300'000;
// The largest m and n of {m,n}, minItems, maxLength and the like.
inline constexpr std::uint32_t kMaxRepeat = 1'000'000;
// Schemas that allOf and $ref bring together into one.
inline constexpr std::size_t kMaxMerges = 200;
// Keywords and properties that are read while schemas are merged, over the whole document.
inline constexpr std::size_t kMaxMergeWork = 1'000'000;
// Positions that a grammar may be in at once; an ambiguous grammar that needs more goes no further.
inline constexpr std::size_t kMaxItems = 20'000;
// Positions visited by one accept or one mask; more is an error of that request.
inline constexpr std::uint64_t kMaxWork = 10'000'000;

}  // namespace notso::grammar
