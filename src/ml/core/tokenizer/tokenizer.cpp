#include "ml/core/tokenizer/tokenizer.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <fmt/format.h>
#include <unordered_map>

#include "ml/core/tokenizer/bpe.h"
#include "ml/core/tokenizer/pretokenizer.h"
#include "ml/core/tokenizer/special_tokens.h"
#include "ml/core/tokenizer/unicode.h"
#include "ml/core/tokenizer/vocab_source.h"
#include "ml/core/tokenizer/vocabulary.h"

namespace notso {

namespace {

// Bounds the work at each place of a trusted text.
constexpr std::size_t kSpecialLengthMax = 512;

}  // namespace

struct Tokenizer::Impl {
  // Whether merging the bytes of a token gives that token; found out when first needed.
  enum class Reached : std::uint8_t { kUnknown, kYes, kNo };

  static Result<std::shared_ptr<const Tokenizer>> build(Result<VocabSource> source);
  Status add_special_tokens(const VocabSource& source);
  void add_end_tokens(const VocabSource& source);
  [[nodiscard]] bool is_special(TokenId id) const;
  [[nodiscard]] bool is_taken_whole(TokenId id) const;
  void encode_word(std::string_view word, std::vector<TokenId>& out) const;
  void encode_plain(std::string_view text, std::vector<TokenId>& out) const;
  void encode_mixed(std::string_view text,
                    std::span<const std::pair<std::size_t, std::size_t>> trusted,
                    std::vector<TokenId>& out) const;

  Vocabulary vocab;
  BpeMerges merges;
  SpecialTokens specials;
  std::vector<TokenId> special_ids;
  std::vector<TokenId> end_ids;
  std::unordered_map<std::string, TokenId> named;   // all tokens but the words of the vocabulary
  std::unique_ptr<std::atomic<Reached>[]> reached;  // by id
  bool ignore_merges = false;
  bool add_bos = false;
  std::optional<TokenId> bos;
  std::optional<TokenId> eos;
};

Result<std::shared_ptr<const Tokenizer>> Tokenizer::Impl::build(Result<VocabSource> source) {
  if (!source) return pass_on(source);
  auto vocab = Vocabulary::build(*source);
  if (!vocab) return pass_on(vocab);
  auto merges = BpeMerges::build(*source, *vocab);
  if (!merges) return pass_on(merges);
  std::shared_ptr<Tokenizer> tokenizer(new Tokenizer);
  Impl& impl = *tokenizer->impl_;
  impl.vocab = std::move(*vocab);
  impl.merges = std::move(*merges);
  impl.reached = std::make_unique<std::atomic<Reached>[]>(source->tokens.size());
  impl.ignore_merges = source->ignore_merges;
  impl.add_bos = source->add_bos;
  impl.bos = source->bos;
  impl.eos = source->eos;
  if (Status status = impl.add_special_tokens(*source); !status) return pass_on(status);
  impl.add_end_tokens(*source);
  return std::shared_ptr<const Tokenizer>(std::move(tokenizer));
}

Status Tokenizer::Impl::add_special_tokens(const VocabSource& source) {
  std::vector<std::pair<std::string, TokenId>> found;
  for (std::size_t i = 0; i < source.tokens.size(); ++i) {
    const TokenId id = static_cast<TokenId>(i);
    const std::string_view written = source.tokens[i];
    if (written.empty() || vocab.is_word(id)) continue;
    named.insert_or_assign(std::string(written), id);
    if (!is_special(id)) continue;
    if (written.size() > kSpecialLengthMax) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("{}: the special token {} has {} bytes, more than the {} supported: "
                              "get the file again",
                              source.path, id, written.size(), kSpecialLengthMax));
    }
    special_ids.push_back(id);
    found.emplace_back(written, id);
  }
  specials = SpecialTokens(std::move(found));
  return {};
}

void Tokenizer::Impl::add_end_tokens(const VocabSource& source) {
  end_ids = source.ends;
  if (eos) end_ids.push_back(*eos);
  for (const char* name : {"<|im_end|>", "<|end_of_text|>", "<|eot_id|>"}) {
    const auto found = named.find(name);
    if (found != named.end() && vocab.kind(found->second) == TokenKind::kControl) {
      end_ids.push_back(found->second);
    }
  }
  std::sort(end_ids.begin(), end_ids.end());
  end_ids.erase(std::unique(end_ids.begin(), end_ids.end()), end_ids.end());
}

bool Tokenizer::Impl::is_special(TokenId id) const {
  return vocab.kind(id) == TokenKind::kControl || vocab.kind(id) == TokenKind::kUserDefined;
}

bool Tokenizer::Impl::is_taken_whole(TokenId id) const {
  if (ignore_merges) return true;
  std::atomic<Reached>& known = reached[static_cast<std::size_t>(id)];
  Reached state = known.load(std::memory_order_relaxed);
  if (state == Reached::kUnknown) {
    std::vector<TokenId> merged;
    merges.merge(vocab, vocab.bytes(id), merged);
    state = merged.size() == 1 && merged[0] == id ? Reached::kYes : Reached::kNo;
    known.store(state, std::memory_order_relaxed);
  }
  return state == Reached::kYes;
}

void Tokenizer::Impl::encode_word(std::string_view word, std::vector<TokenId>& out) const {
  if (word.size() <= vocab.word_length_max()) {
    const TokenId id = vocab.find_word(word);
    if (id != kNoToken && is_taken_whole(id)) {
      out.push_back(id);
      return;
    }
  }
  merges.merge(vocab, word, out);
}

// Text without special tokens.
void Tokenizer::Impl::encode_plain(std::string_view text, std::vector<TokenId>& out) const {
  std::string repaired;
  Pretokenizer words(repair_utf8(text, repaired));
  for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
    encode_word(word, out);
  }
}

// Text with special tokens within the ranges [begin, end) of `trusted`, which are in order.
void Tokenizer::Impl::encode_mixed(std::string_view text,
                                   std::span<const std::pair<std::size_t, std::size_t>> trusted,
                                   std::vector<TokenId>& out) const {
  std::size_t done = 0;
  for (const auto& [begin, end] : trusted) {
    for (std::size_t at = begin; at < end;) {
      const SpecialMatch match = specials.find(text, at, end);
      at = match.begin + match.length;
      if (match.length == 0) break;
      encode_plain(text.substr(done, match.begin - done), out);
      out.push_back(match.id);
      done = at;
    }
  }
  encode_plain(text.substr(done), out);
}

Tokenizer::Tokenizer() : impl_(std::make_unique<Impl>()) {}
Tokenizer::~Tokenizer() = default;

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_gguf(const GgufFile& file) {
  return Impl::build(read_gguf_vocab(file));
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_json_file(const std::string& path) {
  return Impl::build(read_json_vocab(path));
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, bool trusted) const {
  std::vector<TokenId> out;
  out.reserve(text.size() / 4 + 1);
  const std::pair<std::size_t, std::size_t> whole{0, trusted ? text.size() : 0};
  impl_->encode_mixed(text, {&whole, 1}, out);
  return out;
}

void Tokenizer::encode(std::span<const TextSpan> spans, std::vector<TokenId>& out) const {
  std::string text;
  std::vector<std::pair<std::size_t, std::size_t>> trusted;
  for (const TextSpan& span : spans) {
    const std::size_t begin = text.size();
    text += span.text;
    if (!span.trusted) continue;
    if (!trusted.empty() && trusted.back().second == begin) {
      trusted.back().second = text.size();
    } else {
      trusted.emplace_back(begin, text.size());
    }
  }
  impl_->encode_mixed(text, trusted, out);
}

std::string_view Tokenizer::token_bytes(TokenId id, bool special) const {
  if (id < 0 || id >= vocab_size()) return {};
  if (!special && impl_->is_special(id)) return {};
  return impl_->vocab.bytes(id);
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool special) const {
  std::string out;
  for (const TokenId id : ids) out += token_bytes(id, special);
  return out;
}

TokenId Tokenizer::vocab_size() const { return impl_->vocab.size(); }

TokenKind Tokenizer::kind(TokenId id) const {
  return id < 0 || id >= vocab_size() ? TokenKind::kUnknown : impl_->vocab.kind(id);
}

std::optional<TokenId> Tokenizer::find(std::string_view token) const {
  const auto found = impl_->named.find(std::string(token));
  if (found != impl_->named.end()) return found->second;
  const auto word = decode_byte_alphabet(token);
  const TokenId id = word ? impl_->vocab.find_word(*word) : kNoToken;
  if (id == kNoToken) return std::nullopt;
  return id;
}

std::span<const TokenId> Tokenizer::special_tokens() const { return impl_->special_ids; }
std::optional<TokenId> Tokenizer::bos() const { return impl_->bos; }
std::optional<TokenId> Tokenizer::eos() const { return impl_->eos; }
bool Tokenizer::add_bos() const { return impl_->add_bos; }
std::span<const TokenId> Tokenizer::end_tokens() const { return impl_->end_ids; }

}  // namespace notso
