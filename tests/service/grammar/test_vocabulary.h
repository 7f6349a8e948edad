// A vocabulary like that of a Llama-3 tokenizer, made up: all bytes, words with and without a space
// before them, numbers of up to three digits, runs of blanks, pieces of JSON, and pieces of
// characters of several bytes, whole and cut in the middle.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "service/grammar/grammar.h"

namespace notso {

struct TestVocabulary {
  std::vector<std::string> tokens;
  std::int32_t end = 0;  // ends an answer
  std::int32_t other_end = 0;
  std::int32_t never = 0;  // a control token
  std::shared_ptr<const GrammarVocabulary> vocabulary;
};

// At least `size` tokens; those beyond the fixed pieces are made of random letters.
TestVocabulary make_test_vocabulary(std::size_t size = 4000);

}  // namespace notso
