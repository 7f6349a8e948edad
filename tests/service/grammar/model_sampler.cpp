#include "service/grammar/model_sampler.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "service/grammar/sampler.h"

namespace notso {
namespace {

constexpr std::int32_t kContext = 128;
constexpr std::size_t kTogether = 100;   // answers that share the steps of the model
constexpr std::uint64_t kLengths = 40;   // answers may take so many tokens before they are steered
constexpr std::size_t kMaxClosing = 60;  // tokens of an answer that is steered

// Biases far beyond the noise, so that a closing token comes wherever one is allowed.
std::vector<LogitBias> closing_biases(const Tokenizer& tokenizer) {
  std::vector<LogitBias> out;
  for (const TokenId end : tokenizer.end_tokens()) out.push_back({end, 100.0F});
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id) {
    const std::string_view bytes = tokenizer.token_bytes(id, false);
    const std::size_t rank = bytes.size() == 1 ? kClosers.find(bytes[0]) : std::string_view::npos;
    if (rank != std::string_view::npos) out.push_back({id, 90.0F - 10.0F * float(rank)});
  }
  return out;
}

}  // namespace

// One answer on its way.
struct ModelSampler::Drawn {
  GrammarMatcher matcher;
  std::uint64_t seed = 0;
  std::size_t wish = 0;  // tokens before it is steered
  std::size_t slot = 0;  // of pages_
  std::int32_t position = 0;
  TokenId last = 0;
  std::string text = {};
};

ModelSampler::ModelSampler(std::uint64_t seed)
    : tiny_(make_tiny_model({.context = kContext, .max_outputs = kTogether})),
      vocabulary_(tiny_.tokenizer, static_cast<std::size_t>(tiny_.model->config().vocab)),
      sampler_(vocabulary_.size()),
      next_seed_(seed << 32U),
      logits_(kTogether * vocabulary_.size()),
      mask_(sampler_.mask_words()) {
  free_.temperature = 1.5F;
  free_.top_p = 1.0F;
  closing_ = free_;
  closing_.logit_bias = closing_biases(*tiny_.tokenizer);
  NOTSO_CHECK(validate(closing_, vocabulary_.size()));
  for (std::size_t i = 0; i < kTogether; ++i) {
    auto pages = smollm3::SequencePages::make(tiny_.model->kv_layout(), kContext);
    NOTSO_CHECK(pages);
    pages_.push_back(std::move(*pages));
  }
}

Result<std::vector<std::string>> ModelSampler::answers(const GrammarSource& source,
                                                       std::size_t count) {
  auto grammar = vocabulary_.grammars().get(source);
  if (!grammar) return pass_on(grammar);
  std::vector<std::string> out;
  while (out.size() < count) {
    std::vector<Drawn> drawn;
    const std::size_t together = std::min(kTogether, count - out.size());
    for (std::size_t slot = 0; slot < together; ++slot) {
      drawn.push_back(begin(*grammar));
      drawn.back().slot = slot;
    }
    if (auto run = run_together(drawn); !run) return pass_on(run);
    for (Drawn& answer : drawn) out.push_back(std::move(answer.text));
  }
  counts_.answers += out.size();
  return out;
}

// After a prompt of one token: the answers differ by their seeds.
ModelSampler::Drawn ModelSampler::begin(const std::shared_ptr<Grammar>& grammar) {
  const std::uint64_t seed = next_seed_++;
  const auto share = uniform_at(seed, std::uint64_t{kContext});
  Drawn answer{GrammarMatcher(grammar), seed};
  answer.wish = 3 + static_cast<std::size_t>(share * double{kLengths});
  answer.last = tiny_.tokenizer->end_tokens().front();
  return answer;
}

Status ModelSampler::run_together(std::vector<Drawn>& drawn) {
  std::vector<Drawn*> open;
  for (Drawn& answer : drawn) open.push_back(&answer);
  while (!open.empty()) {
    run_model(open);
    std::vector<Drawn*> still_open;
    for (std::size_t row = 0; row < open.size(); ++row) {
      const std::size_t size = vocabulary_.size();
      auto over = advance(*open[row], std::span(logits_).subspan(row * size, size));
      if (!over) return pass_on(over);
      if (!*over) still_open.push_back(open[row]);
    }
    open = std::move(still_open);
  }
  return {};
}

// logits_ = those after the last token of every open answer, in their order.
void ModelSampler::run_model(const std::vector<Drawn*>& open) {
  std::vector<TokenId> tokens;
  std::vector<SequenceRows> sequences;
  for (Drawn* answer : open) {
    const auto row = static_cast<std::int32_t>(tokens.size());
    sequences.push_back({pages_[answer->slot].table(), answer->position++, row, 1});
    tokens.push_back(answer->last);
  }
  std::vector<std::int32_t> rows(tokens.size());
  std::iota(rows.begin(), rows.end(), 0);
  tiny_.model->forward({tokens, {sequences, static_cast<std::int32_t>(rows.size())}, rows},
                       std::span(logits_).first(rows.size() * vocabulary_.size()));
}

// Draws the next token of an answer; whether it was its last. Every eighth token of an answer that
// is steered is free, so that no closing token comes for ever.
Result<bool> ModelSampler::advance(Drawn& answer, std::span<const float> logits) {
  const auto count = static_cast<std::size_t>(answer.position);
  if (count == answer.wish) ++counts_.steered;
  if (count == answer.wish + kMaxClosing) return complete(answer);
  if (auto filled = answer.matcher.fill_mask(mask_); !filled) return pass_on(filled);
  SamplingParams& params = count >= answer.wish && count % 8 != 0 ? closing_ : free_;
  params.seed = answer.seed;
  auto token = sampler_.sample(logits, params, TokenHistory(), count, mask_);
  if (!token) return pass_on(token);
  if (!answer.matcher.accept(*token)) {
    return fail(ErrorCode::kInternal, "the mask allowed a token that is not accepted");
  }
  ++counts_.tokens;
  if (answer.matcher.is_finished()) return true;
  answer.last = *token;
  answer.text += tiny_.tokenizer->token_bytes(*token, false);
  return false;
}

Result<bool> ModelSampler::complete(Drawn& answer) {
  ++counts_.completed;
  if (answer.matcher.is_accepting()) return true;
  const auto ending = shortest_ending(answer.matcher);
  if (!ending) return fail(ErrorCode::kInternal, "no ending was found for " + answer.text);
  answer.text += *ending;
  return true;
}

}  // namespace notso
