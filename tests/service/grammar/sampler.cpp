#include "service/grammar/sampler.h"

#include <bit>
#include <set>

namespace notso {
namespace {

constexpr std::size_t kMaxClosing = 300;
constexpr std::size_t kMaxPlaces = 20'000;

// The allowed token that closes the most: the end, then quotes and brackets, then what makes the
// shortest value.
std::int32_t closing_token(const std::vector<std::int32_t>& allowed,
                           const TestVocabulary& vocabulary, std::mt19937& random) {
  std::int32_t best = allowed[random() % allowed.size()];
  std::size_t best_rank = kClosers.size() + 1;
  for (const std::int32_t token : allowed) {
    if (vocabulary.vocabulary->is_end(token)) return token;
    const std::string& text = vocabulary.tokens[static_cast<std::size_t>(token)];
    const std::size_t rank = text.size() == 1 ? kClosers.find(text[0]) : std::string_view::npos;
    if (rank < best_rank) {
      best_rank = rank;
      best = token;
    }
  }
  return best;
}

}  // namespace

// Breadth first.
std::optional<std::string> shortest_ending(const GrammarMatcher& start) {
  struct Place {
    GrammarMatcher matcher;
    std::string bytes;
  };
  std::vector<Place> places{{start, ""}};
  std::set<std::uint64_t> seen{start.state_number()};
  for (std::size_t i = 0; i < places.size() && places.size() < kMaxPlaces; ++i) {
    for (int byte = 0; byte < 256; ++byte) {
      const char text = static_cast<char>(byte);
      Place next = places[i];
      if (!next.matcher.accept_bytes({&text, 1})) continue;
      if (!seen.insert(next.matcher.state_number()).second) continue;
      next.bytes += text;
      if (next.matcher.is_accepting()) return next.bytes;
      places.push_back(std::move(next));
    }
  }
  return std::nullopt;
}

std::vector<std::int32_t> allowed_tokens(const std::vector<std::uint64_t>& mask) {
  std::vector<std::int32_t> out;
  for (std::size_t word = 0; word < mask.size(); ++word) {
    for (std::uint64_t bits = mask[word]; bits != 0; bits &= bits - 1) {
      out.push_back(static_cast<std::int32_t>(word * 64) + std::countr_zero(bits));
    }
  }
  return out;
}

std::optional<std::string> sample_answer(const std::shared_ptr<Grammar>& grammar,
                                         const TestVocabulary& vocabulary, std::size_t wish,
                                         std::mt19937& random) {
  GrammarMatcher matcher(grammar);
  std::vector<std::uint64_t> mask(vocabulary.vocabulary->mask_words());
  std::string text;
  for (std::size_t count = 0; count < wish + kMaxClosing; ++count) {
    if (!matcher.fill_mask(mask)) return std::nullopt;
    const std::vector<std::int32_t> allowed = allowed_tokens(mask);
    // Where one kind of token is far more frequent, the others would hardly ever come.
    const bool close = count >= wish || random() % 8 == 0;
    const std::int32_t token = close && random() % 8 != 0
                                   ? closing_token(allowed, vocabulary, random)
                                   : allowed[random() % allowed.size()];
    if (!matcher.accept(token)) return std::nullopt;
    if (matcher.is_finished()) return text;
    text += vocabulary.tokens[static_cast<std::size_t>(token)];
  }
  if (matcher.is_accepting()) return text;
  const std::optional<std::string> ending = shortest_ending(matcher);
  return ending ? std::optional(text + *ending) : std::nullopt;
}

}  // namespace notso
