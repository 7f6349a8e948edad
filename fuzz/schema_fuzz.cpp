// JSON schemas and lists of tools from hostile text. A schema that compiles must have an answer:
// the walk along the lowest allowed bytes ends or goes on, but never finds a place with no way out.
#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "service/grammar/grammar.h"

namespace {

constexpr int kSteps = 64;

std::shared_ptr<const notso::GrammarVocabulary> byte_vocabulary() {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  tokens.emplace_back("<end>");
  const std::vector<std::string_view> views(tokens.begin(), tokens.end());
  const std::int32_t ends[] = {256};
  return std::make_shared<const notso::GrammarVocabulary>(views, std::span<std::int32_t>(), ends);
}

void walk(const std::shared_ptr<notso::Grammar>& grammar, std::size_t words) {
  notso::GrammarMatcher matcher(grammar);
  std::vector<std::uint64_t> mask(words);
  for (int step = 0; step < kSteps && !matcher.is_finished(); ++step) {
    const auto allowed = matcher.fill_mask(mask);
    if (!allowed) {
      if (allowed.error().code == notso::ErrorCode::kResourceExhausted) return;
      __builtin_trap();
    }
    std::size_t word = 0;
    while (mask[word] == 0) ++word;
    const auto token = static_cast<std::int32_t>(word * 64) + std::countr_zero(mask[word]);
    if (!matcher.accept(token)) __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto vocabulary = byte_vocabulary();
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto kind = text.starts_with('[') ? notso::GrammarSource::Kind::kToolCalls
                                          : notso::GrammarSource::Kind::kJsonSchema;
  const auto grammar = notso::Grammar::compile({kind, text}, vocabulary, 1 << 20);
  if (grammar) walk(*grammar, vocabulary->mask_words());
  return 0;
}
