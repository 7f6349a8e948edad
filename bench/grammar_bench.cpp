// What a grammar costs a step: the time of a mask over a vocabulary of 128,000 tokens, cold (the
// first answer of a grammar, which fills its caches) and warm, and the time of compiling.
#include <algorithm>
#include <benchmark/benchmark.h>
#include <ctime>
#include <random>

#include "service/grammar/sampler.h"

namespace notso {
namespace {

constexpr std::size_t kVocabularySize = 128'000;

const TestVocabulary& vocabulary() {
  static const TestVocabulary vocabulary = make_test_vocabulary(kVocabularySize);
  return vocabulary;
}

constexpr const char* kPerson =
    R"({"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"},
        "tags":{"type":"array","items":{"type":"string","maxLength":20}},
        "address":{"type":"object","properties":{"street":{"type":"string"},
        "zip":{"type":"string","pattern":"^[0-9]{5}$"}},"required":["street"],
        "additionalProperties":false}},"required":["name","age"],"additionalProperties":false})";
constexpr const char* kGbnfJson = R"(root ::= object
value ::= object | array | string | number | ("true" | "false" | "null") ws
object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? "}" ws
array ::= "[" ws ( value ("," ws value)* )? "]" ws
string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
ws ::= | " " | "\n" [ \t]{0,20}
)";

const GrammarSource kSources[] = {
    {GrammarSource::Kind::kJsonObject, ""},
    {GrammarSource::Kind::kJsonSchema, kPerson},
    {GrammarSource::Kind::kGbnf, kGbnfJson},
    {GrammarSource::Kind::kRegex, "(?:[A-Z][a-z]+ ){2,5}[^\\d]*\\."},
};

// Processor time of this thread, so that other programs on the machine do not count.
double now_us() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) * 1e-3;
}

// Times the masks of `answers` random answers, each in microseconds.
void time_masks(const std::shared_ptr<Grammar>& grammar, int answers, unsigned seed,
                std::vector<double>& out) {
  std::mt19937 random(seed);
  std::vector<std::uint64_t> mask(vocabulary().vocabulary->mask_words());
  for (int i = 0; i < answers; ++i) {
    GrammarMatcher matcher(grammar);
    for (int count = 0; count < 80 && !matcher.is_finished(); ++count) {
      const double start = now_us();
      if (!matcher.fill_mask(mask)) break;
      out.push_back(now_us() - start);
      const auto allowed = allowed_tokens(mask);
      matcher.accept(allowed[random() % allowed.size()]);
    }
  }
}

void report(benchmark::State& state, std::vector<double>& times) {
  std::sort(times.begin(), times.end());
  state.counters["median_us"] = times[times.size() / 2];
  state.counters["p99_us"] = times[times.size() * 99 / 100];
  state.counters["max_us"] = times.back();
}

void bench_mask(benchmark::State& state) {
  const GrammarSource& source = kSources[state.range(0)];
  const bool is_warm = state.range(1) != 0;
  std::vector<double> times;
  for (auto _ : state) {
    auto grammar = *Grammar::compile(source, vocabulary().vocabulary);
    std::vector<double> warm_up;
    if (is_warm) time_masks(grammar, 100, 1, warm_up);
    time_masks(grammar, 40, 1, times);
  }
  report(state, times);
}
BENCHMARK(bench_mask)
    ->ArgsProduct({{0, 1, 2, 3}, {0, 1}})
    ->ArgNames({"source", "warm"})
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

void bench_compile(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(Grammar::compile(kSources[state.range(0)], vocabulary().vocabulary));
  }
}
BENCHMARK(bench_compile)->DenseRange(0, 3)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace notso

BENCHMARK_MAIN();
