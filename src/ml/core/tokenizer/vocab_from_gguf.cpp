// The tokenizer's part of a GGUF file:
//
//   tokenizer.ggml.model        "gpt2": byte-level BPE
//   tokenizer.ggml.pre          the name of the pre-tokeniser's pattern
//   tokenizer.ggml.tokens       strings by id
//   tokenizer.ggml.token_type   TokenKind's numbers by id; all normal if absent
//   tokenizer.ggml.merges       strings "left right", best first
//   tokenizer.ggml.{bos,eos,eot,eom}_token_id, tokenizer.ggml.add_bos_token

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "ml/core/tokenizer/vocab_source.h"

namespace notso {

namespace {

constexpr std::string_view kMend = "use a GGUF of SmolLM3";

// The pre-tokenisers whose pattern is Llama 3's. llama.cpp takes whole tokens without merging, and
// prepends a BOS unless told otherwise, for all of them but these two.
constexpr std::array<std::string_view, 2> kMergingPres = {"smaug-bpe", "dbrx"};
constexpr std::array<std::string_view, 9> kIgnoringPres = {
    "llama-bpe", "llama3",   "llama-v3", "falcon3",     "falcon-h1",
    "pixtral",   "midm-2.0", "lfm2",     "jina-v5-nano"};

template <class List>
bool contains(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

Status read_model(const GgufFile& file, VocabSource& source) {
  auto model = file.get_string("tokenizer.ggml.model");
  if (!model) return pass_on(model);
  if (*model != "gpt2") {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{}: tokenizer.ggml.model is {}, and only byte-level BPE ('gpt2') is "
                            "supported: {}",
                            file.path(), quote_token(*model), kMend));
  }
  auto pre = file.get_string("tokenizer.ggml.pre");
  if (!pre) return pass_on(pre);
  source.ignore_merges = contains(kIgnoringPres, *pre);
  source.add_bos = source.ignore_merges;
  if (!source.ignore_merges && !contains(kMergingPres, *pre)) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{}: the pre-tokeniser {} (tokenizer.ggml.pre) is not supported, only "
                            "'smaug-bpe', 'llama-bpe' and others of the same pattern: {}",
                            file.path(), quote_token(*pre), kMend));
  }
  return {};
}

Status read_kinds(const GgufFile& file, VocabSource& source) {
  constexpr const char* kKey = "tokenizer.ggml.token_type";
  source.kinds.assign(source.tokens.size(), TokenKind::kNormal);
  if (file.find(kKey) == nullptr) return {};
  auto types = file.get_int_array(kKey);
  if (!types) return pass_on(types);
  if (types->size() != source.tokens.size()) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{}: {} has {} entries for {} tokens: the file is damaged, get it again",
                    file.path(), kKey, types->size(), source.tokens.size()));
  }
  for (std::size_t id = 0; id < types->size(); ++id) {
    const std::int32_t type = (*types)[id];
    if (type < 1 || type > 6) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: {} gives token {} the unknown type {} (known: 1 to 6): the file "
                              "is damaged, get it again",
                              file.path(), kKey, id, type));
    }
    source.kinds[id] = static_cast<TokenKind>(type);
  }
  return {};
}

Status read_merges(const GgufFile& file, VocabSource& source) {
  auto merges = file.get_strings("tokenizer.ggml.merges");
  if (!merges) return pass_on(merges);
  source.merges.reserve(merges->size());
  for (std::size_t i = 0; i < merges->size(); ++i) {
    const std::string_view written = (*merges)[i];
    const std::size_t space = written.find(' ', 1);
    if (space == std::string_view::npos) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: tokenizer.ggml.merges: entry {} is not two tokens with a space "
                              "between: the file is damaged, get it again",
                              file.path(), i));
    }
    source.merges.emplace_back(written.substr(0, space), written.substr(space + 1));
  }
  return {};
}

Result<std::optional<TokenId>> read_id(const GgufFile& file, const char* key, std::size_t count) {
  if (file.find(key) == nullptr) return std::nullopt;
  auto id = file.get_uint(key);
  if (!id) return pass_on(id);
  if (*id >= count) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: {} is {}, but the vocabulary has {} tokens: the file is damaged, "
                            "get it again",
                            file.path(), key, *id, count));
  }
  return static_cast<TokenId>(*id);
}

Status read_ids(const GgufFile& file, VocabSource& source) {
  const std::size_t count = source.tokens.size();
  auto bos = read_id(file, "tokenizer.ggml.bos_token_id", count);
  if (!bos) return pass_on(bos);
  source.bos = *bos;
  auto eos = read_id(file, "tokenizer.ggml.eos_token_id", count);
  if (!eos) return pass_on(eos);
  source.eos = *eos;
  for (const char* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    auto end = read_id(file, key, count);
    if (!end) return pass_on(end);
    if (*end) source.ends.push_back(**end);
  }
  if (file.find("tokenizer.ggml.add_bos_token") != nullptr) {
    auto add_bos = file.get_bool("tokenizer.ggml.add_bos_token");
    if (!add_bos) return pass_on(add_bos);
    source.add_bos = *add_bos;
  }
  return {};
}

}  // namespace

Result<VocabSource> read_gguf_vocab(const GgufFile& file) {
  VocabSource source;
  source.path = file.path();
  if (Status status = read_model(file, source); !status) return pass_on(status);
  auto tokens = file.get_strings("tokenizer.ggml.tokens");
  if (!tokens) return pass_on(tokens);
  if (tokens->size() > kVocabSizeMax) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format("{}: tokenizer.ggml.tokens has {} tokens, more than the {} supported: {}",
                    file.path(), tokens->size(), kVocabSizeMax, kMend));
  }
  source.tokens.assign(tokens->begin(), tokens->end());
  if (Status status = read_kinds(file, source); !status) return pass_on(status);
  if (Status status = read_merges(file, source); !status) return pass_on(status);
  if (Status status = read_ids(file, source); !status) return pass_on(status);
  return source;
}

}  // namespace notso
