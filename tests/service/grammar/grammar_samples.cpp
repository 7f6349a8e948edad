// Writes random answers of all cases as JSON lines {"kind", "name", "source", "text"}, for
// tests/peer/grammar to check with other programs:
//
//   grammar_samples uniform|model [answers a case] [seed]
//
// "uniform" draws from the masks alone, over a vocabulary made to be awkward; "model" with the tiny
// synthetic model, and says at the end how its answers came about.
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <functional>
#include <iostream>

#include "service/grammar/cases.h"
#include "service/grammar/model_sampler.h"
#include "service/grammar/sampler.h"

namespace notso {
namespace {

using Answers = Result<std::vector<std::string>>;
using DrawAnswers = std::function<Answers(const GrammarSource& source)>;

Answers uniform_answers(const GrammarSource& source, std::size_t count,
                        const TestVocabulary& vocabulary, std::mt19937& random) {
  auto grammar = Grammar::compile(source, vocabulary.vocabulary);
  if (!grammar) return pass_on(grammar);
  std::vector<std::string> out;
  while (out.size() < count) {
    auto text = sample_answer(*grammar, vocabulary, 3 + random() % 60, random);
    if (!text) return fail(ErrorCode::kInternal, "an answer did not end");
    out.push_back(std::move(*text));
  }
  return out;
}

bool write_samples(const char* kind, const std::vector<GrammarCase>& cases,
                   const DrawAnswers& draw) {
  for (const GrammarCase& one : cases) {
    const Answers answers = draw(one.source);
    if (!answers) {
      std::cerr << one.name << ": " << answers.error().message << "\n";
      return false;
    }
    for (const std::string& text : *answers) {
      const boost::json::object line{
          {"kind", kind}, {"name", one.name}, {"source", one.source.text}, {"text", text}};
      std::cout << boost::json::serialize(line) << "\n";
    }
  }
  return !cases.empty();
}

int write_all(const DrawAnswers& draw) {
  const std::string dir = NOTSO_SOURCE_DIR;
  const bool done = write_samples("schema", schema_cases(dir), draw) &&
                    write_samples("gbnf", gbnf_cases(dir), draw) &&
                    write_samples("regex", regex_cases(dir), draw);
  return done ? 0 : 1;
}

int run_uniform(std::size_t count, unsigned seed) {
  const TestVocabulary vocabulary = make_test_vocabulary();
  std::mt19937 random(seed);
  return write_all([&](const GrammarSource& source) {
    return uniform_answers(source, count, vocabulary, random);
  });
}

int run_model(std::size_t count, unsigned seed) {
  ModelSampler sampler(seed);
  const int status =
      write_all([&](const GrammarSource& source) { return sampler.answers(source, count); });
  const ModelSampler::Counts& counts = sampler.counts();
  std::cerr << counts.answers << " answers of " << counts.tokens << " tokens drawn by the model, "
            << counts.steered << " of them steered to their ends, " << counts.completed
            << " completed by the shortest ending\n";
  return status;
}

}  // namespace
}  // namespace notso

int main(int argc, char** argv) {
  const std::string source = argc > 1 ? argv[1] : "";
  const auto count = static_cast<std::size_t>(argc > 2 ? std::atoi(argv[2]) : 200);
  const auto seed = static_cast<unsigned>(argc > 3 ? std::atoi(argv[3]) : 1);
  if (source == "uniform") return notso::run_uniform(count, seed);
  if (source == "model") return notso::run_model(count, seed);
  std::cerr << "usage: grammar_samples uniform|model [answers a case] [seed]\n";
  return 2;
}
