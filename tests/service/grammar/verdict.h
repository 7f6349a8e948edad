// Short questions to a grammar, for tests that read as a specification.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "service/grammar/test_vocabulary.h"

namespace notso {

inline const TestVocabulary& shared_vocabulary() {
  static const TestVocabulary vocabulary = make_test_vocabulary();
  return vocabulary;
}

inline Result<std::shared_ptr<Grammar>> compiled(GrammarSource::Kind kind, std::string text) {
  return Grammar::compile({kind, std::move(text)}, shared_vocabulary().vocabulary);
}

// Whether the grammar takes exactly this text; the message where it does not compile.
inline std::string verdict(GrammarSource::Kind kind, const std::string& source,
                           std::string_view text) {
  auto grammar = compiled(kind, source);
  if (!grammar) return grammar.error().message;
  GrammarMatcher matcher(*grammar);
  const bool fits = (text.empty() || matcher.accept_bytes(text)) && matcher.is_accepting();
  return fits ? "yes" : "no";
}

// The message that refuses a source, or "".
inline std::string refusal(GrammarSource::Kind kind, std::string source) {
  auto grammar = compiled(kind, std::move(source));
  return grammar ? "" : grammar.error().message;
}

}  // namespace notso
