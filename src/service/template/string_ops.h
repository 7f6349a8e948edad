// What filters and methods do to strings, on texts with provenance.
#pragma once

#include <cstdint>
#include <vector>

#include "service/template/runtime.h"
#include "service/template/text.h"

namespace notso::jinja {

// str.upper() and str.lower().
Text upper(Runtime& runtime, const Text& text);
// Also sigma at the end of a word.
Text lower(Runtime& runtime, const Text& text);
// First character in title case, the rest lower.
Text capitalize(Runtime& runtime, const Text& text);
// str.title(): each run of letters capitalised.
Text title(Runtime& runtime, const Text& text);
// The title filter: words end at blanks, hyphens and opening brackets only.
Text title_words(Runtime& runtime, const Text& text);
// str.swapcase()
Text swap_case(Runtime& runtime, const Text& text);

// Which ends strip() works on.
enum class Ends { kBoth, kLeft, kRight };
// Removes characters of `chars` (whitespace if null) from the ends.
Text strip(const Text& text, const Text* chars, Ends ends);

// Replaces the first `count` occurrences (all if negative).
Text replace(Runtime& runtime, const Text& text, const Text& from, const Text& to,
             std::int64_t count);

// str.split() and str.rsplit(); a null separator means runs of whitespace, a negative count all.
std::vector<Text> split(Runtime& runtime, const Text& text, const Text* separator,
                        std::int64_t count);
std::vector<Text> split_right(Runtime& runtime, const Text& text, const Text* separator,
                              std::int64_t count);
std::vector<Text> split_lines(Runtime& runtime, const Text& text, bool keep_ends);

// Texts as a list of strings.
Value list_of(Runtime& runtime, std::vector<Text> texts, bool safe = false);

}  // namespace notso::jinja
