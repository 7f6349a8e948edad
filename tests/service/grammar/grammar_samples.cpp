// Writes random answers of all cases as JSON lines {"kind", "name", "source", "text"}, for
// tests/peer/grammar to check with other programs: grammar_samples [answers a case] [seed].
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "service/grammar/cases.h"
#include "service/grammar/sampler.h"

namespace notso {
namespace {

bool write_samples(const char* kind, const std::vector<GrammarCase>& cases, int count,
                   const TestVocabulary& vocabulary, std::mt19937& random) {
  for (const GrammarCase& one : cases) {
    auto grammar = Grammar::compile(one.source, vocabulary.vocabulary);
    if (!grammar) {
      std::cerr << one.name << ": " << grammar.error().message << "\n";
      return false;
    }
    for (int i = 0; i < count; ++i) {
      const auto text = sample_answer(*grammar, vocabulary, 3 + random() % 60, random);
      if (!text) {
        std::cerr << one.name << ": an answer did not end\n";
        return false;
      }
      const boost::json::object line{
          {"kind", kind}, {"name", one.name}, {"source", one.source.text}, {"text", *text}};
      std::cout << boost::json::serialize(line) << "\n";
    }
  }
  return !cases.empty();
}

int run(int count, unsigned seed) {
  const TestVocabulary vocabulary = make_test_vocabulary();
  std::mt19937 random(seed);
  const std::string dir = NOTSO_SOURCE_DIR;
  const bool done = write_samples("schema", schema_cases(dir), count, vocabulary, random) &&
                    write_samples("gbnf", gbnf_cases(dir), count, vocabulary, random) &&
                    write_samples("regex", regex_cases(dir), count, vocabulary, random);
  return done ? 0 : 1;
}

}  // namespace
}  // namespace notso

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 200;
  return notso::run(count, argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 1);
}
