// GBNF and regular expressions from hostile text: the first byte chooses the kind, the rest is the
// source, up to a zero byte; what follows that is tried as an answer. What compiles must never
// accept a token that its mask does not have, nor the other way round.
#include <cstdint>
#include <string>
#include <vector>

#include "service/grammar/grammar.h"

namespace {

std::shared_ptr<const notso::GrammarVocabulary> byte_vocabulary() {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  for (const char* more : {"ab", "\": \"", "\xC3\xA9", "  ", "}}", "[[", "12", "<end>"}) {
    tokens.emplace_back(more);
  }
  const std::vector<std::string_view> views(tokens.begin(), tokens.end());
  const std::int32_t ends[] = {static_cast<std::int32_t>(tokens.size() - 1)};
  return std::make_shared<const notso::GrammarVocabulary>(views, std::span<std::int32_t>(), ends);
}

void check_mask(notso::GrammarMatcher& matcher, std::size_t tokens) {
  std::vector<std::uint64_t> mask((tokens + 63) / 64);
  const auto filled = matcher.fill_mask(mask);
  if (!filled && filled.error().code == notso::ErrorCode::kResourceExhausted) return;
  for (std::size_t id = 0; id < tokens; ++id) {
    notso::GrammarMatcher tried = matcher;
    const bool in_mask = (mask[id / 64] >> (id % 64)) & 1;
    if (tried.accept(static_cast<std::int32_t>(id)) != in_mask) __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto vocabulary = byte_vocabulary();
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = std::min(input.find('\0'), input.size());
  const auto kind =
      data[0] % 2 == 0 ? notso::GrammarSource::Kind::kGbnf : notso::GrammarSource::Kind::kRegex;
  const auto grammar =
      notso::Grammar::compile({kind, std::string(input.substr(0, cut))}, vocabulary, 1 << 20);
  if (!grammar) return 0;
  notso::GrammarMatcher matcher(*grammar);
  check_mask(matcher, vocabulary->size());
  for (const char byte : input.substr(cut)) {
    if (!matcher.accept_bytes({&byte, 1})) break;
  }
  check_mask(matcher, vocabulary->size());
  const std::string forced = matcher.forced_bytes();
  if (!forced.empty() && !matcher.accept_bytes(forced)) __builtin_trap();
  return 0;
}
