// Draws random answers from a grammar by its masks, as a model that knows nothing would.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "service/grammar/test_vocabulary.h"

namespace notso {

// One answer, or nothing where it came to a place without a token or did not end. Up to `wish`
// tokens any allowed token may come; after that those that close something are preferred.
std::optional<std::string> sample_answer(const std::shared_ptr<Grammar>& grammar,
                                         const TestVocabulary& vocabulary, std::size_t wish,
                                         std::mt19937& random);

// What closes something as a token of its own, the most welcome first; an end is better still.
inline constexpr std::string_view kClosers = "\"}])>;0";

// The shortest bytes after which the grammar may end.
std::optional<std::string> shortest_ending(const GrammarMatcher& start);

// The tokens that a mask allows, in order.
std::vector<std::int32_t> allowed_tokens(const std::vector<std::uint64_t>& mask);

}  // namespace notso
