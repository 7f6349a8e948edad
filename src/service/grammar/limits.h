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
// Work is counted in units of a visited position, which takes about 50 ns. Masks are made between
// the steps of all answers, so no single one may take long, and neither may those of one answer
// together: it begins with kMaxAnswerWork and gets kWorkPerMask more with each of its masks. More
// is an error of that request. What the caches hold already costs next to nothing.
inline constexpr std::uint64_t kMaxMaskWork = 4'000'000;
inline constexpr std::uint64_t kMaxAnswerWork = 12'000'000;
inline constexpr std::uint64_t kWorkPerMask = 100'000;
// What cheaper and dearer steps than that are worth: nodes of a tree of tokens that are passed, and
// tokens that run over the end of a rule, which are sorted.
inline constexpr std::uint64_t kNodesPerWork = 8;
inline constexpr std::uint64_t kWorkPerRest = 3;
// Words of a mask that are joined.
inline constexpr std::uint64_t kWordsPerWork = 64;

}  // namespace notso::grammar
